"""What a dye does to lightness and to hue, as look-up tables over the lightness of the hair.

Every table has LEVELS entries for CIE L* from 0 to 100.
"""

import cv2
import numpy as np

from hairseg.recolouring.light import LUMINANCE, linear_light

LEVELS = 4096

PERCENTILES = np.array([5, 25, 50, 75, 95])

# L* of hair in photographs at those percentiles, and of its brightest sheen. The third column is the row's key. The
# percentiles are medians over photos of similar hair, of 867 of CelebAMask-HQ and Figaro1k (both parts of the latter),
# rounded by hand. Set by eye, not measured: the sheen, some 5 to 10 above the 99th percentile, and the whole last row.
TYPICAL_LIGHTNESS = np.array(
    [
        [0.5, 1.9, 4.3, 9.9, 29.0, 55.0],
        [2.3, 4.5, 9.0, 16.5, 33.0, 58.0],
        [4.0, 8.7, 15.3, 25.0, 42.5, 66.0],
        [7.8, 16.2, 24.9, 35.5, 53.5, 76.0],
        [12.3, 23.5, 34.3, 47.0, 64.6, 85.0],
        [16.7, 31.6, 44.8, 57.9, 74.1, 93.0],
        [24.1, 41.9, 54.1, 67.0, 80.5, 96.0],
        [34.0, 52.0, 65.0, 76.0, 87.5, 98.0],
        [46.4, 63.6, 75.6, 83.5, 91.4, 99.0],
        [58.0, 76.0, 86.0, 91.0, 95.0, 99.5],
    ]
)

OWN_CONTRAST = 0.6  # how much of an unusual contrast is kept, as a power: 0 nothing, 1 all

STEEPEST = 7.0  # slope of the curve; more would show the noise of lifted black hair

DARKEST = 0.35  # share of the goal that L* 0 may be lifted to: where no light fell there is no strand to show

LIT = 7.5  # L* from which hair may reach the whole goal

STEEPEST_GRAIN = 2.5  # for grain, which is too weak to be told from noise

FLARE, WHITEST = 0.002, 0.9712  # of linear light, 0 to 1: no dyed channel clips at 0 or 255


def level(lightness: np.ndarray) -> np.ndarray:
    """L* -> index into the tables, uint16 of the same shape."""
    return np.rint(np.clip(lightness, 0, 100) * ((LEVELS - 1) / 100)).astype(np.uint16)


def tone_curve(own: np.ndarray, goal: float) -> tuple[np.ndarray, np.ndarray]:
    """The curve that takes hair from its own lightness to that of photographed hair with another median.

    Histogram matching through a few percentiles, so that it is smooth and keeps the order of any two pixels.

    Args:
        own: L* at PERCENTILES of the hair.
        goal: L* its median is to have, 0 to 100.

    Returns:
        (curve, gain), float32, (LEVELS,): the new L* of every old one; what fine grain is to be multiplied by there.
    """
    median = own[2]
    typical, typical_goal = _typical_lightness(median), _typical_lightness(goal)
    contrast = np.clip((own - median + 1e-3) / (typical[:5] - median + 1e-3), 0.4, 1.8) ** OWN_CONTRAST
    x = np.concatenate([[0], own + 0.01 * np.arange(1, 6), [106]])
    y = np.concatenate([[0], goal + (typical_goal[:5] - goal) * contrast, [typical_goal[5] + 1]])
    y = np.minimum(y, goal * (DARKEST + (1 - DARKEST) * x / LIT))
    # a bounded slope, outwards from the median: that one keeps its place
    furthest = STEEPEST * np.diff(x)
    for i in (2, 1, 0):
        y[i] = max(1, y[i], y[i + 1] - furthest[i])
    for i in (4, 5, 6):
        y[i] = min(y[i], y[i - 1] + furthest[i - 1])
    y[0] = max(1, y[1] - furthest[0])
    grid = np.linspace(0, 100, LEVELS)
    curve = _monotone_cubic(grid, x, np.maximum.accumulate(y))
    gain = np.clip(np.gradient(curve, grid), 0, STEEPEST_GRAIN)
    return curve.astype(np.float32), gain.astype(np.float32)


def pigment_ramp(rgb: tuple[int, int, int], vividness: float) -> tuple[np.ndarray, float]:
    """The colours that hair of one pigment shows, from the deepest shade to the sheen.

    Pigment absorbs light exponentially with its thickness (Beer and Lambert), so that a power of the linear colour is
    the same pigment in another thickness: above 1 in the shade, where light has passed many strands; falling to 0,
    which is white, towards the sheen. Blond hair in photographs is redder in its shade by 10 to 15 degrees; so it is
    here.

    Args:
        rgb: the colour in mid-tones, 0 to 255.
        vividness: -1 to 1; the distance from grey is multiplied by 0.6 to 1.4.

    Returns:
        (ramp, lightness): float32 (3, LEVELS), a*, b* and the share (0 to 1) of a further deviation in hue that the
        gamut has room for; L* of the colour itself.
    """
    pigment = linear_light(np.array(rgb) / 255)
    grey = pigment @ LUMINANCE
    pigment = np.clip(grey + (1 + 0.4 * vividness) * (pigment - grey), 0.006, 0.97)
    stops = np.linspace(9, 0, 300)[:, None]
    shade = pigment ** (1 + 0.2 * stops) * 2.0**-stops
    light = pigment ** np.linspace(1, 0, 300)[1:, None]
    linear = FLARE + (WHITEST - FLARE) * np.concatenate([shade, light])
    lab = cv2.cvtColor(linear.astype(np.float32)[None], cv2.COLOR_LRGB2Lab)[0]
    encoded = linear ** (1 / 2.4)
    room = np.clip((np.minimum(encoded, 1 - encoded).min(axis=1) - 0.12) / 0.25, 0, 1)
    grid = np.linspace(0, 100, LEVELS)
    ramp = [np.interp(grid, lab[:, 0], values) for values in (lab[:, 1], lab[:, 2], room)]
    return np.array(ramp, np.float32), float(lab[len(stops) - 1, 0])


def _typical_lightness(median):
    return np.array([np.interp(median, TYPICAL_LIGHTNESS[:, 2], column) for column in TYPICAL_LIGHTNESS.T])


def _monotone_cubic(at, x, y):
    """Cubic through (x, y) that rises where the points do (Fritsch and Butland, SIAM J. Sci. Stat. Comput. 5, 1984)."""
    step, rise = np.diff(x), np.diff(y)
    secant = rise / step
    slope = 2 * secant[:-1] * secant[1:] / (secant[:-1] + secant[1:] + 1e-12)
    slope = np.concatenate([secant[:1], slope, secant[-1:]])
    i = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(step) - 1)
    t = (at - x[i]) / step[i]
    bend = slope[i] * (1 - t) - slope[i + 1] * t
    return y[i] + rise[i] * t * t * (3 - 2 * t) + step[i] * t * (1 - t) * bend
