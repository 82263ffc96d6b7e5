"""Alpha over time: steady where the picture is, new where it is new."""

from itertools import pairwise

import numpy as np
import pytest

from hairseg.inference.temporal import MOTION, NOISE, REST, AlphaSmoother

SHAPE = (60, 80)  # a cell is a pixel


def grey(level) -> np.ndarray:
    return np.full((*SHAPE, 3), level, np.uint8)


def alpha(value: float) -> np.ndarray:
    return np.full(SHAPE, value, np.float32)


def test_a_still_picture_averages_over_time():
    smoother = AlphaSmoother()
    given = [0.0, 1.0, 1.0, 0.0]
    smooth = [smoother.smooth(grey(90), alpha(value))[30, 40] for value in given]
    assert smooth == pytest.approx([0, 0.2, 0.2 + 0.2 * 0.8, 0.36 * 0.8]) and REST == 0.2


def test_what_moves_is_taken_as_it_comes_and_only_there():
    smoother, moved = AlphaSmoother(), grey(90)
    moved[:, :20] = 90 + MOTION
    smoother.smooth(grey(90), alpha(0))
    smooth = smoother.smooth(moved, alpha(1))
    assert np.allclose(smooth[:, :21], 1)  # and one cell around it
    assert np.allclose(smooth[:, 21:], REST)


def test_half_way_between_noise_and_movement_counts_half():
    smoother = AlphaSmoother()
    smoother.smooth(grey(90), alpha(0))
    changed = grey(90)
    changed[..., 1] += round((NOISE + MOTION) / 2)  # one channel is enough
    assert smoother.smooth(changed, alpha(1)) == pytest.approx(REST + (1 - REST) / 2)


def test_after_a_cut_nothing_is_left_of_before():
    smoother = AlphaSmoother()
    for _ in range(3):
        smoother.smooth(grey(200), alpha(1))
    assert smoother.smooth(grey(20), alpha(0.25)) == pytest.approx(0.25)


def test_changes_too_slow_to_see_in_one_frame_add_up():
    smoother, shares, behind = AlphaSmoother(), [], 0.0
    smoother.smooth(grey(60), alpha(0))
    last = 0.0
    for frame in range(1, 5):  # 3 a frame, less than a camera's noise
        behind += 3
        share = REST + (1 - REST) * min(1, max(0, (behind - NOISE) / (MOTION - NOISE)))
        behind *= 1 - share
        last += share * (1 - last)
        shares.append(share)
        assert smoother.smooth(grey(60 + 3 * frame), alpha(1)) == pytest.approx(last, abs=1e-5)
    assert shares[0] == REST < shares[-1]


def test_frames_of_another_size_begin_anew():
    smoother = AlphaSmoother()
    smoother.smooth(grey(90), alpha(0))
    turned = smoother.smooth(np.full((80, 60, 3), 90, np.uint8), np.full((80, 60), 0.7, np.float32))
    assert turned.shape == (80, 60) and turned == pytest.approx(0.7)


def test_the_flicker_of_a_still_scene_falls_to_a_quarter():
    rng, smoother = np.random.default_rng(0), AlphaSmoother()
    scene = np.kron(rng.integers(40, 215, (12, 16, 3)), np.ones((30, 30, 1)))  # 480 x 360, blocks of any colour
    raw, smooth = [], []
    for _ in range(12):
        photo = np.clip(scene + rng.normal(0, 6, scene.shape), 0, 255).astype(np.uint8)
        raw.append(rng.random(scene.shape[:2], np.float32))
        smooth.append(smoother.smooth(photo, raw[-1]))
    flicker, left = (np.mean([np.abs(b - a).mean() for a, b in pairwise(x[6:])]) for x in (raw, smooth))
    assert left < flicker / 4
