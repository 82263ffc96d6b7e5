"""Kinds of photos that are scored, and weighed in training, by themselves."""

import numpy as np

from hairseg.data.datasets import Pair

FIGARO1K_TYPES = ("straight", "wavy", "curly", "kinky", "braids", "dreadlocks", "short")

FIGARO1K_FRAMES_PER_TYPE = 150

NAMED = {"hat": "hats", "bare": "hairless"}  # groups that photos belong to by the start of their names, hat-12

# Framing, by the longer side of the hair in longer sides of the photo: a whole person's is below the first limit.
FRAMING = {"whole person": 0.25, "upper body": 0.5, "head": np.inf}


def hair_type(dataset: str, image_id: str) -> str | None:
    """Type of hair of a Figaro1k frame, which its number tells; None for other frames and data sets."""
    number = image_id.removeprefix("Frame")
    if dataset != "figaro1k" or not number.isdecimal():
        return None
    kind = (int(number) - 1) // FIGARO1K_FRAMES_PER_TYPE
    return FIGARO1K_TYPES[kind] if 0 <= kind < len(FIGARO1K_TYPES) else None


def name_group(pair: Pair) -> str | None:
    """What a photo's name says before its first hyphen, "hat" of hat-12; of a crop, the kind of crop; else None."""
    if "/" in pair.id:
        return pair.id.rpartition("/")[2]
    return pair.id.partition("-")[0] if "-" in pair.id else None


def groups_of(dataset: str, pair: Pair, mask: np.ndarray) -> list[str]:
    """What a photo is scored under: its type of hair, what its name says it shows, and how near the person is.

    Args:
        dataset: the name that `find_pairs` gave it.
        mask: (height, width), bool or of {0, 1, IGNORE}.
    """
    named = NAMED.get(name_group(pair) or "")
    groups = [group for group in (hair_type(dataset, pair.id), named) if group]
    rows, columns = np.nonzero(mask == 1)
    if not len(rows):
        return groups if named == "hairless" else [*groups, "hairless"]
    share = (1 + max(np.ptp(rows), np.ptp(columns))) / max(mask.shape)
    return [*groups, next(framing for framing, limit in FRAMING.items() if share < limit)]
