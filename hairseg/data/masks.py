"""Mask files: how each layout encodes hair, and checks for masks that contradict their layout."""

import logging
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops

from hairseg.errors import InputError, raise_if_any
from hairseg.images import readable_formats
from hairseg.networks.preprocessing import IGNORE

MAX_MASK_PIXELS = 178_956_970  # Pillow refuses anything larger, too.

# In labelled masks, values may deviate this much from 0, 128 and 255. Blurred outlines may deviate more, if few.
MAX_LABEL_NOISE = 32
MAX_BLURRED_FRACTION = 0.05

MIN_HAIR_VALUE = 64  # A mask whose maximum is lower, but not 0, does not mark hair with 255.
MAX_CHANNEL_DIFFERENCE = 32  # Above it, a mask is coloured.

MAX_MASKS_CHECKED = 200
MAX_HAIR_FRACTION = 0.6  # Above it, the masks of a data set are taken for inverted.

logger = logging.getLogger(__name__)


def read_binary_mask(path: Path) -> np.ndarray:
    """Read a mask of 0 background and 255 hair as bool (height, width)."""
    return _read_grey(path) > 127


def read_face_and_hair_mask(path: Path) -> np.ndarray:
    """Read a mask of 0 background, 128 face and 255 hair as bool (height, width), True for hair."""
    return _read_grey(path) > 191


def read_labelled_mask(path: Path) -> np.ndarray:
    """Read a mask of 255 hair, 0 other and 128 not labelled as uint8 (height, width) of {0, 1, IGNORE}.

    Raises:
        ValueError: too many values are far from all three.
    """
    grey = _read_grey(path)
    nearest = np.select([grey < 64, grey > 191], [np.int16(0), np.int16(255)], np.int16(128))
    is_off = np.abs(grey - nearest) > MAX_LABEL_NOISE
    if is_off.mean() > MAX_BLURRED_FRACTION:
        raise ValueError(
            f"{is_off.mean():.0%} of its values are like {grey[is_off][0]}, not 255 hair, 0 other, 128 not labelled"
        )
    return np.select([nearest == 0, nearest == 255], [np.uint8(0), np.uint8(1)], np.uint8(IGNORE))


def check_masks(folder: Path, masks: list[Path], read_mask: Callable[[Path], np.ndarray]) -> None:
    """Check up to `MAX_MASKS_CHECKED` masks of a data set before training.

    Masks that mark every pixel as hair are logged as a warning. Unreadable masks are skipped: decoding lists them all.

    Args:
        folder: folder of the data set, for messages.
        masks: mask files of the data set.
        read_mask: reader of its layout.

    Raises:
        InputError: masks have other values, colours or an alpha channel (they are listed), no mask has any hair, or
            the masks are inverted.
    """
    faults: list[str] = []
    full: list[str] = []
    hair_pixels = labelled_pixels = 0
    step = max(1, math.ceil(len(masks) / MAX_MASKS_CHECKED))
    for path in masks[::step]:
        try:
            if fault := _find_fault(path):
                faults.append(f"{path.name} {fault}")
                continue
            mask = read_mask(path)
        except Exception:  # Pillow's decoders raise OSError, MemoryError, struct.error and more on broken files.
            continue
        hair, labelled = np.count_nonzero(mask == 1), np.count_nonzero(mask != IGNORE)
        if hair and hair == labelled:
            full.append(path.name)
        hair_pixels, labelled_pixels = hair_pixels + hair, labelled_pixels + labelled
    raise_if_any(faults, f"masks in {folder} are not grey pictures with 255 for hair", "Convert them.")
    if labelled_pixels and not hair_pixels:
        raise InputError(
            f"No mask in {folder} marks any hair.",
            remedy="Mark hair with 255 and the rest with 0, or pass photos without people as --scenes.",
        )
    if hair_pixels > MAX_HAIR_FRACTION * labelled_pixels:
        raise InputError(
            f"The masks in {folder} mark {hair_pixels / labelled_pixels:.0%} of all pixels as hair and seem inverted.",
            remedy="Invert them: 255 is hair, 0 is the rest.",
        )
    if full:
        logger.warning("%d masks in %s mark every pixel as hair: %s", len(full), folder, "; ".join(full[:20]))


def _find_fault(path: Path) -> str | None:
    """Return what contradicts a grey mask with 255 for hair, as a predicate that follows the file name."""
    with Image.open(path, formats=readable_formats()) as image:
        _check_size(image)
        if "A" in image.getbands() and np.ptp(np.asarray(image.getchannel("A"))):
            return "has an alpha channel, which is not read"
        if image.mode not in ("1", "L", "I", "I;16", "F"):
            red, green, blue = image.convert("RGB").split()
            differences = ImageChops.difference(red, green), ImageChops.difference(green, blue)
            if max(np.asarray(difference).max() for difference in differences) > MAX_CHANNEL_DIFFERENCE:
                return "is coloured"
        maximum = int(np.asarray(image.convert("L")).max())
    return f"has the maximum value {maximum}" if 0 < maximum < MIN_HAIR_VALUE else None


def _read_grey(path: Path) -> np.ndarray:
    with Image.open(path, formats=readable_formats()) as image:
        _check_size(image)
        return np.asarray(image.convert("L"))


def _check_size(image: Image.Image) -> None:
    if image.width * image.height > MAX_MASK_PIXELS:
        raise ValueError(f"{image.width} x {image.height} pixels are too many")
