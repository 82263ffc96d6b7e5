"""Photo + alpha + colour -> recoloured photo."""

import re

import cv2
import numpy as np

from hairseg import InputError

LIGHTNESS_SHIFT = 0.6  # of the way to the target's lightness; the whole way looks painted on


def parse_colour(text: str) -> tuple[int, int, int]:
    """"#rrggbb" -> red, green and blue in 0..255.

    Raises:
        InputError: anything else.
    """
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text.strip()):
        raise InputError(f"the colour {text!r} is unknown: expected #rrggbb such as #8e24aa.")
    return tuple(bytes.fromhex(text.strip()[1:]))


def recolour(photo: np.ndarray, alpha: np.ndarray, colour: tuple[int, int, int], strength: float = 1.0) -> np.ndarray:
    """Give the hair another colour and keep its pattern of light and dark.

    In CIELAB, the hair's mean colour is moved to the target and each pixel keeps its deviation from the mean in L*,
    a third of it in a* and b*; the result is blended over the photo by alpha.

    Args:
        photo: uint8 RGB, (height, width, 3).
        alpha: float32 in [0, 1], (height, width).
        colour: red, green and blue, 0..255.
        strength: from 0 (the photo itself) to 1.

    Returns:
        uint8 RGB of the photo's size; where alpha is 0 it is the photo bit for bit.
    """
    rows, columns = np.flatnonzero(alpha.any(axis=1)), np.flatnonzero(alpha.any(axis=0))
    result = photo.copy()
    if not len(rows) or strength == 0:
        return result
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    hair, weight = photo[box].astype(np.float32) / 255, alpha[box][..., None]
    lab = cv2.cvtColor(hair, cv2.COLOR_RGB2LAB)
    target = cv2.cvtColor(np.float32([[colour]]) / 255, cv2.COLOR_RGB2LAB)[0, 0]
    mean = (lab * weight).sum(axis=(0, 1)) / weight.sum()
    shifted = (lab - mean) * np.float32([1, 1 / 3, 1 / 3]) + target
    shifted[..., 0] = lab[..., 0] + LIGHTNESS_SHIFT * (target[0] - mean[0])
    dyed = np.clip(cv2.cvtColor(shifted, cv2.COLOR_LAB2RGB), 0, 1)
    result[box] = np.rint(255 * (hair + strength * weight * (dyed - hair)))
    return result
