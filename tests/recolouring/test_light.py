"""Lightness against the published formula."""

import numpy as np
from recolouring.lab import lab

from hairseg.recolouring.light import rgb_to_lightness


def test_lightness_of_greys_and_random_colours_is_that_of_cielab():
    greys = np.arange(256, dtype=np.uint8)[:, None].repeat(3, axis=1)
    colours = np.random.default_rng(0).integers(0, 256, (5000, 3), np.uint8)
    for picture in (greys[None], colours.reshape(50, 100, 3)):
        np.testing.assert_allclose(rgb_to_lightness(picture), lab(picture)[..., 0], atol=2e-3)
