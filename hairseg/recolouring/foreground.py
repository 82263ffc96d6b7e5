"""The hair's own colour in its soft edges.

A photo's pixel at the edge of the hair mixes hair and background: I = alpha F + (1 - alpha) B. Whatever moves or
recolours hair needs F, the hair's own colour, or it drags the background along as a halo.
"""

import cv2
import numpy as np

from hairseg.recolouring.pixels import pick, put

COARSEST_SIDE = 24  # pixels, the longer side at most, of the picture where the means begin

FINEST_SIDE = 1024  # and where they end: colours change more slowly than edges do

ROUNDS, CHEAP_SIDE = 3, 256  # levels up to that side are gone over that often, larger ones once

RADIUS = 2  # of the window of a mean, in pixels

UNSEEN = 1 / 510  # alpha this near to 0 or 1 is that once written in 8 bits


def estimate_foreground(photo: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The hair's own colour F in every pixel, as if nothing shone through between the strands.

    Blur fusion (M. Forte, "Approximate Fast Foreground Colour Estimation", ICIP 2021) up a pyramid, so that colour
    travels far in small pictures and is refined in larger ones. Unlike there, what the compositing equation leaves over
    is shared between F and B in the smallest step that satisfies it, which with the finer pyramid
    about halves the error (six composites of hair photos, on which the constants above were also chosen).

    Args:
        photo: uint8 RGB, (height, width, 3).
        alpha: float32 in [0, 1], (height, width).

    Returns:
        uint8 RGB of the photo's size. Where alpha is 1, in 8 bits, it is the photo. Where alpha is 0, the colour of
        nearby hair continues outwards; far from all hair it is black.

    Example:
        >>> photo, alpha = np.full((6, 6, 3), 200, np.uint8), np.ones((6, 6), np.float32)
        >>> photo[:, 3:], alpha[:, 3:] = 40, 0  # bright hair on the left
        >>> photo[:, 3], alpha[:, 3] = 120, 0.5  # and its soft edge, half hair, half wall
        >>> int(estimate_foreground(photo, alpha)[3, 3, 0]) > 180
        True
    """
    pyramid = [(photo, alpha)]
    while max(pyramid[-1][1].shape) > COARSEST_SIDE:
        smaller_photo, smaller_alpha = map(_halved, pyramid[-1])
        pyramid.append((smaller_photo, smaller_alpha))
    foreground = background = pyramid[-1][0].astype(np.float32)
    for small_photo, small_alpha in reversed(pyramid[1:] or pyramid):
        if max(small_alpha.shape) > FINEST_SIDE:
            break
        foreground, background = _scale_to(foreground, small_alpha), _scale_to(background, small_alpha)
        for _ in range(ROUNDS if max(small_alpha.shape) <= CHEAP_SIDE else 1):
            foreground, background = _local_mean(foreground, small_alpha), _local_mean(background, 1 - small_alpha)
            foreground, background = _satisfy_compositing(small_photo, foreground, background, small_alpha)

    # at full size only the soft edge is left to do, few pixels of the photo: they are worked on as a flat list
    soft = np.flatnonzero((alpha > UNSEEN) & (alpha < 1 - UNSEEN))
    foreground, background = _scale_to(foreground, alpha), _scale_to(background, alpha)
    result = cv2.convertScaleAbs(foreground)
    if soft.size:
        edge_foreground, edge_background = (
            np.take(picture.reshape(-1, 3), soft, axis=0) for picture in (foreground, background)
        )
        edge = pick(photo, soft), edge_foreground, edge_background, np.take(alpha, soft)
        edge_foreground, _ = _satisfy_compositing(*(values[None] for values in edge))
        result = put(result, soft, np.rint(edge_foreground[0]).astype(np.uint8))
    cv2.copyTo(photo, (alpha >= 1 - UNSEEN).astype(np.uint8), result)
    return result


def _halved(picture):
    """At half the size. A last odd row or column counts twice: by exact halves it is several times as fast."""
    height, width = picture.shape[:2]
    picture = cv2.copyMakeBorder(picture, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    return cv2.resize(picture, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA)


def _local_mean(colour, weight):
    """Mean colour in a window around every pixel, each pixel counted by its weight."""
    window = (2 * RADIUS + 1, 2 * RADIUS + 1)
    total = cv2.blur(weight, window) + 1e-5
    return cv2.blur(colour * _thrice(weight), window) / _thrice(total)


def _satisfy_compositing(photo, foreground, background, alpha):
    """The pair (F, B) nearest to the given one that composites to the photo, clipped to valid colours."""
    alpha = _thrice(alpha)
    excess = (photo - background - alpha * (foreground - background)) / (1 - 2 * alpha * (1 - alpha))
    return np.clip(foreground + alpha * excess, 0, 255), np.clip(background + (1 - alpha) * excess, 0, 255)


def _thrice(plane):
    """The plane for each channel of a picture: several times faster than broadcasting over three values at a time."""
    return cv2.merge([plane, plane, plane])


def _scale_to(picture, like):
    return cv2.resize(picture, like.shape[::-1], interpolation=cv2.INTER_LINEAR)
