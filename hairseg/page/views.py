"""What the page shows of a mask: the mask itself, its outline, a tint, or where the two variants differ."""

import cv2
import numpy as np
from PIL import ImageColor

from hairseg.errors import InputError, quote
from hairseg.images import alpha_to_grey
from hairseg.paper import VARIANT_COLOURS

VIEWS = ("Mask", "Outline", "Tint", "Where they differ")

STRIPE = 28  # pixels from one stripe to the next, at a longer side of 1280


def draw_view(
    view: str, photo: np.ndarray, alphas: dict[str, np.ndarray], variant: str, threshold: float
) -> np.ndarray:
    """One variant's picture in one of `VIEWS`.

    Args:
        photo: uint8 RGB, (height, width, 3).
        alphas: by variant, float32 in [0, 1], (height, width).
        threshold: alpha from which a pixel is called hair.

    Returns:
        uint8, (height, width) for the mask, else RGB.

    Raises:
        InputError: no such view.
    """
    if view not in VIEWS:
        raise InputError(f"the view {quote(view)} is not known", ", ".join(VIEWS))
    if view == "Outline":
        return _outline(photo, alphas[variant] >= threshold)
    if view == "Tint":
        weight = 0.6 * alphas[variant][..., None]
        return np.rint(photo + weight * (_colour_of(variant) - photo)).astype(np.uint8)
    if view == "Where they differ":
        return _difference(photo, _hair(alphas, threshold), variant)
    return alpha_to_grey(alphas[variant])


def share_of_hair(alpha: np.ndarray, threshold: float) -> float:
    """Share of the picture that is called hair, 0 to 1."""
    return float(np.count_nonzero(alpha >= threshold) / alpha.size)


def middle_of_hair(alpha: np.ndarray, threshold: float) -> float:
    """Where from left to right, 0 to 1, half of what is called hair lies to either side; 0.5 where there is none."""
    columns = np.cumsum(np.sum(alpha[::4] >= threshold, axis=0))  # near enough by every fourth row
    return float((np.searchsorted(columns, columns[-1] / 2) + 0.5) / len(columns)) if columns[-1] else 0.5


def share_alone(alphas: dict[str, np.ndarray], variant: str, threshold: float) -> float:
    """Share of the picture, 0 to 1, that this variant calls hair and the other does not."""
    return float(np.count_nonzero(_alone(_hair(alphas, threshold), variant)) / alphas[variant].size)


def _hair(alphas: dict[str, np.ndarray], threshold: float) -> dict[str, np.ndarray]:
    """What each variant calls hair, bool (height, width)."""
    return {variant: alpha >= threshold for variant, alpha in alphas.items()}


def _alone(hair: dict[str, np.ndarray], variant: str) -> np.ndarray:
    (other,) = (of_other for name, of_other in hair.items() if name != variant)
    return hair[variant] & ~other


def _colour_of(variant: str) -> np.ndarray:
    return np.array(ImageColor.getrgb(VARIANT_COLOURS[variant]), np.float32)


def _outline(photo: np.ndarray, hair: np.ndarray) -> np.ndarray:
    contours, _ = cv2.findContours(hair.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    thickness = max(1, round(max(hair.shape) / 400))
    picture = photo.copy()
    for colour, width in (((0, 0, 0), 3 * thickness), ((255, 255, 255), thickness)):  # legible on light and on dark
        cv2.drawContours(picture, contours, -1, colour, width, cv2.LINE_AA)
    return picture


def _difference(photo: np.ndarray, hair: dict[str, np.ndarray], variant: str) -> np.ndarray:
    """On the faded photo: grey where both see hair, striped where this variant alone does."""
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32)
    picture = (255 - 0.4 * (255 - grey)).repeat(3, axis=2)
    both = hair["random"] & hair["pretrained"]
    picture[both] = 0.4 * picture[both] + 0.6 * 90
    rows, columns = np.indices(grey.shape[:2])
    period = max(4, STRIPE * max(grey.shape) // 1280)
    along = rows + columns if variant == "random" else rows - columns  # the stripes lean either way
    dark = np.where((along // (period // 2)) % 2, 1.0, 0.35)[..., None] * _colour_of(variant)
    alone = _alone(hair, variant)
    picture[alone] = dark[alone]
    return np.rint(picture).astype(np.uint8)
