"""Groups of photos with scores and training weights of their own."""

import numpy as np

from hairseg.data.datasets import Pair

# In the order of Figaro1k's frames.
HAIR_TYPES = ("straight", "wavy", "curly", "kinky", "braids", "dreadlocks", "short")

FIGARO1K_FRAMES_PER_TYPE = 150

HAIR_TYPE_PREFIX = "hairtype-"  # "hairtype-kinky-7" is of the hair type "kinky"

# "hat-12" is scored in the group "hats". `repository.photo_types` has the display names.
SCORED_PREFIXES = {
    "hat": "hats",
    "bare": "hairless",
    "snapshot": "snapshots",
    "group": "groups",
    "old": "older people",
    "child": "children",
    "back": "from behind",
}

DATASET_GROUPS = {"lfw-parts": "snapshots"}  # data sets whose photos are all of one group

# Upper bounds of the hair's longer side, as a fraction of the photo's.
FRAMINGS = {"whole person": 0.25, "upper body": 0.5, "head": np.inf}


def hair_type(dataset: str, image_id: str) -> str | None:
    """Return the hair type of a photo, given by the number of a Figaro1k frame or the prefix of an id; None if unknown.

    Example:
        >>> hair_type("figaro1k", "Frame00151"), hair_type("street", "hairtype-kinky-7"), hair_type("street", "7")
        ('wavy', 'kinky', None)
    """
    if image_id.startswith(HAIR_TYPE_PREFIX):
        named = image_id.removeprefix(HAIR_TYPE_PREFIX).partition("-")[0]
        return named if named in HAIR_TYPES else None
    number = image_id.removeprefix("Frame")
    if dataset != "figaro1k" or not number.isdecimal():
        return None
    index = (int(number) - 1) // FIGARO1K_FRAMES_PER_TYPE
    return HAIR_TYPES[index] if 0 <= index < len(HAIR_TYPES) else None


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
    """Return the groups that a photo is scored in.

    These are its hair type, the group of its id or data set, and "hairless" if the mask is empty. A photo with hair
    whose id and data set have no group is in that of its framing.

    Args:
        dataset: name that `find_pairs` returned.
        pair: the photo.
        mask: its mask (height, width), bool or of {0, 1, IGNORE}.
    """
    named = SCORED_PREFIXES.get(id_group(pair.id) or "", DATASET_GROUPS.get(dataset))
    groups = [group for group in (hair_type(dataset, pair.id), named) if group]
    rows, columns = np.nonzero(mask == 1)
    if not len(rows):
        return groups if named == "hairless" else [*groups, "hairless"]
    if named:
        return groups
    fraction = (1 + max(np.ptp(rows), np.ptp(columns))) / max(mask.shape)
    return [*groups, next(framing for framing, limit in FRAMINGS.items() if fraction < limit)]
