"""Soft edges: alpha that follows the photo's strands."""

import cv2
import numpy as np

from hairseg.images import shrink

REACHES = (16, 6)  # cells to either side over which alpha and colour are related: first about the network's stride

SUBSAMPLED = 4  # pixels of a reach in the reduced photo where they are

EPSILON = 1e-4  # variance of colour, of channels in [0, 1], below which it says nothing of alpha

CONTRAST = 1.2  # given back to alpha, which the means take from it

NONE = 0.01  # alpha below which there is nothing to refine

TRUST = 6  # times that alpha, or 1 - alpha, may grow

DOUBT = 3  # times that either may shrink


def refine_alpha(photo: np.ndarray, alpha: np.ndarray, cell: float, wanted: np.ndarray | None = None) -> np.ndarray:
    """Alpha that follows the edges and strands in the photo.

    Guided filter with the colour photo as guide (K. He et al., "Guided Image Filtering", TPAMI 2013, section 3.5), its
    coefficients from a reduced photo (K. He and J. Sun, "Fast Guided Filter", arXiv 1505.00996); first wide, which
    finds the edge that the network places within its stride, then narrow.

    Args:
        photo: uint8 RGB, (height, width, 3).
        alpha: float32 in [0, 1], (height, width), no sharper than the network's input.
        cell: side of one pixel of that input, in pixels of the photo.
        wanted: bool, (height, width), where the result will be looked at; everywhere by default. Elsewhere it may be
            what was given, which saves the time.

    Returns:
        float32 in [0, 1], (height, width). Alpha and 1 - alpha are each at most `TRUST` times what was given, since
        where the network is sure there is nothing to refine, and at least 1 / `DOUBT` of it, since a doubt of the
        network is one still where colours are plain. So alpha is 0 or 1 only where it was, and ranks pixels no worse.
    """
    result = alpha.copy()
    unsure = alpha > NONE
    left, top, width, height = cv2.boundingRect((unsure if wanted is None else unsure & wanted).astype(np.uint8))
    if not width:
        return result
    margin = round(REACHES[0] * cell)
    window = slice(max(0, top - margin), top + height + margin), slice(max(0, left - margin), left + width + margin)
    photo, alpha = np.ascontiguousarray(photo[window]), alpha[window]  # OpenCV takes it apart five times as fast
    steps = [max(1.0, reach * cell / SUBSAMPLED) for reach in REACHES]
    coarse, fine = ((max(1, round(alpha.shape[1] / step)), max(1, round(alpha.shape[0] / step))) for step in steps)
    guide = shrink(photo, fine)
    coarse_guide, target = (
        cv2.resize(picture, coarse, interpolation=cv2.INTER_AREA)
        for picture in (guide, cv2.resize(alpha, fine, interpolation=cv2.INTER_LINEAR))
    )
    line = _local_line(coarse_guide, target, max(1, round(REACHES[0] * cell / steps[0])))
    line = _local_line(guide, _along(line, guide), max(1, round(REACHES[1] * cell / steps[1])))
    much, little = TRUST * alpha, alpha / DOUBT
    lowest, highest = np.maximum(little, much - (TRUST - 1)), np.minimum(much, little + (1 - 1 / DOUBT))
    # in two steps: `np.clip` takes twice as long with arrays for bounds
    np.minimum(np.maximum(_along(line, photo), lowest), highest, out=result[window])
    return result


def _along(line: list[np.ndarray], guide: np.ndarray) -> np.ndarray:
    """Alpha of a guide's colours by lines scaled to its size, its contrast restored: float32 in [0, 1]."""
    *slopes, alpha = (
        cv2.resize(CONTRAST * plane, guide.shape[1::-1], interpolation=cv2.INTER_LINEAR) for plane in line
    )
    for slope, channel in zip(slopes, cv2.split(guide), strict=True):
        slope *= channel
        alpha += slope
    alpha += 0.5 - 0.5 * CONTRAST
    return np.clip(alpha, 0, 1, out=alpha)


def _local_line(guide: np.ndarray, target: np.ndarray, radius: int) -> list[np.ndarray]:
    """The line through colours that predicts the target best around every pixel.

    Args:
        guide: uint8 RGB, (height, width, 3).
        target: float32, (height, width).

    Returns:
        Slopes for red, green and blue in [0, 255], and the offset, float32 (height, width) each.
    """

    def mean(plane):
        return cv2.blur(plane, (2 * radius + 1, 2 * radius + 1), borderType=cv2.BORDER_REFLECT)

    def covariance(one, other):
        return mean(planes[one] * planes[other]) - means[one] * means[other]

    planes = dict(zip("rgb", cv2.split(guide.astype(np.float32) / 255), strict=True)) | {"target": target}
    means = {name: mean(plane) for name, plane in planes.items()}
    rr, gg, bb = (covariance(name, name) + EPSILON for name in "rgb")
    rg, rb, gb = covariance("r", "g"), covariance("r", "b"), covariance("g", "b")
    of_red, of_green, of_blue = (covariance(name, "target") for name in "rgb")
    # the colours' symmetric covariance matrix is inverted by its cofactors, and positive definite thanks to EPSILON
    c_rr, c_rg, c_rb, c_gg, c_gb, c_bb = (
        gg * bb - gb * gb,
        gb * rb - rg * bb,
        rg * gb - gg * rb,
        rr * bb - rb * rb,
        rb * rg - rr * gb,
        rr * gg - rg * rg,
    )
    determinant = rr * c_rr + rg * c_rg + rb * c_rb
    slopes = {
        "r": (c_rr * of_red + c_rg * of_green + c_rb * of_blue) / determinant,
        "g": (c_rg * of_red + c_gg * of_green + c_gb * of_blue) / determinant,
        "b": (c_rb * of_red + c_gb * of_green + c_bb * of_blue) / determinant,
    }
    offset = means["target"] - sum(slope * means[name] for name, slope in slopes.items())
    return [*(mean(slope / 255) for slope in slopes.values()), mean(offset)]
