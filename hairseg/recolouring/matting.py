"""Matting of the hairline: which part of a soft edge is hair and which is skin or background.

A network's alpha ends softly on the forehead. Dyed by this alpha, skin between the strands changes, too.
"""

import cv2
import numpy as np

from hairseg.images import downsample, fit_size

GRID_SIDE = 256  # pixels, longer side of the grid of local mean colours
REACH = 0.03  # standard deviation of the window of a local mean, as a fraction of the longer side

CORE_ALPHA = 0.95  # pixels above it are samples of hair
BACKGROUND_ALPHA = 0.02  # pixels below it are samples of the background

CONTRAST = (40.0, 90.0)  # how much darker the hair is than the background, in luma, 0 to 255: from ignored to used
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
CERTAIN_ALPHA = (0.7, 0.95)  # range in which alpha takes over from the colours
EDGE_WIDTH = 0.03  # standard deviation of the nearness to the background, as a fraction of the longer side
NEARNESS = (0.02, 0.15)  # range in which certain hair becomes an edge; 0.5 on a straight border
TOLERANCE = 0.05  # added to the fraction that the colours give, for their variation


def matte_edges(photo: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Reduce alpha in the soft edges where a pixel has the colour of the background nearby.

    A pixel's colour is projected onto the line from the mean colour of the background to that of the hair nearby. Its
    position there is the fraction of hair, as in A. Levin et al., "A Closed-Form Solution to Natural Image Matting",
    TPAMI 2008, with one colour line for each neighbourhood. Where hair and background look alike, alpha is kept.

    Args:
        photo: uint8 RGB, (height, width, 3).
        alpha: float32 in [0, 1], (height, width).

    Returns:
        float32 in [0, 1], (height, width); at most alpha, and equal to it where alpha is 0 or above 0.95.

    Example:
        >>> photo, alpha = np.full((60, 60, 3), 200, np.uint8), np.zeros((60, 60), np.float32)
        >>> photo[:30], alpha[:30], alpha[30:34] = 20, 1, 0.4  # dark hair; alpha extends onto the forehead
        >>> bool(matte_edges(photo, alpha)[32, 30] < 0.15), float(matte_edges(photo, alpha)[10, 30])
        (True, 1.0)
    """
    is_background = (alpha < BACKGROUND_ALPHA).astype(np.float32)
    nearness = _blur_on_grid(is_background, EDGE_WIDTH)
    soft = np.flatnonzero((alpha > 0) & ((alpha < CERTAIN_ALPHA[1]) | (nearness > NEARNESS[0])))
    if not soft.size:
        return alpha
    hair, background = (
        np.take(mean.reshape(-1, 3), soft, axis=0)
        for mean in (_local_mean(photo, (alpha > CORE_ALPHA).astype(np.float32)), _local_mean(photo, is_background))
    )
    line = hair - background
    contrast = smoothstep(*CONTRAST, -line @ LUMA)
    offset = np.take(photo.reshape(-1, 3), soft, axis=0) - background
    fraction = np.clip((offset * line).sum(1) / ((line * line).sum(1) + 1) + TOLERANCE, 0, 1)
    old, nearness = np.take(alpha, soft), np.take(nearness, soft)
    uncertain = np.maximum(1 - smoothstep(*CERTAIN_ALPHA, old), smoothstep(*NEARNESS, nearness))
    result = alpha.copy()
    np.put(result, soft, old + contrast * uncertain * (np.minimum(fraction, old) - old))
    return result


def smoothstep(start: float, end: float, x: np.ndarray) -> np.ndarray:
    """Return 0 up to `start`, 1 from `end`, and a smooth transition between."""
    t = np.clip((x - start) / (end - start), 0, 1)
    return t * t * (3 - 2 * t)


def _local_mean(photo: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Compute the weighted mean colour around each pixel, float32 (height, width, 3)."""
    size = fit_size(photo.shape, min(GRID_SIDE, max(photo.shape[:2])))
    small = downsample(weight, size)
    colour = downsample(photo, size).astype(np.float32)
    sigma = REACH * max(size)
    total = cv2.GaussianBlur(small, (0, 0), sigma) + 1e-4
    mean_all = np.average(colour.reshape(-1, 3), axis=0, weights=small.ravel() + 1e-9).astype(np.float32)
    mean = (cv2.GaussianBlur(colour * small[..., None], (0, 0), sigma) + 1e-4 * mean_all) / total[..., None]
    return cv2.resize(mean, photo.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def _blur_on_grid(plane: np.ndarray, width: float) -> np.ndarray:
    size = fit_size(plane.shape, min(GRID_SIDE, max(plane.shape)))
    blurred = cv2.GaussianBlur(downsample(plane, size), (0, 0), width * max(size))
    return cv2.resize(blurred, plane.shape[::-1], interpolation=cv2.INTER_LINEAR)
