"""Hats put on heads: few photos of people show one, and what covers hair is easily taken for it.

A hat is cut out of a photo in which it lies by itself, and worn where a hair mask shows the crown of a head.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from hairseg.data.datasets import PHOTO_SUFFIXES, Pair, hash_fraction, split_of, visible_files
from hairseg.errors import InputError
from hairseg.images import load_photo

WORN_SHARE = 0.4  # of the photos with hair: those shown once more with a hat

CUT_SIDE = 256  # pixels, longer side of a photo that a hat is cut out of

MARGIN = 0.04  # of that photo's sides: what lies there is taken for background

FILLED = (0.3, 0.95)  # share of its bounding box that a hat fills: less is a scrap of one, more a piece of floor

EDGE = 1.5  # sigma in pixels of the cut hat's soft edge

# Of the crown's width: the width of a hat, and how far its lower edge comes down from the top of the hair.
WIDTH, DEPTH = (1.05, 1.35), (0.35, 0.65)

ABOVE = (0.0, 0.12)  # of the crown's width: how far a hat stands above the hair, at least

HEIGHT = (0.7, 1.0)  # of its own, in proportion to the width: hats are photographed from above

TILT = 10.0  # degrees to either side

BAND_SHARE = 0.2  # of the hats: those worn as a band, their lowest part alone, with hair above it

BAND_PART = 0.35  # of the hat's own height

GREY_SHARE = 0.35  # of the people in hats: those whose hair turns grey, which few photos with hats show

GREY_LIFT = (0.25, 0.8)  # how far their hair's lightness goes towards white

CROWN_DEPTH = 0.4  # of the crown's width, below the top of the hair: where that width is measured


def cut_out(photo: np.ndarray) -> np.ndarray | None:
    """The thing that fills the middle of a photo, by GrabCut (C. Rother et al., SIGGRAPH 2004).

    Args:
        photo: uint8 RGB, (height, width, 3), plain around the thing.

    Returns:
        uint8 RGBA of the thing's bounding box, its longer side at most `CUT_SIDE`; None where it cannot be told from
        what it lies on.
    """
    scale = CUT_SIDE / max(photo.shape)
    photo = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = photo.shape[:2]
    left, top = round(MARGIN * width), round(MARGIN * height)
    labels = np.zeros((height, width), np.uint8)
    inner = left, top, width - 2 * left, height - 2 * top
    cv2.setRNGSeed(0)
    cv2.grabCut(photo, labels, inner, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_RECT)
    found = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    found = cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    _, places, finds, _ = cv2.connectedComponentsWithStats(found)
    if len(finds) < 2:
        return None
    largest = 1 + int(finds[1:, cv2.CC_STAT_AREA].argmax())
    left, top, width, height, area = finds[largest].tolist()
    if not FILLED[0] < area / (width * height) < FILLED[1] or width * height < 0.1 * labels.size:
        return None
    whole = cv2.morphologyEx((places == largest).astype(np.uint8) * 255, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    alpha = cv2.GaussianBlur(cv2.erode(whole, np.ones((3, 3), np.uint8)), (0, 0), EDGE)
    window = slice(top, top + height), slice(left, left + width)
    return np.dstack([photo[window], alpha[window]])


def crown_of(mask: np.ndarray) -> tuple[float, float, float] | None:
    """Where the crown of a head is, by its hair: its middle, its top and its width, in pixels of the mask.

    Args:
        mask: (height, width), 1 is hair.

    Returns:
        None where there is none, or where hair is all over the picture's width.
    """
    rows = np.flatnonzero((mask == 1).any(1))
    if not len(rows):
        return None
    top = int(rows[0])
    columns = np.flatnonzero((mask == 1).any(0))
    width = float(np.ptp(columns)) + 1
    for _ in range(8):
        depth = min(len(mask), top + max(1, round(CROWN_DEPTH * width)))
        columns = np.flatnonzero((mask[top:depth] == 1).any(0))
        width = float(np.ptp(columns)) + 1
    if not 8 <= width < 0.95 * mask.shape[1]:
        return None
    return float(columns.mean()), float(top), width


def paste_hat(photo: np.ndarray, mask: np.ndarray, hat: np.ndarray, key: str) -> tuple[np.ndarray, np.ndarray]:
    """A photo and its hair mask once the person wears the hat; as they are where no crown is found.

    Args:
        photo: uint8 RGB, (height, width, 3).
        mask: (height, width) of the photo or another size, 1 is hair.
        hat: uint8 RGBA, as `cut_out` gives it.
        key: what decides alone how it is worn.
    """
    rng = np.random.default_rng(int(hash_fraction(f"{key}/how") * 2**53))
    crown = crown_of(mask)
    if crown is None:
        return photo, mask
    middle, top, width = crown
    across, last = rng.uniform(*WIDTH) * width, top + rng.uniform(*DEPTH) * width
    own_height = rng.uniform(*HEIGHT) * across * hat.shape[0] / hat.shape[1]
    first = min(top - rng.uniform(*ABOVE) * width, last - own_height)
    size = np.array([across, last - first])
    angle = np.radians(rng.uniform(-TILT, TILT))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    mirrored = -1 if rng.random() < 0.5 else 1
    gain, offset = rng.uniform(0.6, 1.2), rng.uniform(-15, 15)
    if rng.random() < GREY_SHARE:
        photo = greyed(photo, mask == 1, rng.uniform(*GREY_LIFT))
    if rng.random() < BAND_SHARE:
        hat = hat[-max(1, round(BAND_PART * len(hat))) :]
        first = last - BAND_PART * own_height
        size = np.array([across, last - first])

    def placed(shape: tuple[int, ...]) -> np.ndarray:
        scale = np.array([shape[1] / mask.shape[1], shape[0] / mask.shape[0]])
        linear = np.diag(scale) @ turn @ np.diag(size / hat.shape[1::-1]) @ np.diag([mirrored, 1])
        centre = scale * [middle, (first + last) / 2] - linear @ (np.array(hat.shape[1::-1]) / 2)
        return cv2.warpAffine(hat, np.column_stack([linear, centre]), shape[1::-1], flags=cv2.INTER_AREA)

    worn = placed(photo.shape)
    alpha = worn[..., 3:] / np.float32(255)
    lit = np.clip(worn[..., :3] * gain + offset, 0, 255)
    dressed = (alpha * lit + (1 - alpha) * photo).round().astype(np.uint8)
    covered = placed(mask.shape)[..., 3] > 127
    return dressed, np.where(covered, 0, mask).astype(mask.dtype)


def greyed(photo: np.ndarray, hair: np.ndarray, lift: float) -> np.ndarray:
    """A photo once its hair is grey.

    Args:
        photo: uint8 RGB, (height, width, 3).
        hair: bool, of the photo's shape or another size.
        lift: 0 to 1, how far the hair's lightness goes towards white.
    """
    soft = cv2.resize(hair.astype(np.float32), photo.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    alpha = cv2.GaussianBlur(soft, (0, 0), EDGE)[..., None]
    lightness = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32)
    grey = 255 * (lightness / 255) ** (1 - 0.8 * lift)
    return (alpha * grey + (1 - alpha) * photo).round().astype(np.uint8)


@cache
def load_hat(path: Path) -> np.ndarray | None:
    """The hat of a photo, as `cut_out` gives it. Raises InputError where the file cannot be read."""
    return cut_out(load_photo(path, longer_side=CUT_SIDE))


def find_hats(root: Path) -> list[Path]:
    """Photos in a folder whose names begin with "hat", but those that are kept for testing, as a scene would be.

    Raises:
        InputError: there is none that a hat can be cut out of, or a file that cannot be read.
    """
    paths = [
        path
        for path in visible_files(root, PHOTO_SUFFIXES)
        if path.name.startswith("hat") and split_of("scenes", path.stem) != "test" and load_hat(path) is not None
    ]
    if not paths:
        raise InputError(
            f"{root} holds no hats", "photos hat*.jpg (or .png) of hats that lie by themselves on something plain"
        )
    return paths


def add_hats(pairs: list[Pair], hats: list[Path]) -> list[Pair]:
    """A part of the pairs once more, their people in hats: which and whose is decided by the photo's id alone."""
    return [
        replace(pair, id=f"{pair.id}/worn", hat=hats[int(hash_fraction(f"{pair.id}/hat") * len(hats))])
        for pair in pairs
        if pair.mask and hash_fraction(f"{pair.id}/worn") < WORN_SHARE
    ]
