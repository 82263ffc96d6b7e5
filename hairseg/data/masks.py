"""Readers of mask files, one per encoding, and checks of the masks of a data set."""

import logging
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops

from hairseg.errors import InputError, raise_if_any
from hairseg.images import readable_formats
from hairseg.networks.preprocessing import IGNORE

MAX_MASK_PIXELS = 178_956_970  # the limit of Pillow by default

# Values of labelled masks may deviate this much from 0, 128 and 255, but for a fraction of blurred outlines.
MAX_LABEL_NOISE = 32
MAX_BLURRED_FRACTION = 0.05

MIN_HAIR_VALUE = 64  # a lower maximum, but not 0, means that hair is not encoded as 255
MAX_CHANNEL_DIFFERENCE = 32  # of grey masks

MAX_MASKS_CHECKED = 200
MAX_HAIR_FRACTION = 0.6  # of a data set; above it, the masks seem inverted

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
        ValueError: too many values differ from all three.
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

    A warning names masks that mark every pixel as hair. Unreadable masks are skipped, as decoding reports all of them.

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
        except Exception:  # Pillow's decoders raise OSError, MemoryError, struct.error and others
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
    """Return the fault of a file that is not a grey mask with 255 for hair, as the predicate of a sentence."""
    with _open(path) as image:
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
    with _open(path) as image:
        return np.asarray(image.convert("L"))


def _open(path: Path) -> Image.Image:
    image = Image.open(path, formats=readable_formats())
    if image.width * image.height > MAX_MASK_PIXELS:
        raise ValueError(f"{image.width} x {image.height} pixels are too many")
    return image
