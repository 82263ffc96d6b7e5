"""Groups of photos with scores and training weights of their own."""

import numpy as np

from hairseg.data.datasets import Pair

FIGARO1K_TYPES = ("straight", "wavy", "curly", "kinky", "braids", "dreadlocks", "short")

FIGARO1K_FRAMES_PER_TYPE = 150

SCORED_PREFIXES = {"hat": "hats", "bare": "hairless"}  # "hat-12" is scored in the group "hats".

# Upper bounds of the hair's longer side, as a fraction of the photo's.
FRAMINGS = {"whole person": 0.25, "upper body": 0.5, "head": np.inf}


def hair_type(dataset: str, image_id: str) -> str | None:
    """Return the hair type of a Figaro1k frame, which follows from its number; None for anything else."""
    number = image_id.removeprefix("Frame")
    if dataset != "figaro1k" or not number.isdecimal():
        return None
    index = (int(number) - 1) // FIGARO1K_FRAMES_PER_TYPE
    return FIGARO1K_TYPES[index] if 0 <= index < len(FIGARO1K_TYPES) else None


def id_group(image_id: str) -> str | None:
    """Return the group that an id names.

    Example:
        >>> id_group("hat-12"), id_group("27636/head"), id_group("27636")
        ('hat', 'head', None)
    """
    if "/" in image_id:
        return image_id.rpartition("/")[2]
    return image_id.partition("-")[0] if "-" in image_id else None


def scoring_groups(dataset: str, pair: Pair, mask: np.ndarray) -> list[str]:
    """Return the groups that a photo is scored in: hair type, group named by its id, and framing.

    Args:
        dataset: name that `find_pairs` returned.
        pair: the photo.
        mask: its mask (height, width), bool or of {0, 1, IGNORE}.
    """
    named = SCORED_PREFIXES.get(id_group(pair.id) or "")
    groups = [group for group in (hair_type(dataset, pair.id), named) if group]
    rows, columns = np.nonzero(mask == 1)
    if not len(rows):
        return groups if named == "hairless" else [*groups, "hairless"]
    fraction = (1 + max(np.ptp(rows), np.ptp(columns))) / max(mask.shape)
    return [*groups, next(framing for framing, limit in FRAMINGS.items() if fraction < limit)]
