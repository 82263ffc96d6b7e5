"""Matting of soft edges: which part is hair and which is skin or background.

A network's alpha fades out across the forehead. Dyeing by this alpha would dye the skin between strands.
"""

import cv2
import numpy as np

from hairseg.images import downsample, fit_size

GRID_SIDE = 128  # pixels, longer side of the grid of local mean colours
REACH = 0.03  # standard deviation of the Gaussian window of a local mean, as a fraction of the longer side

CORE_ALPHA = 0.95  # pixels above it are samples of hair
BACKGROUND_ALPHA = 0.02  # pixels below it are samples of the background

# Difference in luma (0 to 255) by which hair is darker than the background: no matting up to the first, full from the
# second.
CONTRAST = (40.0, 90.0)
LIGHT_HAIR = (50.0, 90.0)  # luma of hair: full matting up to the first, none from the second
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
HIGH_ALPHA = (0.7, 0.95)  # range in which alpha takes over from the colours
# A pixel of high alpha is background only if the background is near and has nearly the same colour.
NEARNESS = (0.12, 0.29)  # fraction of background in the window; 0.5 on a straight edge
SIMILAR = (0.15, 0.4)  # fraction of hair in the pixel, by its colour
TOLERANCE = 0.05  # fractions this close to 0 or 1 are rounded, since colours vary


def matte_edges(photo: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Reduce alpha in the soft edges of dark hair where a pixel has the colour of the background nearby.

    A pixel's colour is projected onto the line from the mean colour of the background to that of the hair nearby. Its
    position there is the fraction of hair, as in A. Levin et al., "A Closed-Form Solution to Natural Image Matting",
    TPAMI 2008, with one colour line for each neighbourhood. Alpha is kept where
    hair and background look alike, and in light hair, whose hairline would become too sharp when it is dyed darker.

    Args:
        photo: uint8 RGB, (height, width, 3).
        alpha: float32 in [0, 1], (height, width).

    Returns:
        float32 in [0, 1], (height, width); equal to alpha inside the hair, and nowhere above it.

    Example:
        >>> photo, alpha = np.full((60, 60, 3), 200, np.uint8), np.zeros((60, 60), np.float32)
        >>> photo[:30], alpha[:30], alpha[30:34] = 20, 1, 0.4  # dark hair; alpha extends onto the forehead
        >>> bool(matte_edges(photo, alpha)[32, 30] < 0.15), float(matte_edges(photo, alpha)[10, 30])
        (True, 1.0)
    """
    size = fit_size(photo.shape, min(GRID_SIDE, max(photo.shape[:2])))
    colour, small = downsample(photo, size).astype(np.float32), downsample(alpha, size)
    hair, _ = _local_mean(colour, (small > CORE_ALPHA).astype(np.float32))
    background, nearness = _local_mean(colour, (small < BACKGROUND_ALPHA).astype(np.float32))
    contrast = smoothstep(*CONTRAST, (background - hair) @ LUMA)
    contrast *= 1 - smoothstep(*LIGHT_HAIR, hair @ LUMA)
    line = hair - background
    line /= np.einsum("ijk,ijk->ij", line, line)[..., None] + 1
    origin = np.einsum("ijk,ijk->ij", background, line)
    planes = (line, origin, contrast, smoothstep(*NEARNESS, nearness))
    line, origin, contrast, nearness = (
        cv2.resize(plane, alpha.shape[::-1], interpolation=cv2.INTER_LINEAR) for plane in planes
    )

    edge = np.flatnonzero((alpha > 0) & (contrast > 0) & ((alpha < HIGH_ALPHA[1]) | (nearness > 0)))
    old, origin, contrast, nearness = (np.take(plane, edge) for plane in (alpha, origin, contrast, nearness))
    pixels, line = (np.take(picture.reshape(-1, 3), edge, axis=0) for picture in (photo, line))
    fraction = np.einsum("ij,ij->i", pixels.astype(np.float32), line) - origin
    fraction = (fraction - TOLERANCE) / (1 - 2 * TOLERANCE)
    is_background = nearness * (1 - smoothstep(*SIMILAR, fraction))
    change = np.maximum(1 - smoothstep(*HIGH_ALPHA, old), is_background)
    result = alpha.copy()
    np.put(result, edge, old + contrast * change * (np.clip(fraction, 0, old) - old))
    return result


def smoothstep(start: float, end: float, x: np.ndarray) -> np.ndarray:
    """Return 0 up to `start`, 1 from `end`, and a smooth transition between."""
    t = np.clip((x - start) / (end - start), 0, 1)
    return t * t * (3 - 2 * t)


def _local_mean(colour: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the weighted mean colour around each pixel of the grid, and the mean weight."""
    sigma = REACH * max(weight.shape)
    mean_weight = cv2.GaussianBlur(weight, (0, 0), sigma)
    total = cv2.GaussianBlur(colour * weight[..., None], (0, 0), sigma)
    # A small weight of the mean of the whole photo keeps the local mean defined far from any weight.
    mean_all = np.average(colour.reshape(-1, 3), axis=0, weights=weight.ravel() + 1e-9).astype(np.float32)
    return (total + 1e-4 * mean_all) / (mean_weight[..., None] + 1e-4), mean_weight
