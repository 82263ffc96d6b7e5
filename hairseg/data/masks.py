"""Masks as files: how they are read, and what shows that they are not what their layout says."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops

from hairseg.errors import InputError, raise_if_any
from hairseg.images import readable_formats
from hairseg.networks.preprocessing import IGNORE

LARGEST_MASK = 178_956_970  # pixels, beyond which Pillow opens nothing either

# In three-valued masks: how far a value may be from the one it stands for, and the share of pixels further off that is
# taken for blurred outlines.
LABEL_NOISE, BLURRED_SHARE = 32, 0.05

FAINT = 64  # grey level: a mask whose lightest pixel is darker, but not black, holds other values than 255
COLOURFUL = 32  # difference of channels from which a mask is coloured

MASKS_CHECKED = 200  # of a data set
INVERTED_SHARE = 0.6  # of hair among all pixels, beyond which a set of masks is inverted

logger = logging.getLogger(__name__)


def read_hair(path: Path) -> np.ndarray:
    """Mask file whose lightest half is hair -> bool (height, width)."""
    return _read_grey(path) > 127


def read_face_and_hair(path: Path) -> np.ndarray:
    """Mask file of 0 background, 128 face and 255 hair -> bool (height, width), True is hair."""
    return _read_grey(path) > 191


def read_labels(path: Path) -> np.ndarray:
    """Mask file of 255 hair, 0 other and 128 not labelled -> uint8 (height, width) of {0, 1, IGNORE}.

    Raises:
        ValueError: many values are near none of the three.
    """
    grey = _read_grey(path)
    nearest = np.select([grey < 64, grey > 191], [np.int16(0), np.int16(255)], np.int16(128))
    off = np.abs(grey - nearest) > LABEL_NOISE
    if off.mean() > BLURRED_SHARE:
        raise ValueError(
            f"{off.mean():.0%} of its values are like {grey[off][0]}, expected 255 hair, 0 other, 128 not labelled"
        )
    return np.select([nearest == 0, nearest == 255], [np.uint8(0), np.uint8(1)], np.uint8(IGNORE))


def check_masks(folder: Path, masks: list[Path], read_mask: Callable[[Path], np.ndarray]) -> None:
    """Look at masks of a data set before anything is trained on them, at `MASKS_CHECKED` at most.

    Masks that show nothing but hair are warned of. Those that cannot be read are left to whoever decodes them all.

    Raises:
        InputError: masks that hold other values, colours or an alpha channel (they are listed), no mask with any hair,
            or masks that are inverted.
    """
    faults, full, hair, labelled = [], [], 0, 0
    for path in masks[:: -(-len(masks) // MASKS_CHECKED) or 1]:
        try:
            if fault := _fault_of(path):
                faults.append(f"{path.name} {fault}")
                continue
            mask = read_mask(path)
        except Exception:  # Pillow's decoders raise OSError, MemoryError, struct.error and more on broken files
            continue
        of_mask, labelled_of_mask = np.count_nonzero(mask == 1), np.count_nonzero(mask != IGNORE)
        if of_mask and of_mask == labelled_of_mask:
            full.append(path.name)
        hair, labelled = hair + of_mask, labelled + labelled_of_mask
    raise_if_any(faults, f"masks in {folder} are not grey pictures with 255 where hair is", "write them so")
    if labelled and not hair:
        raise InputError(
            f"no mask in {folder} marks any hair",
            "255 where hair is and 0 elsewhere",
            "write the masks with 255, or give photos that show nobody as --scenes",
        )
    if hair > INVERTED_SHARE * labelled:
        raise InputError(
            f"the masks in {folder} mark {hair / labelled:.0%} of all pixels as hair, as inverted ones do",
            "255 where hair is and 0 elsewhere",
            "invert them",
        )
    if full:
        logger.warning("%d masks in %s mark every pixel as hair: %s", len(full), folder, "; ".join(full[:20]))


def _fault_of(path: Path) -> str | None:
    """What shows that a file is no grey mask with 255 where hair is; a clause."""
    with Image.open(path, formats=readable_formats()) as image:
        _check_size(image)
        if "A" in image.getbands() and np.ptp(np.asarray(image.getchannel("A"))):
            return "has an alpha channel, which is not read"
        if image.mode not in ("1", "L", "I", "I;16", "F"):
            red, green, blue = image.convert("RGB").split()
            differences = ImageChops.difference(red, green), ImageChops.difference(green, blue)
            if max(np.asarray(difference).max() for difference in differences) > COLOURFUL:
                return "is coloured"
        lightest = int(np.asarray(image.convert("L")).max())
    return f"has the lightest value {lightest}" if 0 < lightest < FAINT else None


def _read_grey(path: Path) -> np.ndarray:
    with Image.open(path, formats=readable_formats()) as image:
        _check_size(image)
        return np.asarray(image.convert("L"))


def _check_size(image: Image.Image) -> None:
    if image.width * image.height > LARGEST_MASK:
        raise ValueError(f"it is {image.width} x {image.height} pixels, expected no more than its photo")
