"""The colour of the light, on drawn photos."""

import numpy as np
import pytest

from hairseg.recolouring.illuminant import TYPICAL_MEAN, estimate_light
from hairseg.recolouring.light import LINEAR_LIGHT_TABLE, LUMINANCE_WEIGHTS
from hairseg.recolouring.recolourer import HairRecolourer


def draw(background):
    """Dark hair in the upper half, above a uniform background."""
    photo, alpha = np.full((80, 60, 3), background, np.uint8), np.zeros((80, 60), np.float32)
    photo[:40], alpha[:40] = (40, 34, 30), 1
    return photo, alpha


def test_warm_light_is_redder_and_cool_light_slightly_bluer():
    red, _, blue = estimate_light(*draw((190, 140, 80)))
    assert red > 1.02 and blue < 0.98
    red, _, blue = estimate_light(*draw((90, 120, 170)))
    assert 0.95 < red < 1 < blue < 1.05


@pytest.mark.parametrize("background", [(255, 120, 0), (0, 60, 255), (120, 120, 120), (0, 0, 0), (255, 255, 255)])
def test_the_luminance_of_grey_is_kept_and_the_colour_bounded(background):
    light = estimate_light(*draw(background))
    assert light @ LUMINANCE_WEIGHTS == pytest.approx(1)
    assert 0.7 < light.min() <= 1 <= light.max() < 1.3


def test_neutral_light_is_ignored():
    red_to_green, blue_to_green = np.exp(TYPICAL_MEAN)
    linear = 0.3 * np.array([red_to_green, 1, blue_to_green])
    background = np.searchsorted(LINEAR_LIGHT_TABLE, linear)
    np.testing.assert_allclose(estimate_light(*draw(background)), 1, atol=0.01)


def test_the_colour_of_the_hair_is_ignored():
    photo, alpha = draw((130, 120, 110))
    expected = estimate_light(photo, alpha)
    photo[:38] = (160, 40, 10)
    np.testing.assert_allclose(estimate_light(photo, alpha), expected, atol=0.01)


def test_platinum_is_yellower_in_warm_light():
    warm, cool = (
        HairRecolourer(*draw(background)).recolour("platinum")[20, 30].astype(int)
        for background in ((190, 140, 80), (90, 120, 170))
    )
    assert warm[0] - warm[2] > cool[0] - cool[2] + 20
