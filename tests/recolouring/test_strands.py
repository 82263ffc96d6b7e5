"""What is read from the hair, on drawn hair whose answer is known."""

import numpy as np
import pytest

from hairseg.recolouring.strands import clamp_edge_lightness, hue_variation, root_to_tip, smooth_lightness, streaks


def test_an_edge_that_is_no_hair_is_drawn_to_the_hair_beside_it():
    """Hair of L* 30 whose mask reaches two pixels onto a wall of 90."""
    lightness, core = np.full((128, 128), 30, np.float32), np.zeros((128, 128), bool)
    core[:64] = True
    lightness[62:64] = 90
    bounded = clamp_edge_lightness(lightness, core)
    np.testing.assert_array_equal(bounded[:50], 30)  # further in it stays as it is, bit for bit
    assert bounded[63].max() < 60 and bounded[63].min() >= 30


def test_hair_further_in_keeps_whatever_it_shows():
    lightness = np.full((128, 128), 30, np.float32)
    lightness[60:66, 60:66] = 95  # a sheen
    np.testing.assert_array_equal(
        clamp_edge_lightness(lightness, np.ones((128, 128), bool))[20:-20, 20:-20], lightness[20:-20, 20:-20]
    )


def test_noise_is_smoothed_and_strands_stay():
    noise = np.random.default_rng(0).normal(0, 1, (300, 300)).astype(np.float32)
    flat = smooth_lightness(40 + noise, np.ones((300, 300), bool))
    assert flat[20:-20, 20:-20].std() < 0.35  # of 1
    strands = 40 + 20 * np.float32(np.arange(300) // 12 % 2)[None].repeat(300, 0)
    smooth = smooth_lightness(strands + noise, np.ones((300, 300), bool))
    assert smooth[:, 18].mean() == pytest.approx(60, abs=1) and smooth[:, 30].mean() == pytest.approx(40, abs=1)


def halves(left, right, lightness=50.0):
    lab = np.zeros((128, 128, 3), np.float32)
    lab[..., 0], lab[:, :64, 1:], lab[:, 64:, 1:] = lightness, left, right
    return lab


def test_hue_variation_is_what_strays_from_the_mean_and_bounded():
    alpha = np.ones((128, 128), np.float32)
    assert np.abs(hue_variation(halves((7, 3), (7, 3)), alpha)).max() < 1e-3
    found = hue_variation(halves((10, 4), (-2, 0)), alpha)  # the mean is (4, 2)
    np.testing.assert_allclose(found[64, 30], (6, 2), atol=0.05)
    np.testing.assert_allclose(found[64, 100], (-6, -2), atol=0.05)
    far = hue_variation(halves((40, 0), (-40, 0)), alpha)
    assert far[64, 30].tolist() == pytest.approx([20, 0], abs=0.1)


def test_hue_that_goes_with_lightness_is_no_variation():
    lab = halves((0, 0), (0, 0), lightness=np.linspace(20, 80, 128))
    lab[..., 1] = 0.3 * lab[..., 0]
    assert np.abs(hue_variation(lab, np.ones((128, 128), np.float32))).max() < 0.1


def test_hue_outside_the_hair_does_not_count():
    alpha = np.zeros((128, 128), np.float32)
    alpha[:, :64] = 1
    found = hue_variation(halves((8, 8), (-60, 60)), alpha)
    np.testing.assert_allclose(found[64, 30], (0, 0), atol=0.5)


def test_a_block_of_hair_hangs_straight_down():
    """100 rows: 0 at the 2nd percentile, row 1.98, 1 at the 98th, row 97.02."""
    along = root_to_tip(np.ones((100, 40), np.float32))
    expected = np.clip((np.arange(100) - 1.98) / 95.04, 0, 1)
    np.testing.assert_allclose(along, expected[:, None].repeat(40, 1), atol=0.01)


def test_slanted_hair_is_followed_along_its_axis():
    """A plait from the upper left to the lower right: along is the same for points across it."""
    y, x = np.mgrid[:200, :200]
    plait = (np.abs(y - x) < 15).astype(np.float32)
    along = root_to_tip(plait)
    assert along[20, 20] < 0.15 and along[180, 180] > 0.85
    assert along[108, 92] - along[92, 108] < 0.6 * 16 / 200  # straight down it would be 16 / 200 and more


def test_streaks_are_a_rank_and_follow_the_strands():
    columns = np.arange(160)
    lightness = (50 + 20 * np.sin(columns / 3))[None].repeat(160, 0).astype(np.float32)  # strands run down
    rank = streaks(lightness)
    np.testing.assert_allclose(np.percentile(rank, [0, 25, 50, 75, 100]), [0, 0.25, 0.5, 0.75, 1], atol=1e-3)
    np.testing.assert_array_equal(rank, streaks(lightness))
    inner = rank[40:-40, 40:-40]
    assert np.abs(np.diff(inner, axis=0)).mean() < 0.65 * np.abs(np.diff(inner, axis=1)).mean()
    lying = streaks(np.ascontiguousarray(lightness.T))[40:-40, 40:-40]
    assert np.abs(np.diff(lying, axis=1)).mean() < 0.65 * np.abs(np.diff(lying, axis=0)).mean()
