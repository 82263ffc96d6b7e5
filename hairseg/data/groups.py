"""Kinds of photos that are scored, and weighed in training, by themselves."""

from hairseg.data.datasets import Pair

FIGARO1K_TYPES = ("straight", "wavy", "curly", "kinky", "braids", "dreadlocks", "short")

FIGARO1K_FRAMES_PER_TYPE = 150


def hair_type(dataset: str, image_id: str) -> str | None:
    """Type of hair of a Figaro1k frame, which its number tells; None for other frames and data sets."""
    number = image_id.removeprefix("Frame")
    if dataset != "figaro1k" or not number.isdecimal():
        return None
    kind = (int(number) - 1) // FIGARO1K_FRAMES_PER_TYPE
    return FIGARO1K_TYPES[kind] if 0 <= kind < len(FIGARO1K_TYPES) else None


def name_group(pair: Pair) -> str | None:
    """What the name of a photo says before its first hyphen, "hat" of hat-12; of a crop, the kind of crop; else None."""
    if "/" in pair.id:
        return pair.id.rpartition("/")[2]
    return pair.id.partition("-")[0] if "-" in pair.id else None
