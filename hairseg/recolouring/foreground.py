"""Foreground estimation: the colour of the hair in its soft edges, without the background's.

A pixel at the edge of the hair is a mixture of foreground and background: I = alpha F + (1 - alpha) B. Recolouring and
cut-outs use F; with I, the old background would be visible as a halo.
"""

import cv2
import numpy as np

# Longer sides of pyramid levels, in pixels.
COARSEST_SIDE = 24
FINEST_SIDE = 1024  # finer levels are skipped, since colours vary more slowly than alpha
COARSE_SIDE = 256  # up to this side, levels have several iterations, others one

COARSE_ITERATIONS = 3

WINDOW = (5, 5)  # pixels, of a local mean

MIN_ALPHA = 1 / 510  # smaller values round to 0 in 8 bits


def estimate_foreground(photo: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Estimate the unmixed colour F of the hair in every pixel.

    Blur fusion (M. Forte, "Approximate Fast Foreground Colour Estimation", ICIP 2021) in a pyramid, from coarse levels,
    which propagate colours far, to fine ones. Unlike in the paper, the residual of the compositing equation is
    distributed over F and B with minimum norm, and the pyramid has more levels. This about halves the error on six
    composites, on which the constants were also chosen.

    Args:
        photo: uint8 RGB, (height, width, 3).
        alpha: float32 in [0, 1], (height, width).

    Returns:
        uint8 RGB, (height, width, 3). Equal to the photo where alpha rounds to 255 in 8 bits. Where alpha is 0, the
        extrapolated colour of nearby hair; black far from any hair.

    Example:
        >>> photo, alpha = np.full((6, 6, 3), 200, np.uint8), np.ones((6, 6), np.float32)
        >>> photo[:, 3:], alpha[:, 3:] = 40, 0  # bright hair on the left
        >>> photo[:, 3], alpha[:, 3] = 120, 0.5  # a soft edge: half hair, half wall
        >>> int(estimate_foreground(photo, alpha)[3, 3, 0]) > 180
        True
    """
    pyramid = [(photo, alpha)]
    while max(pyramid[-1][1].shape) > COARSEST_SIDE:
        smaller_photo, smaller_alpha = map(_halve, pyramid[-1])
        pyramid.append((smaller_photo, smaller_alpha))
    foreground = background = pyramid[-1][0].astype(np.float32)
    for level_photo, level_alpha in reversed(pyramid[1:] or pyramid):
        if max(level_alpha.shape) > FINEST_SIDE:
            break
        foreground, background = _resize_like(foreground, level_alpha), _resize_like(background, level_alpha)
        for _ in range(COARSE_ITERATIONS if max(level_alpha.shape) <= COARSE_SIDE else 1):
            foreground, background = _local_mean(foreground, level_alpha), _local_mean(background, 1 - level_alpha)
            foreground, background = _project(level_photo, foreground, background, level_alpha)

    # At full resolution, only the pixels of the soft edges are computed.
    foreground, background = _resize_like(foreground, alpha), _resize_like(background, alpha)
    result = cv2.convertScaleAbs(foreground)
    soft = np.flatnonzero((alpha > MIN_ALPHA) & (alpha < 1 - MIN_ALPHA))
    if soft.size:
        edge_photo, edge_foreground, edge_background = (
            np.take(picture.reshape(-1, 3), soft, axis=0) for picture in (photo, foreground, background)
        )
        edge_foreground, _ = _project(edge_photo, edge_foreground, edge_background, np.take(alpha, soft))
        result.reshape(-1, 3)[soft] = np.rint(edge_foreground)
    cv2.copyTo(photo, (alpha >= 1 - MIN_ALPHA).astype(np.uint8), result)
    return result


def repeat_channel(plane: np.ndarray) -> np.ndarray:
    """Repeat a plane (height, width) to (height, width, 3), which is faster than NumPy's broadcasting."""
    return cv2.merge([plane, plane, plane])


def _halve(picture: np.ndarray) -> np.ndarray:
    """Halve width and height. OpenCV averages exact 2 x 2 blocks several times as fast as other sizes."""
    height, width = picture.shape[:2]
    picture = cv2.copyMakeBorder(picture, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    return cv2.resize(picture, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA)


def _local_mean(colour: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Compute the weighted mean colour in a window around each pixel."""
    total = cv2.blur(weight, WINDOW) + 1e-5
    return cv2.blur(colour * repeat_channel(weight), WINDOW) / repeat_channel(total)


def _project(
    photo: np.ndarray, foreground: np.ndarray, background: np.ndarray, alpha: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the pair (F, B) nearest to the given one that composites to the photo, clipped to valid colours."""
    alpha = repeat_channel(alpha).reshape(photo.shape)
    residual = (photo - background - alpha * (foreground - background)) / (1 - 2 * alpha * (1 - alpha))
    return np.clip(foreground + alpha * residual, 0, 255), np.clip(background + (1 - alpha) * residual, 0, 255)


def _resize_like(picture: np.ndarray, reference: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, reference.shape[::-1], interpolation=cv2.INTER_LINEAR)
