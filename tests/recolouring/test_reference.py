"""The example portrait in every colour, as version 0.2.0 made it: restructuring changes no pixel.

`portrait.npz` holds the portrait's alpha in 8 bits, and every fourth pixel of every fourth row of each result.
"""

from pathlib import Path

import numpy as np
import pytest

from hairseg.images import load_photo
from hairseg.page.studio.studio import EXAMPLES
from hairseg.recolouring.palette import PRESETS
from hairseg.recolouring.recolourer import HairRecolourer
from hairseg.recolouring.settings import RecolourSettings

REFERENCE = dict(np.load(Path(__file__).with_name("portrait.npz")))
ROUNDING = 2  # of 255: processors differ in the last bit of a float, and lightness was not as exact then


@pytest.fixture(scope="module")
def recolourer() -> HairRecolourer:
    return HairRecolourer(load_photo(EXAMPLES / "astronaut.jpg"), REFERENCE["mask"].astype(np.float32) / 255)


def differences(picture: np.ndarray, name: str) -> np.ndarray:
    return np.abs(picture[::4, ::4].astype(int) - REFERENCE[name])


@pytest.mark.parametrize("preset", PRESETS)
def test_presets(recolourer, preset):
    assert differences(recolourer.recolour(preset), preset).max() <= ROUNDING


@pytest.mark.parametrize("mode", ["ombre", "streaks"])
def test_two_colours(recolourer, mode):
    """A strand is walked from pixel to pixel: where rounding sends it to the next one, it may rank otherwise."""
    settings = RecolourSettings(0.8, 0.2, -0.1, 0.2, "violet", mode)
    difference = differences(recolourer.recolour("copper", settings), mode)
    ranked_otherwise = {"ombre": 0, "streaks": 0.005}[mode]
    assert (difference > ROUNDING).mean() <= ranked_otherwise and difference.max() < 20


def test_cutout(recolourer):
    """Its colours come from the alpha that dyes, with the haze near 0 and 1 taken out: a trace other than in 0.2.0."""
    cutout, before = recolourer.cutout()[::4, ::4].astype(int), REFERENCE["cutout"].astype(int)
    np.testing.assert_array_equal(cutout[..., 3], before[..., 3])
    difference = np.abs(cutout - before)[..., :3] * before[..., 3:] / 255  # as seen on any background
    assert difference.max() < 6 and difference.mean() < 0.1
