"""Dye tables against hand-worked numbers and published formulas."""

import numpy as np
import pytest
from recolouring.lab import lab, linear_to_lab

from hairseg.recolouring.dye import (
    LEVELS,
    MAX_GRAIN_GAIN,
    MAX_SLOPE,
    TYPICAL_LIGHTNESS,
    lightness_index,
    pigment_ramp,
    tone_curve,
)
from hairseg.recolouring.palette import PRESETS, parse_colour

GRID = np.linspace(0, 100, LEVELS)


def at(lightness, table):
    """Look up a table at L*."""
    return np.interp(lightness, GRID, table)


def test_lightness_index_is_clipped_to_the_table():
    assert lightness_index(np.array([-3, 0, 25, 100, 140.0])).tolist() == [
        0,
        0,
        1024,
        4095,
        4095,
    ]  # 25 of 100 is 1023.75 of 4095
    assert lightness_index(np.zeros((2, 3))).dtype == np.uint16


@pytest.mark.parametrize("row", TYPICAL_LIGHTNESS[2:8], ids=lambda row: f"median {row[2]}")
def test_tone_curve_is_the_identity_at_the_target_lightness(row):
    curve, gain = tone_curve(row[:5], row[2])
    np.testing.assert_allclose(at(row[:5], curve), row[:5], atol=0.1)
    assert at(row[2], gain) == pytest.approx(1, abs=0.1)


def test_typical_dark_hair_gets_the_lightness_of_typical_blond_hair():
    dark, blond = TYPICAL_LIGHTNESS[2], TYPICAL_LIGHTNESS[6]
    curve, _ = tone_curve(dark[:5], blond[2])
    assert at(dark[2], curve) == pytest.approx(54.1, abs=0.1)
    np.testing.assert_allclose(at(dark[2:5], curve), [54.1, 67.0, 80.5], atol=0.2)


def test_low_contrast_is_partly_kept():
    """Hair with half the contrast of typical hair around L* 45 keeps 0.5 ** 0.6 = 0.66 of it around 60."""
    typical = TYPICAL_LIGHTNESS[5, :5]
    flat = typical[2] + (typical - typical[2]) / 2
    curve, _ = tone_curve(flat, 65.0)
    target = TYPICAL_LIGHTNESS[7, :5]
    np.testing.assert_allclose(at(flat, curve), 65 + 0.6598 * (target - 65), atol=0.2)


@pytest.mark.parametrize("target", [5, 20, 50, 80])
@pytest.mark.parametrize("own", [[1, 2, 3, 4, 5], [0, 0, 0, 0, 0], [2, 30, 60, 80, 99], [97, 98, 98, 99, 100]])
def test_tone_curve_is_monotone_with_bounded_slope(own, target):
    curve, gain = tone_curve(np.array(own, float), target)
    slope = np.diff(curve) / np.diff(GRID)
    assert slope.min() > -1e-3
    assert slope.max() < 1.5 * MAX_SLOPE
    assert at(own[2], curve) == pytest.approx(target, abs=0.5) or own[2] < 7.5  # unlit hair stays dark
    assert gain.min() >= 0
    assert gain.max() <= MAX_GRAIN_GAIN


@pytest.mark.parametrize("name", PRESETS)
def test_mid_tones_have_the_given_colour(name):
    ramp, lightness = pigment_ramp(parse_colour(name), 0)
    expected = lab(parse_colour(name))
    assert lightness == pytest.approx(expected[0], abs=2)  # black and white points prevent clipping
    np.testing.assert_allclose([at(lightness, ramp[0]), at(lightness, ramp[1])], expected[1:], atol=5)


def test_shade_follows_beer_lambert():
    """One stop down: linear light to the power of 1.2, halved, between black point 0.002 and white point 0.9712."""
    pigment = np.array([0.04, 0.1, 0.36])
    encoded = 255 * (1.055 * pigment ** (1 / 2.4) - 0.055)
    ramp, _ = pigment_ramp(tuple(encoded), 0)
    shade = linear_to_lab(0.002 + 0.9692 * pigment**1.2 / 2)
    np.testing.assert_allclose([at(shade[0], ramp[0]), at(shade[0], ramp[1])], shade[1:], atol=0.5)
    light = linear_to_lab(0.002 + 0.9692 * pigment**0.5)
    np.testing.assert_allclose([at(light[0], ramp[0]), at(light[0], ramp[1])], light[1:], atol=0.5)


def test_light_blond_has_the_hues_of_natural_blond_hair():
    """Hue in degrees and chroma: medians over 48 photos of blond hair in the training split of Figaro1k."""
    natural = {25: (61, 17), 35: (65, 20), 45: (67, 23), 55: (71, 23), 65: (76, 21), 75: (79, 18), 85: (82, 15)}
    ramp, _ = pigment_ramp(parse_colour("light blond"), 0)
    for lightness, (hue, chroma) in natural.items():
        a, b = at(lightness, ramp[0]), at(lightness, ramp[1])
        assert np.degrees(np.arctan2(b, a)) == pytest.approx(hue, abs=4)
        assert np.hypot(a, b) == pytest.approx(chroma, abs=6)


def test_grey_pigment_has_no_chroma_and_vividness_scales_chroma():
    ramp, _ = pigment_ramp((128, 128, 128), 1)
    assert np.abs(ramp[:2]).max() < 0.1
    chroma = [np.hypot(*(at(50, ramp) for ramp in pigment_ramp((160, 87, 48), value)[0][:2])) for value in (-1, 0, 1)]
    assert chroma[0] < 0.8 * chroma[1]
    assert chroma[2] > 1.15 * chroma[1]


def test_hue_headroom_vanishes_at_black_and_white():
    headroom = pigment_ramp((160, 87, 48), 0)[0][2]
    assert headroom[0] == headroom[-1] == 0
    assert headroom.min() >= 0
    assert headroom.max() <= 1
    assert at(45, headroom) > 0.3
