"""Soft edges: alpha that follows the photo's strands, and the hair's colour in them.

A photo's pixel at the edge of the hair mixes hair and background: I = alpha F + (1 - alpha) B. Whatever moves or
recolours hair needs F, the hair's own colour, or it drags the background along as a halo.
"""

import cv2
import numpy as np

REACHES = (16, 6)  # cells to either side over which alpha and colour are related: first about the network's stride

SUBSAMPLED = 4  # pixels of a reach in the reduced photo where they are

EPSILON = 1e-4  # variance of colour, of channels in [0, 1], below which it says nothing of alpha

CONTRAST = 1.25  # given back to alpha, which the means take from it

NONE = 0.01  # alpha below which there is nothing to refine

TRUST = 12  # times that alpha, or 1 - alpha, may grow

DOUBT = 4  # times that either may shrink


def refine_alpha(photo: np.ndarray, alpha: np.ndarray, cell: float) -> np.ndarray:
    """Alpha that follows the edges and strands in the photo.

    Guided filter with the colour photo as guide (K. He et al., "Guided Image Filtering", TPAMI 2013, section 3.5), its
    coefficients from a reduced photo (K. He and J. Sun, "Fast Guided Filter", arXiv 1505.00996); first wide, which
    finds the edge that the network places within its stride, then narrow.

    Args:
        photo: uint8 RGB, (height, width, 3).
        alpha: float32 in [0, 1], (height, width), no sharper than the network's input.
        cell: side of one pixel of that input, in pixels of the photo.

    Returns:
        float32 in [0, 1], (height, width). Alpha and 1 - alpha are each at most `TRUST` times what was given, since
        where the network is sure there is nothing to refine, and at least 1 / `DOUBT` of it, since a doubt of the
        network is one still where colours are plain. So alpha is 0 or 1 only where it was, and ranks pixels no worse.
    """
    result = alpha.copy()
    left, top, width, height = cv2.boundingRect((alpha > NONE).astype(np.uint8))
    if not width:
        return result
    margin = round(REACHES[0] * cell)
    window = slice(max(0, top - margin), top + height + margin), slice(max(0, left - margin), left + width + margin)
    photo, alpha = photo[window], alpha[window]
    line = np.empty(0, np.float32)
    for reach in REACHES:
        step = max(1.0, reach * cell / SUBSAMPLED)
        size = tuple(max(1, round(length / step)) for length in alpha.shape[::-1])
        guide = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
        target = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA) if not line.size else _along(line, guide)
        line = _local_line(guide, target, max(1, round(reach * cell / step)))
    lowest = np.maximum(alpha / DOUBT, 1 - TRUST * (1 - alpha))
    highest = np.minimum(TRUST * alpha, 1 - (1 - alpha) / DOUBT)
    result[window] = np.clip(_along(line, photo), lowest, highest)
    return result


def _along(line: np.ndarray, guide: np.ndarray) -> np.ndarray:
    """Alpha of a guide's colours by lines scaled to its size, its contrast restored: float32 in [0, 1]."""
    line = CONTRAST * line + np.array([0, 0, 0, 0.5 - 0.5 * CONTRAST], np.float32)
    *slopes, alpha = (
        cv2.resize(plane, guide.shape[1::-1], interpolation=cv2.INTER_LINEAR) for plane in cv2.split(line)
    )
    for slope, channel in zip(slopes, cv2.split(guide), strict=True):
        alpha += slope * channel
    return np.clip(alpha, 0, 1, out=alpha)


def _local_line(guide: np.ndarray, target: np.ndarray, radius: int) -> np.ndarray:
    """The line through colours that predicts the target best around every pixel.

    Args:
        guide: uint8 RGB, (height, width, 3).
        target: float32, (height, width).

    Returns:
        float32 (height, width, 4): slopes for red, green and blue in [0, 255], and the offset.
    """

    def mean(picture):
        return cv2.blur(picture, (2 * radius + 1, 2 * radius + 1), borderType=cv2.BORDER_REFLECT)

    guide = guide.astype(np.float32) / 255
    red, green, blue = cv2.split(guide)
    mean_guide, mean_target = mean(guide), mean(target)
    covariance = mean(guide * target[..., None]) - mean_guide * mean_target[..., None]
    rr, gg, bb = cv2.split(mean(guide * guide) - mean_guide * mean_guide + EPSILON)
    rg, rb, gb = cv2.split(
        mean(np.dstack([red * green, red * blue, green * blue]))
        - mean_guide[..., [0, 0, 1]] * mean_guide[..., [1, 2, 2]]
    )
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
    of_red, of_green, of_blue = cv2.split(covariance)
    slope = (
        np.dstack(
            [
                c_rr * of_red + c_rg * of_green + c_rb * of_blue,
                c_rg * of_red + c_gg * of_green + c_gb * of_blue,
                c_rb * of_red + c_gb * of_green + c_bb * of_blue,
            ]
        )
        / determinant[..., None]
    )
    offset = mean_target - (slope * mean_guide).sum(axis=2)
    return mean(np.dstack([slope / 255, offset]))
