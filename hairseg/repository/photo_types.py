"""Display names of the types of photos in metrics.json."""

# By group; `hairseg.data.groups` assigns photos to groups.
GROUP_NAMES = {
    "head": "Portraits",
    "upper body": "Upper bodies",
    "whole person": "Whole persons",
    "snapshots": "Everyday snapshots",
    "groups": "Groups of people",
    "older people": "Older people",
    "children": "Children",
    "from behind": "People from behind",
    "hats": "Hats and headwear",
    "hairless": "Hairless people",
    "straight": "Straight hair",
    "wavy": "Wavy hair",
    "curly": "Curly hair",
    "kinky": "Coily and Afro hair",
    "braids": "Braids",
    "dreadlocks": "Dreadlocks",
    "short": "Short hair",
}

WHOLE_PERSONS = GROUP_NAMES["whole person"]

# By side of a photo that is pasted into a larger scene, relative to that scene. 1/1 has no small heads.
FRAMING_NAMES = {
    "1/2": "Small heads: half of the picture",
    "1/3": "Small heads: a third of the picture",
    "1/5": "Small heads: a fifth of the picture",
}

NOBODY = "Nobody in the picture"

# By folder of photos without people.
SCENE_NAMES = {
    "scenes": "outdoor scenes",
    "animals": "animals",
    "clothes": "clothes and hats",
    "flowers": "flowers",
    "coco": "rooms, food and toys",
}

LABELLED_BY_AGREEMENT = frozenset({"everyday", "hair-types"})
"""Data sets whose masks are what three networks agree on, one of them of HairSeg 0.10."""

AGREEMENT_NOTE = (
    "These masks were not drawn by people: they are what three networks agree on, one of them an early HairSeg "
    "network. Where the three disagree, nothing is scored. Such scores are optimistic and not comparable with those "
    "above."
)


def group_name(group: str) -> str:
    """Return the display name of a group, or the group itself if it has none.

    Example:
        >>> group_name("kinky"), group_name("beards")
        ('Coily and Afro hair', 'beards')
    """
    return GROUP_NAMES.get(group, group)


def scene_name(folder: str) -> str:
    """Return the display name of a type of photo without people.

    Example:
        >>> scene_name("coco"), scene_name("cars")
        ('Nobody in the picture: rooms, food and toys', 'Nobody in the picture: cars')
    """
    return f"{NOBODY}: {SCENE_NAMES.get(folder, folder)}"
