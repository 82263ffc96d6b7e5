"""Alpha is averaged where the photo is still, and replaced where it changes."""

from itertools import pairwise

import numpy as np
import pytest

from hairseg.inference.temporal import MOTION_LEVEL, NOISE_LEVEL, STILL_WEIGHT, AlphaSmoother

SHAPE = (60, 80)  # a cell is a pixel


def grey(level) -> np.ndarray:
    return np.full((*SHAPE, 3), level, np.uint8)


def alpha(value: float) -> np.ndarray:
    return np.full(SHAPE, value, np.float32)


def test_alphas_of_a_still_photo_are_averaged():
    smoother = AlphaSmoother()
    given = [0.0, 1.0, 1.0, 0.0]
    smooth = [smoother.smooth(grey(90), alpha(value))[30, 40] for value in given]
    assert smooth == pytest.approx([0, 0.2, 0.2 + 0.2 * 0.8, 0.36 * 0.8])
    assert STILL_WEIGHT == 0.2


def test_alpha_is_replaced_where_the_photo_changes():
    smoother, moved = AlphaSmoother(), grey(90)
    moved[:, :20] = 90 + MOTION_LEVEL
    smoother.smooth(grey(90), alpha(0))
    smooth = smoother.smooth(moved, alpha(1))
    assert np.allclose(smooth[:, :21], 1)  # and one cell around it
    assert np.allclose(smooth[:, 21:], STILL_WEIGHT)


def test_changes_between_noise_and_motion_are_weighted_linearly():
    smoother = AlphaSmoother()
    smoother.smooth(grey(90), alpha(0))
    changed = grey(90)
    changed[..., 1] += round((NOISE_LEVEL + MOTION_LEVEL) / 2)  # one channel is enough
    assert smoother.smooth(changed, alpha(1)) == pytest.approx(STILL_WEIGHT + (1 - STILL_WEIGHT) / 2)


def test_a_cut_replaces_all_of_alpha():
    smoother = AlphaSmoother()
    for _ in range(3):
        smoother.smooth(grey(200), alpha(1))
    assert smoother.smooth(grey(20), alpha(0.25)) == pytest.approx(0.25)


def test_slow_changes_accumulate():
    smoother, weights, lag = AlphaSmoother(), [], 0.0
    smoother.smooth(grey(60), alpha(0))
    last = 0.0
    for frame in range(1, 5):  # 3 a frame, less than a camera's noise
        lag += 3
        weight = STILL_WEIGHT + (1 - STILL_WEIGHT) * min(1, max(0, (lag - NOISE_LEVEL) / (MOTION_LEVEL - NOISE_LEVEL)))
        lag *= 1 - weight
        last += weight * (1 - last)
        weights.append(weight)
        assert smoother.smooth(grey(60 + 3 * frame), alpha(1)) == pytest.approx(last, abs=1e-5)
    assert weights[0] == STILL_WEIGHT < weights[-1]


def test_frames_of_another_size_start_a_new_stream():
    smoother = AlphaSmoother()
    smoother.smooth(grey(90), alpha(0))
    turned = smoother.smooth(np.full((80, 60, 3), 90, np.uint8), np.full((80, 60), 0.7, np.float32))
    assert turned.shape == (80, 60)
    assert turned == pytest.approx(0.7)


def test_flicker_of_a_still_scene_falls_to_a_quarter():
    rng, smoother = np.random.default_rng(0), AlphaSmoother()
    scene = np.kron(rng.integers(40, 215, (12, 16, 3)), np.ones((30, 30, 1)))  # 480 x 360, blocks of any colour
    raw, smooth = [], []
    for _ in range(12):
        photo = np.clip(scene + rng.normal(0, 6, scene.shape), 0, 255).astype(np.uint8)
        raw.append(rng.random(scene.shape[:2], np.float32))
        smooth.append(smoother.smooth(photo, raw[-1]))
    flicker, left = (np.mean([np.abs(b - a).mean() for a, b in pairwise(x[6:])]) for x in (raw, smooth))
    assert left < flicker / 4
