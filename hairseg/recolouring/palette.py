"""Preset colours and colour codes."""

import re

from hairseg.errors import InputError

PRESETS = {
    "black": "#1b1816",
    "dark brown": "#3d2a22",
    "chestnut": "#643d2a",
    "copper": "#a05730",
    "dark blond": "#907154",
    "light blond": "#cfae85",
    "platinum": "#d8c9b1",
    "silver": "#b0b4b9",
    "burgundy": "#6c2534",
    "cherry red": "#a62a36",
    "rose pink": "#e18cb3",
    "violet": "#6b4995",
    "ocean blue": "#1769ab",
    "emerald": "#0d8168",
}


def parse_colour(text: str) -> tuple[int, int, int]:
    """Parse `#rrggbb` or the name of a preset, in any case.

    Returns:
        (red, green, blue), each 0 to 255.

    Raises:
        InputError: `text` is neither; the message lists the presets.

    Example:
        >>> parse_colour("#8E24aa"), parse_colour("Light Blond")
        ((142, 36, 170), (207, 174, 133))
    """
    name = str(text).strip().lower()
    colour = PRESETS.get(name, name)
    if not re.fullmatch("#[0-9a-f]{6}", colour):
        raise InputError(
            f"{text!r:.80} is not a colour.", remedy=f"Use #rrggbb or one of the presets {', '.join(PRESETS)}."
        )
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue
