"""Edge refinement: a guided filter makes alpha follow the strands in the photo."""

from collections.abc import Sequence

import cv2
import numpy as np

from hairseg.images import downsample

FILTER_RADII = (16, 6)  # of the wide and the narrow filter, in cells; 16 is about the network's stride

SUBSAMPLED_RADIUS = 4  # the same radii in pixels of the subsampled photo

COLOUR_VARIANCE_EPSILON = 1e-4  # regularisation of the colour model, as the variance of a channel in [0, 1]

CONTRAST_GAIN = 1.2  # restores the contrast of alpha that averaging reduces

MIN_ALPHA = 0.01  # smaller values are not refined

MAX_GROWTH = 6  # maximum factor by which alpha, or 1 - alpha, increases

MAX_SHRINKAGE = 3  # maximum factor by which alpha, or 1 - alpha, decreases


def refine_alpha(photo: np.ndarray, alpha: np.ndarray, cell: float, visible: np.ndarray | None = None) -> np.ndarray:
    """Make alpha follow the edges and strands in the photo.

    Guided filter with the colour photo as guide (K. He et al., "Guided Image Filtering", TPAMI 2013, section 3.5), with
    coefficients from a subsampled photo (K. He and J. Sun, "Fast Guided Filter", arXiv 1505.00996). A wide filter
    corrects edges that the network misplaces by up to its stride, then a narrow one adds detail.

    Args:
        photo: uint8 RGB, (height, width, 3).
        alpha: float32 in [0, 1], (height, width), upsampled from the network's input size.
        cell: side of one pixel of the network's input, in pixels of the photo.
        visible: bool, (height, width), the pixels of the result that will be used; by default all. To save time, others
            may stay unrefined.

    Returns:
        float32 in [0, 1], (height, width). Alpha and 1 - alpha grow at most by the factor `MAX_GROWTH`, so that certain
        pixels stay certain, and shrink at most by `MAX_SHRINKAGE`, so that uncertain pixels in flat regions stay
        uncertain. So the result is 0 or 1 only where alpha is.
    """
    result = alpha.copy()
    to_refine = alpha > MIN_ALPHA
    if visible is not None:
        to_refine &= visible
    left, top, width, height = cv2.boundingRect(to_refine.view(np.uint8))
    if not width:
        return result
    margin = round(FILTER_RADII[0] * cell)
    window = slice(max(0, top - margin), top + height + margin), slice(max(0, left - margin), left + width + margin)
    photo, alpha = photo[window], alpha[window]
    steps = [max(1.0, radius * cell / SUBSAMPLED_RADIUS) for radius in FILTER_RADII]
    coarse, fine = ((max(1, round(alpha.shape[1] / step)), max(1, round(alpha.shape[0] / step))) for step in steps)
    guide = downsample(photo, fine)
    coarse_guide, target = (
        cv2.resize(picture, coarse, interpolation=cv2.INTER_AREA)
        for picture in (guide, cv2.resize(alpha, fine, interpolation=cv2.INTER_LINEAR))
    )
    model = _fit_linear_model(coarse_guide, target, max(1, round(FILTER_RADII[0] * cell / steps[0])))
    model = _fit_linear_model(guide, _predict(model, guide), max(1, round(FILTER_RADII[1] * cell / steps[1])))
    result[window] = _limit_change(alpha, _predict(model, photo))
    return result


def _limit_change(alpha: np.ndarray, refined: np.ndarray) -> np.ndarray:
    """Clip the refined alpha by `MAX_GROWTH` and `MAX_SHRINKAGE`, in place."""
    # In place, since allocating arrays takes most of the time.
    growth, shrinkage = MAX_GROWTH * alpha, alpha / MAX_SHRINKAGE
    lowest = growth - (MAX_GROWTH - 1)
    np.maximum(lowest, shrinkage, out=lowest)
    shrinkage += 1 - 1 / MAX_SHRINKAGE
    highest = np.minimum(growth, shrinkage, out=growth)
    return np.clip(refined, lowest, highest, out=refined)


def _predict(model: Sequence[np.ndarray], guide: np.ndarray) -> np.ndarray:
    """Scale a linear model to the guide's size and apply it to its colours: alpha, float32 (height, width)."""
    *slopes, alpha = (
        cv2.resize(CONTRAST_GAIN * plane, guide.shape[1::-1], interpolation=cv2.INTER_LINEAR) for plane in model
    )
    for slope, channel in zip(slopes, cv2.split(guide), strict=True):
        slope *= channel
        alpha += slope
    alpha += 0.5 - 0.5 * CONTRAST_GAIN
    return np.clip(alpha, 0, 1, out=alpha)


def _fit_linear_model(guide: np.ndarray, target: np.ndarray, radius: int) -> list[np.ndarray]:
    """Fit a linear model from a guide's colours to the target in the window around each pixel, by least squares.

    Args:
        guide: uint8 RGB, (height, width, 3).
        target: float32, (height, width).
        radius: of the window, in pixels.

    Returns:
        Slopes for red, green and blue, which are in [0, 255], and the offset: float32 (height, width) each.
    """

    def mean(plane: np.ndarray) -> np.ndarray:
        return cv2.blur(plane, (2 * radius + 1, 2 * radius + 1), borderType=cv2.BORDER_REFLECT)

    def covariance(first: str, second: str) -> np.ndarray:
        return mean(planes[first] * planes[second]) - means[first] * means[second]

    planes = dict(zip("rgb", cv2.split(guide.astype(np.float32) / 255), strict=True)) | {"target": target}
    means = {name: mean(plane) for name, plane in planes.items()}
    rr, gg, bb = (covariance(name, name) + COLOUR_VARIANCE_EPSILON for name in "rgb")
    rg, rb, gb = covariance("r", "g"), covariance("r", "b"), covariance("g", "b")
    red, green, blue = (covariance(name, "target") for name in "rgb")
    # Solve the normal equations with the cofactors of the covariance matrix, which the epsilon makes positive definite.
    cofactor_rr, cofactor_rg, cofactor_rb = gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb
    cofactor_gg, cofactor_gb, cofactor_bb = rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg
    determinant = rr * cofactor_rr + rg * cofactor_rg + rb * cofactor_rb
    slopes = {
        "r": (cofactor_rr * red + cofactor_rg * green + cofactor_rb * blue) / determinant,
        "g": (cofactor_rg * red + cofactor_gg * green + cofactor_gb * blue) / determinant,
        "b": (cofactor_rb * red + cofactor_gb * green + cofactor_bb * blue) / determinant,
    }
    offset = means["target"] - sum(slope * means[name] for name, slope in slopes.items())
    return [*(mean(slope / 255) for slope in slopes.values()), mean(offset)]
