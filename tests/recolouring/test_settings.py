"""Validation and description of the settings."""

import numpy as np
import pytest

from hairseg.errors import InputError
from hairseg.recolouring.collages import contact_sheet
from hairseg.recolouring.recolourer import recolour
from hairseg.recolouring.settings import NUMERIC_SETTINGS, SECOND_MODES, RecolourSettings, describe


@pytest.mark.parametrize("value", [1.1, "0.5", None, [1], float("nan"), True, "9" * 400])
@pytest.mark.parametrize("name", NUMERIC_SETTINGS)
def test_value_out_of_range_is_refused_by_name(name, value):
    lowest = -1 if name in ("vividness", "lightness") else 0
    with pytest.raises(InputError) as error:
        RecolourSettings(**{name: value})
    assert str(error.value) == f"{name} is {value!r:.80}. Choose a number from {lowest} to 1."


@pytest.mark.parametrize("value", ["x", None, ["ombre"]])
def test_unknown_second_mode_is_refused(value):
    with pytest.raises(InputError, match=r"^second_mode is .*\. Choose 'ombre' or 'streaks'\.$"):
        RecolourSettings(second_mode=value)


def test_unknown_second_colour_is_refused():
    with pytest.raises(InputError, match="nougat"):
        RecolourSettings(second_colour="nougat")


@pytest.mark.parametrize("settings", [{"strength": 0.5}, None, 0.5])
@pytest.mark.parametrize("call", [recolour, contact_sheet])
def test_settings_of_another_type_are_refused(call, settings):
    arguments = np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.float32)
    with pytest.raises(
        InputError, match=r"^The settings are a \w+\. Pass hairseg\.RecolourSettings\(strength=0\.8\)\.$"
    ):
        call(*arguments, *(["copper"] if call is recolour else []), settings)


def test_describe_returns_default_range_label_and_choices():
    strength = describe("strength")
    assert (strength["default"], strength["lowest"], strength["highest"], strength["label"]) == (1, 0, 1, "Strength")
    assert describe("second_mode")["choices"] == tuple(SECOND_MODES) == ("ombre", "streaks")
    assert describe("second_colour")["default"] is None
