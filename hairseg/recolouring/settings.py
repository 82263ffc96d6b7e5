"""Recolouring settings with their defaults, ranges, labels and help texts."""

from dataclasses import dataclass, field, fields
from numbers import Real
from typing import Any

from hairseg.errors import InputError
from hairseg.recolouring.palette import parse_colour

SECOND_MODES = {"ombre": "Ombré", "streaks": "Highlights"}
"""Values of `second_mode` and their labels."""


def _number(default: float, lowest: float, step: float, label: str, help: str) -> Any:
    """Declare a number from `lowest` to 1."""
    return field(
        default=default, metadata={"lowest": lowest, "highest": 1.0, "step": step, "label": label, "help": help}
    )


@dataclass(frozen=True)
class RecolourSettings:
    """Strength and appearance of a dye, and an optional second colour.

    `describe` returns each setting's range and help text.

    Raises:
        InputError: a value is out of range; the message names the setting.

    Example:
        >>> RecolourSettings(strength=0.8, second_colour="violet")  # doctest: +ELLIPSIS
        RecolourSettings(strength=0.8, vividness=0.0, ..., second_mode='ombre', ombre_start=0.25)
        >>> RecolourSettings(strength=2)
        Traceback (most recent call last):
        hairseg.errors.InputError: strength is 2. Choose a number from 0 to 1.
    """

    strength: float = _number(1.0, 0.0, 0.05, "Strength", "0 keeps the photo, 1 dyes fully")
    vividness: float = _number(0.0, -1.0, 0.1, "Vividness", "-1 is muted, 0 the colour as given, 1 vivid")
    lightness: float = _number(0.0, -1.0, 0.1, "Brightness", "-1 is darker, 0 the colour as given, 1 brighter")
    natural_roots: float = _number(
        0.0, 0.0, 0.05, "Natural roots", "fraction of the hair's length over which the natural colour fades out"
    )
    second_colour: str | None = field(
        default=None,
        metadata={
            "label": "Colour of tips or highlights",
            "help": "#rrggbb or a preset, for the tips or for highlights",
        },
    )
    second_mode: str = field(
        default="ombre",
        metadata={
            "label": "Second colour",
            "choices": tuple(SECOND_MODES),
            "help": "ombre puts the second colour on the tips, streaks on single strands",
        },
    )
    ombre_start: float = _number(
        0.25, 0.0, 0.05, "Ombré begins at", "fraction of the hair's length, from the roots, at which ombre begins"
    )

    def __post_init__(self) -> None:
        for name in NUMERIC_SETTINGS:
            value, info = getattr(self, name), describe(name)
            is_number = not isinstance(value, bool) and isinstance(value, Real)
            if not is_number or not info["lowest"] <= value <= info["highest"]:
                raise InputError(
                    f"{name} is {value!r:.80}.",
                    remedy=f"Choose a number from {info['lowest']:g} to {info['highest']:g}.",
                )
        if self.second_mode not in tuple(SECOND_MODES):  # a tuple also compares unhashable values
            raise InputError(
                f"second_mode is {self.second_mode!r:.80}.", remedy=f"Choose {' or '.join(map(repr, SECOND_MODES))}."
            )
        if self.second_colour is not None:
            parse_colour(self.second_colour)


def describe(name: str) -> dict[str, Any]:
    """Return the default and the metadata of a setting.

    Returns:
        "default", "label" and "help"; for numbers also "lowest", "highest" and "step"; for `second_mode` "choices".
    """
    (setting,) = (setting for setting in fields(RecolourSettings) if setting.name == name)
    return {"default": setting.default, **setting.metadata}


NUMERIC_SETTINGS = tuple(setting.name for setting in fields(RecolourSettings) if "lowest" in setting.metadata)
"""Names of the settings that are numbers, in order."""

DEFAULT_SETTINGS = RecolourSettings()
"""One colour at full strength."""
