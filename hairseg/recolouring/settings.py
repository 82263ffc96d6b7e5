"""What can be chosen about a colour: the one owner of defaults, ranges, names and help texts."""

from dataclasses import dataclass, field, fields
from numbers import Real

from hairseg.errors import InputError
from hairseg.recolouring.palette import parse_colour

SECOND_MODES = ("ombre", "streaks")


def _number(default: float, lowest: float, step: float, label: str, help: str):
    """A setting between `lowest` and 1; the page offers it in steps."""
    return field(
        default=default, metadata={"lowest": lowest, "highest": 1.0, "step": step, "label": label, "help": help}
    )


@dataclass(frozen=True)
class RecolourSettings:
    """How a colour is put on. The metadata of every field describes it to people; `describe` gives it.

    Raises:
        InputError: a value is out of its range; the message names it.

    Example:
        >>> RecolourSettings(strength=0.8, second_colour="violet")  # doctest: +ELLIPSIS
        RecolourSettings(strength=0.8, vividness=0.0, ..., second_colour='violet', second_mode='ombre')
        >>> RecolourSettings(strength=2)
        Traceback (most recent call last):
        hairseg.errors.InputError: strength is 2: expected a number from 0 to 1.
    """

    strength: float = _number(1.0, 0.0, 0.05, "Strength", "0 leaves the photo as it is, 1 is fully dyed")
    vividness: float = _number(0.0, -1.0, 0.1, "Natural to vivid", "-1 is muted, 0 the colour as given, 1 vivid")
    lightness: float = _number(0.0, -1.0, 0.1, "Darker to lighter", "-1 is darker, 0 the colour as given, 1 lighter")
    natural_roots: float = _number(
        0.0, 0.0, 0.05, "Roots kept natural", "share of the hair's length along which its own colour fades out"
    )
    second_colour: str | None = field(
        default=None,
        metadata={"label": "Second colour", "help": "#rrggbb or a preset's name, for tips or streaks"},
    )
    second_mode: str = field(
        default="ombre",
        metadata={
            "label": "A second colour",
            "choices": SECOND_MODES,
            "help": "where it goes: ombre is the tips, streaks is single strands",
        },
    )

    def __post_init__(self):
        for name in NUMBERS:
            value, about = getattr(self, name), describe(name)
            if (
                not isinstance(value, Real)
                or isinstance(value, bool)
                or not about["lowest"] <= value <= about["highest"]
            ):
                raise InputError(
                    f"{name} is {value!r:.80}", f"a number from {about['lowest']:g} to {about['highest']:g}"
                )
        if self.second_mode not in SECOND_MODES:
            raise InputError(f"second_mode is {self.second_mode!r:.80}", " or ".join(map(repr, SECOND_MODES)))
        if self.second_colour is not None:
            parse_colour(self.second_colour)


def describe(name: str) -> dict:
    """What `RecolourSettings` says of a setting: its default, label and help, its range and step or its choices."""
    (about,) = (setting for setting in fields(RecolourSettings) if setting.name == name)
    return {"default": about.default, **about.metadata}


NUMBERS = tuple(setting.name for setting in fields(RecolourSettings) if "lowest" in setting.metadata)
"""The settings that are numbers, in their order."""

PLAIN = RecolourSettings()
"""One colour, fully dyed."""
