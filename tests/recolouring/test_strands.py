"""Hair structure of drawn hair whose structure is known."""

import numpy as np
import pytest

from hairseg.recolouring.strands import clamp_edge_lightness, hue_variation, root_to_tip, smooth_lightness, strand_rank


def test_bright_edge_is_clamped_to_the_hair_beside_it():
    """Hair of L* 30 whose mask extends two pixels onto a wall of L* 90."""
    lightness, core = np.full((128, 128), 30, np.float32), np.zeros((128, 128), bool)
    core[:64] = True
    lightness[62:64] = 90
    clamped = clamp_edge_lightness(lightness, core)
    np.testing.assert_array_equal(clamped[:50], 30)
    assert clamped[63].max() < 60
    assert clamped[63].min() >= 30


def test_sheen_inside_the_hair_is_not_clamped():
    lightness = np.full((128, 128), 30, np.float32)
    lightness[60:66, 60:66] = 95  # a sheen
    np.testing.assert_array_equal(
        clamp_edge_lightness(lightness, np.ones((128, 128), bool))[20:-20, 20:-20], lightness[20:-20, 20:-20]
    )


def test_noise_is_smoothed_and_strands_are_kept():
    noise = np.random.default_rng(0).normal(0, 1, (300, 300)).astype(np.float32)
    flat = smooth_lightness(40 + noise, np.ones((300, 300), bool))
    assert flat[20:-20, 20:-20].std() < 0.35  # the noise has 1
    strands = 40 + 20 * np.float32(np.arange(300) // 12 % 2)[None].repeat(300, 0)
    smooth = smooth_lightness(strands + noise, np.ones((300, 300), bool))
    assert smooth[:, 18].mean() == pytest.approx(60, abs=1)
    assert smooth[:, 30].mean() == pytest.approx(40, abs=1)


def halves(left, right, lightness=50.0):
    lab = np.zeros((128, 128, 3), np.float32)
    lab[..., 0], lab[:, :64, 1:], lab[:, 64:, 1:] = lightness, left, right
    return lab


def test_hue_variation_is_the_bounded_deviation_from_the_mean():
    alpha = np.ones((128, 128), np.float32)
    assert np.abs(hue_variation(halves((7, 3), (7, 3)), alpha)).max() < 1e-3
    variation = hue_variation(halves((10, 4), (-2, 0)), alpha)  # the mean is (4, 2)
    np.testing.assert_allclose(variation[64, 30], (6, 2), atol=0.05)
    np.testing.assert_allclose(variation[64, 100], (-6, -2), atol=0.05)
    far = hue_variation(halves((40, 0), (-40, 0)), alpha)
    assert far[64, 30].tolist() == pytest.approx([20, 0], abs=0.1)


def test_hue_that_is_linear_in_lightness_is_no_variation():
    lab = halves((0, 0), (0, 0), lightness=np.linspace(20, 80, 128))
    lab[..., 1] = 0.3 * lab[..., 0]
    assert np.abs(hue_variation(lab, np.ones((128, 128), np.float32))).max() < 0.1


def test_hue_outside_the_hair_is_ignored():
    alpha = np.zeros((128, 128), np.float32)
    alpha[:, :64] = 1
    variation = hue_variation(halves((8, 8), (-60, 60)), alpha)
    np.testing.assert_allclose(variation[64, 30], (0, 0), atol=0.5)


def test_root_to_tip_of_a_block_is_straight_down():
    """Of 100 rows, the 2nd percentile is row 1.98 and the 98th is row 97.02."""
    position = root_to_tip(np.ones((100, 40), np.float32))
    expected = np.clip((np.arange(100) - 1.98) / 95.04, 0, 1)
    np.testing.assert_allclose(position, expected[:, None].repeat(40, 1), atol=0.01)


def test_root_to_tip_follows_the_axis_of_slanted_hair():
    """On a plait from the upper left to the lower right, points across it have about the same position."""
    y, x = np.mgrid[:200, :200]
    plait = (np.abs(y - x) < 15).astype(np.float32)
    position = root_to_tip(plait)
    assert position[20, 20] < 0.15
    assert position[180, 180] > 0.85
    assert position[108, 92] - position[92, 108] < 0.6 * 16 / 200  # 16 / 200 or more if straight down


def test_strand_rank_is_uniform_and_follows_the_strands():
    columns = np.arange(160)
    lightness = (50 + 20 * np.sin(columns / 3))[None].repeat(160, 0).astype(np.float32)  # strands run down
    rank = strand_rank(lightness)
    np.testing.assert_allclose(np.percentile(rank, [0, 25, 50, 75, 100]), [0, 0.25, 0.5, 0.75, 1], atol=1e-3)
    np.testing.assert_array_equal(rank, strand_rank(lightness))
    inner = rank[40:-40, 40:-40]
    assert np.abs(np.diff(inner, axis=0)).mean() < 0.65 * np.abs(np.diff(inner, axis=1)).mean()
    horizontal = strand_rank(np.ascontiguousarray(lightness.T))[40:-40, 40:-40]
    assert np.abs(np.diff(horizontal, axis=1)).mean() < 0.65 * np.abs(np.diff(horizontal, axis=0)).mean()
