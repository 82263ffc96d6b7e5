"""The tables of dyeing, against hand-worked numbers and the formulas they are said to follow."""

import numpy as np
import pytest
from recolouring.lab import lab, lab_of_light

from hairseg.recolouring.dye import LEVELS, STEEPEST, STEEPEST_GRAIN, TYPICAL_LIGHTNESS, level, pigment_ramp, tone_curve
from hairseg.recolouring.palette import PRESETS, parse_colour

GRID = np.linspace(0, 100, LEVELS)


def at(lightness, table):
    return np.interp(lightness, GRID, table)


def test_lightness_becomes_an_index_clipped_to_the_table():
    assert level(np.array([-3, 0, 25, 100, 140.0])).tolist() == [0, 0, 1024, 4095, 4095]  # 25 of 100 is 1023.75 of 4095
    assert level(np.zeros((2, 3))).dtype == np.uint16


@pytest.mark.parametrize("row", TYPICAL_LIGHTNESS[2:8], ids=lambda row: f"median {row[2]}")
def test_hair_that_has_the_wanted_lightness_already_keeps_it(row):
    curve, gain = tone_curve(row[:5], row[2])
    np.testing.assert_allclose(at(row[:5], curve), row[:5], atol=0.1)
    assert at(row[2], gain) == pytest.approx(1, abs=0.1)


def test_typical_dark_hair_takes_the_lightness_of_typical_blond_hair():
    dark, blond = TYPICAL_LIGHTNESS[2], TYPICAL_LIGHTNESS[6]
    curve, _ = tone_curve(dark[:5], blond[2])
    assert at(dark[2], curve) == pytest.approx(54.1, abs=0.1)
    np.testing.assert_allclose(at(dark[2:5], curve), [54.1, 67.0, 80.5], atol=0.2)


def test_half_of_an_unusual_contrast_is_kept_by_its_power():
    """Hair with half the contrast of typical hair around L* 45 keeps 0.5 ** 0.6 = 0.66 of it around 60."""
    typical = TYPICAL_LIGHTNESS[5, :5]
    flat = typical[2] + (typical - typical[2]) / 2
    curve, _ = tone_curve(flat, 65.0)
    goal = TYPICAL_LIGHTNESS[7, :5]
    np.testing.assert_allclose(at(flat, curve), 65 + 0.6598 * (goal - 65), atol=0.2)


@pytest.mark.parametrize("goal", [5, 20, 50, 80])
@pytest.mark.parametrize("own", [[1, 2, 3, 4, 5], [0, 0, 0, 0, 0], [2, 30, 60, 80, 99], [97, 98, 98, 99, 100]])
def test_the_curve_rises_and_is_nowhere_steeper_than_its_bound(own, goal):
    curve, gain = tone_curve(np.array(own, float), goal)
    slope = np.diff(curve) / np.diff(GRID)
    assert slope.min() > -1e-3 and slope.max() < 1.5 * STEEPEST  # a cubic overshoots the secants that are bounded
    assert at(own[2], curve) == pytest.approx(goal, abs=0.5) or own[2] < 7.5  # where no light fell none is made up
    assert 0 <= gain.min() and gain.max() <= STEEPEST_GRAIN


@pytest.mark.parametrize("name", PRESETS)
def test_mid_tones_have_the_colour_itself(name):
    ramp, lightness = pigment_ramp(parse_colour(name), 0)
    wanted = lab(parse_colour(name))
    assert lightness == pytest.approx(wanted[0], abs=2)  # a little flare is added, so that nothing clips
    np.testing.assert_allclose([at(lightness, ramp[0]), at(lightness, ramp[1])], wanted[1:], atol=5)


def test_shade_is_the_same_pigment_thicker():
    """Beer and Lambert: one stop down, linear light to the power of 1.2, halved; with flare 0.002 and white 0.9712."""
    pigment = np.array([0.36, 0.1, 0.04])
    encoded = 255 * (1.055 * pigment ** (1 / 2.4) - 0.055)
    ramp, _ = pigment_ramp(tuple(encoded), 0)
    shade = lab_of_light(0.002 + 0.9692 * pigment**1.2 / 2)
    np.testing.assert_allclose([at(shade[0], ramp[0]), at(shade[0], ramp[1])], shade[1:], atol=0.5)
    light = lab_of_light(0.002 + 0.9692 * pigment**0.5)
    np.testing.assert_allclose([at(light[0], ramp[0]), at(light[0], ramp[1])], light[1:], atol=0.5)


def test_a_grey_pigment_has_no_hue_and_vividness_is_distance_from_grey():
    ramp, _ = pigment_ramp((128, 128, 128), 1)
    assert np.abs(ramp[:2]).max() < 0.1
    chroma = [np.hypot(*(at(50, ramp) for ramp in pigment_ramp((160, 87, 48), value)[0][:2])) for value in (-1, 0, 1)]
    assert chroma[0] < 0.8 * chroma[1] and chroma[2] > 1.15 * chroma[1]


def test_the_gamut_leaves_no_room_for_other_hues_at_its_ends():
    room = pigment_ramp((160, 87, 48), 0)[0][2]
    assert room[0] == room[-1] == 0 and 0 <= room.min() and room.max() <= 1 and at(45, room) > 0.3
