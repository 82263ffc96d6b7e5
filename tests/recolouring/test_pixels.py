"""Some pixels of a picture, picked and put, against NumPy's own indices."""

import numpy as np

from hairseg.recolouring.pixels import pick, put


def test_pixels_are_those_at_their_places_also_of_a_part_of_a_picture():
    rng = np.random.default_rng(0)
    whole = rng.integers(0, 256, (40, 60, 3), np.uint8)
    picture, before = whole[5:30, 7:51], whole.copy()
    places = np.flatnonzero(rng.random(picture.shape[:2]) < 0.3)
    np.testing.assert_array_equal(pick(picture, places), picture.reshape(-1, 3)[places])

    pixels = rng.integers(0, 256, (len(places), 3), np.uint8)
    expected = picture.copy()
    expected.reshape(-1, 3)[places] = pixels
    np.testing.assert_array_equal(put(picture, places, pixels), expected)
    np.testing.assert_array_equal(whole, before)  # what was given stays
