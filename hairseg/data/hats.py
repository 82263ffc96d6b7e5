"""Hat augmentation, since networks mistake hats for hair and few photos show one.

A hat is cut out of a photo that shows it alone, and pasted onto the crown of a head, which the hair mask shows.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from hairseg.data.datasets import PHOTO_SUFFIXES, Pair, find_files, hash_fraction, split_of
from hairseg.errors import InputError
from hairseg.images import load_photo

HAT_GROUP = "with_hat"
HAT_SEED = "worn"  # seeds the random numbers; changing it changes the training photos
HAT_FRACTION = 0.4  # of the photos with hair, which are repeated with a hat

# Cutting out
CUTOUT_SIZE = 256  # longer side of the hat's photo in pixels
BACKGROUND_MARGIN = 0.04  # of width and height, at each edge of that photo
FILL_RANGE = (0.3, 0.95)  # of the bounding box; fragments of hats fill less, background fills more
EDGE_SIGMA = 1.5  # of the blur of edges, in pixels

# Position on the head, in multiples of the crown's width
WIDTH_RANGE = (1.05, 1.35)
DEPTH_RANGE = (0.35, 0.65)  # of the lower edge of the hat below the top of the hair
CLEARANCE_RANGE = (0.0, 0.12)  # minimum height of the hat above the hair
CROWN_DEPTH = 0.4  # below the top of the hair

HEIGHT_RANGE = (0.7, 1.0)  # vertical scale, since hats are photographed from above
MAX_TILT_DEGREES = 10.0
BAND_FRACTION = 0.2  # of the hats, which are cropped to a headband with hair above it
BAND_HEIGHT = 0.35  # of the hat's height
GREY_FRACTION = 0.35  # of the people, whose hair turns grey, which is rare in photos with hats
GREY_LIFT_RANGE = (0.25, 0.8)


class Crown(NamedTuple):
    """Crown of a head in a hair mask, in pixels."""

    centre_x: float
    top: float
    width: float


def cut_out_object(photo: np.ndarray) -> np.ndarray | None:
    """Cut out the object that fills the middle of a photo, by GrabCut (C. Rother et al., SIGGRAPH 2004).

    Args:
        photo: uint8 RGB, (height, width, 3), with a plain background.

    Returns:
        uint8 RGBA of the object's bounding box, its longer side at most `CUTOUT_SIZE`; None if the object cannot be
        separated from the background.
    """
    scale = CUTOUT_SIZE / max(photo.shape)
    photo = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = photo.shape[:2]
    left, top = round(BACKGROUND_MARGIN * width), round(BACKGROUND_MARGIN * height)
    labels = np.zeros((height, width), np.uint8)
    foreground = left, top, width - 2 * left, height - 2 * top
    cv2.setRNGSeed(0)
    cv2.grabCut(photo, labels, foreground, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_RECT)
    is_object = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    opened = cv2.morphologyEx(is_object.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    _, components, stats, _ = cv2.connectedComponentsWithStats(opened)
    if len(stats) < 2:
        return None
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    left, top, width, height, area = stats[largest].tolist()
    if not FILL_RANGE[0] < area / (width * height) < FILL_RANGE[1] or width * height < 0.1 * labels.size:
        return None
    mask = (components == largest).astype(np.uint8) * 255
    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    alpha = cv2.GaussianBlur(cv2.erode(closed, np.ones((3, 3), np.uint8)), (0, 0), EDGE_SIGMA)
    window = slice(top, top + height), slice(left, left + width)
    return np.dstack([photo[window], alpha[window]])


def find_crown(mask: np.ndarray) -> Crown | None:
    """Find the crown of a head by its hair.

    Args:
        mask: (height, width), 1 is hair.

    Returns:
        None if there is no hair, or hair across the width of the picture.
    """
    rows = np.flatnonzero((mask == 1).any(1))
    if not len(rows):
        return None
    top = int(rows[0])
    columns = np.flatnonzero((mask == 1).any(0))
    width = float(np.ptp(columns)) + 1
    for _ in range(8):
        bottom = min(len(mask), top + max(1, round(CROWN_DEPTH * width)))
        columns = np.flatnonzero((mask[top:bottom] == 1).any(0))
        width = float(np.ptp(columns)) + 1
    if not 8 <= width < 0.95 * mask.shape[1]:
        return None
    return Crown(float(columns.mean()), float(top), width)


def paste_hat(photo: np.ndarray, mask: np.ndarray, hat: np.ndarray, image_id: str) -> tuple[np.ndarray, np.ndarray]:
    """Paste a hat onto the head in a photo, and remove the covered hair from the mask.

    Args:
        photo: uint8 RGB, (height, width, 3).
        mask: (height, width) of the photo or of another size, 1 is hair.
        hat: uint8 RGBA, as `cut_out_object` returns it.
        image_id: id of the pair, which seeds position and look of the hat.

    Returns:
        The new photo and mask; both unchanged if no crown is found.
    """
    seed = f"{image_id.removesuffix(f'/{HAT_GROUP}')}/{HAT_SEED}/how"
    rng = np.random.default_rng(int(hash_fraction(seed) * 2**53))
    crown = find_crown(mask)
    if crown is None:
        return photo, mask
    width, bottom = rng.uniform(*WIDTH_RANGE) * crown.width, crown.top + rng.uniform(*DEPTH_RANGE) * crown.width
    natural_height = rng.uniform(*HEIGHT_RANGE) * width * hat.shape[0] / hat.shape[1]
    top = min(crown.top - rng.uniform(*CLEARANCE_RANGE) * crown.width, bottom - natural_height)
    angle = np.radians(rng.uniform(-MAX_TILT_DEGREES, MAX_TILT_DEGREES))
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    flip = -1 if rng.random() < 0.5 else 1
    gain, offset = rng.uniform(0.6, 1.2), rng.uniform(-15, 15)
    if rng.random() < GREY_FRACTION:
        photo = turn_grey(photo, mask == 1, rng.uniform(*GREY_LIFT_RANGE))
    if rng.random() < BAND_FRACTION:
        hat = hat[-max(1, round(BAND_HEIGHT * len(hat))) :]
        top = bottom - BAND_HEIGHT * natural_height
    hat_size = np.array(hat.shape[1::-1])

    def warp_hat(shape: tuple[int, ...]) -> np.ndarray:
        scale = np.array([shape[1] / mask.shape[1], shape[0] / mask.shape[0]])
        size = np.array([width, bottom - top])
        linear = np.diag(scale) @ rotation @ np.diag(size / hat_size) @ np.diag([flip, 1])
        translation = scale * [crown.centre_x, (top + bottom) / 2] - linear @ (hat_size / 2)
        return cv2.warpAffine(hat, np.column_stack([linear, translation]), shape[1::-1], flags=cv2.INTER_AREA)

    warped = warp_hat(photo.shape)
    alpha = warped[..., 3:] / np.float32(255)
    lit = np.clip(warped[..., :3] * gain + offset, 0, 255)
    with_hat = (alpha * lit + (1 - alpha) * photo).round().astype(np.uint8)
    is_covered = warp_hat(mask.shape)[..., 3] > 127
    return with_hat, np.where(is_covered, 0, mask).astype(mask.dtype)


def turn_grey(photo: np.ndarray, hair: np.ndarray, lift: float) -> np.ndarray:
    """Turn hair grey.

    Args:
        photo: uint8 RGB, (height, width, 3).
        hair: bool, of the photo's shape or another size.
        lift: how far lightness moves towards white, from 0 to 1.
    """
    resized = cv2.resize(hair.astype(np.float32), photo.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    alpha = cv2.GaussianBlur(resized, (0, 0), EDGE_SIGMA)[..., None]
    luma = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32)
    grey = 255 * (luma / 255) ** (1 - 0.8 * lift)
    return (alpha * grey + (1 - alpha) * photo).round().astype(np.uint8)


@cache
def load_hat(path: Path) -> np.ndarray | None:
    """Cut the hat out of a photo, as `cut_out_object` does.

    Raises:
        InputError: the file cannot be read.
    """
    return cut_out_object(load_photo(path, longer_side=CUTOUT_SIZE))


def find_hats(root: Path) -> list[Path]:
    """Find photos of hats, hat*.jpg or hat*.png, in a folder, without the test split of scenes.

    Raises:
        InputError: a file cannot be read, or no hat can be cut out of any file.
    """
    paths = [
        path
        for path in find_files(root, PHOTO_SUFFIXES)
        if path.name.startswith("hat") and split_of("scenes", path.stem) != "test" and load_hat(path) is not None
    ]
    if not paths:
        raise InputError(
            f"{root} contains no hats.",
            remedy="Choose a folder of photos hat*.jpg (or .png) that show one hat each on a plain background.",
        )
    return paths


def add_hats(pairs: list[Pair], hats: list[Path]) -> list[Pair]:
    """Return a fraction of the pairs with a hat. The id of the photo determines the pairs and their hats."""
    return [
        replace(pair, id=f"{pair.id}/{HAT_GROUP}", hat=hats[int(hash_fraction(f"{pair.id}/hat") * len(hats))])
        for pair in pairs
        if pair.mask and hash_fraction(f"{pair.id}/{HAT_SEED}") < HAT_FRACTION
    ]
