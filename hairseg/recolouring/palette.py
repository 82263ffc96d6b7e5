"""Colours by name and by code."""

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
    """`"#rrggbb"` or the name of a preset, in any case -> (red, green, blue), each 0 to 255.

    Raises:
        InputError: anything else; the message names the value and the presets.
    """
    name = str(text).strip().lower()
    colour = PRESETS.get(name, name)
    if not re.fullmatch("#[0-9a-f]{6}", colour):
        raise InputError(f"{text!r} is not a colour: expected #rrggbb or one of the presets {', '.join(PRESETS)}.")
    return tuple(bytes.fromhex(colour[1:]))
