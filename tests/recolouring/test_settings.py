"""The settings refuse what is out of range and describe themselves to page and command line."""

import pytest

from hairseg.errors import InputError
from hairseg.recolouring.settings import NUMBERS, RecolourSettings, describe


@pytest.mark.parametrize("value", [1.1, "0.5", None, [1], float("nan"), True, "9" * 400])
@pytest.mark.parametrize("name", NUMBERS)
def test_what_is_no_number_in_the_range_is_named(name, value):
    lowest = -1 if name in ("vividness", "lightness") else 0
    with pytest.raises(InputError) as error:
        RecolourSettings(**{name: value})
    assert str(error.value) == f"{name} is {value!r:.80}: expected a number from {lowest} to 1."


@pytest.mark.parametrize("value", ["x", None, ["ombre"]])
def test_an_unknown_second_mode_is_named(value):
    with pytest.raises(InputError, match=r"^second_mode is .*: expected 'ombre' or 'streaks'.$"):
        RecolourSettings(second_mode=value)


def test_an_unknown_second_colour_is_refused():
    with pytest.raises(InputError, match="nougat"):
        RecolourSettings(second_colour="nougat")


def test_settings_describe_themselves():
    strength = describe("strength")
    assert (strength["default"], strength["lowest"], strength["highest"], strength["label"]) == (1, 0, 1, "Strength")
    assert describe("second_mode")["choices"] == ("ombre", "streaks") and describe("second_colour")["default"] is None
