"""Dyes as lookup tables over the hair's lightness: a tone curve, and a ramp of the pigment's colour.

Every table has LEVELS entries for CIE L* from 0 to 100.
"""

import cv2
import numpy as np

from hairseg.recolouring.light import LUMINANCE_WEIGHTS, srgb_to_linear

LEVELS = 4096

PERCENTILES = np.array([5, 25, 50, 75, 95])

# CIE L* of hair in photographs: a row per median lightness, with columns for PERCENTILES and the brightest sheen. The
# percentiles are rounded medians over photos of similar hair, in total 867 of CelebAMask-HQ and Figaro1k (training and
# test). The sheen, 5 to 10 above the 99th percentile, and the last row were chosen by eye.
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

CONTRAST_POWER = 0.6  # exponent of the ratio of the hair's contrast to a typical one; 0 makes all contrast typical

MAX_COVER = 0.2  # by which bright strands approach the median, as a fraction
FULL_COVER = 30.0  # L* by which hair is darkened

MAX_SLOPE = 7.0  # of the tone curve; steeper curves make noise in brightened black hair visible
MAX_GRAIN_GAIN = 2.5  # bounds the gain of noise, which is a part of the grain

# For natural hair colours, shadows absorb more green and blue, and highlights keep some colour. With these
# values, light blond has about the hue and chroma of natural blond hair (medians over 48 training photos of Figaro1k).
NATURAL_SHADE = np.array([0.0, 0.13, 0.22])  # extra darkening of red, green and blue in stops, per stop of shade
NATURAL_SHEEN = 0.35  # exponent of the pigment in the brightest sheen; 0 gives white
NATURAL_HUE = ((40, 55, 90, 105), (0, 1, 1, 0))  # hue angles in degrees, and the naturalness at each
NATURAL_CHROMA = ((8, 24, 40, 60), (0, 1, 1, 0))  # likewise

FULLY_LIT = 0.1  # luminance from which colours take the full tint of the light; black would turn olive in warm light

BLACK_POINT = 0.3  # maximum new lightness of L* 0, as a fraction of the target: unlit hair shows no strands
LIT_LIGHTNESS = 7.5  # L* at which the maximum reaches the target

NEUTRAL_LIGHT = np.ones(3)

LINEAR_BLACK, LINEAR_WHITE = 0.002, 0.9712  # linear light; prevents clipping of dyed channels at 0 and 255


def lightness_index(lightness: np.ndarray) -> np.ndarray:
    """Convert L* to an index into the tables, uint16 of the same shape."""
    return np.rint(np.clip(lightness, 0, 100) * ((LEVELS - 1) / 100)).astype(np.uint16)


def tone_curve(percentiles: np.ndarray, target: float) -> tuple[np.ndarray, np.ndarray]:
    """Compute the curve from the hair's lightness to that of photographed hair with another median.

    This is histogram matching at a few percentiles, with a smooth and monotone interpolation.

    Args:
        percentiles: L* of the hair at PERCENTILES.
        target: new median L*, 0 to 100.

    Returns:
        (curve, gain), float32 (LEVELS,) each: the new L*, and the factor of the fine grain.
    """
    median = percentiles[2]
    typical, typical_target = _typical_lightness(median), _typical_lightness(target)
    contrast = np.clip((percentiles - median + 1e-3) / (typical[:5] - median + 1e-3), 0.4, 1.8) ** CONTRAST_POWER
    x = np.concatenate([[0], percentiles + 0.01 * np.arange(1, 6), [106]])
    y = np.concatenate([[0], target + (typical_target[:5] - target) * contrast, [typical_target[5] + 1]])
    # Dark dye covers light strands, of which only the sheen remains.
    cover = np.clip((median - target) / FULL_COVER, 0, 1)
    y[4:] -= MAX_COVER * cover * (y[4:] - target)
    y = np.minimum(y, target * (BLACK_POINT + (1 - BLACK_POINT) * x / LIT_LIGHTNESS))
    # Bound the slope, from the median, which is unchanged, outwards.
    max_rise = MAX_SLOPE * np.diff(x)
    for i in (2, 1, 0):
        y[i] = max(1, y[i], y[i + 1] - max_rise[i])
    for i in (4, 5, 6):
        y[i] = min(y[i], y[i - 1] + max_rise[i - 1])
    y[0] = max(1, y[1] - max_rise[0])
    grid = np.linspace(0, 100, LEVELS)
    curve = _monotone_cubic(grid, x, np.maximum.accumulate(y))
    gain = np.clip(np.gradient(curve, grid), 0, MAX_GRAIN_GAIN)
    return curve.astype(np.float32), gain.astype(np.float32)


def pigment_ramp(
    rgb: tuple[int, int, int], vividness: float, light: np.ndarray = NEUTRAL_LIGHT
) -> tuple[np.ndarray, float]:
    """Compute the colours of one pigment from its deepest shade to its sheen.

    Pigment absorbs light exponentially with its thickness (Beer-Lambert law), so that powers of the linear colour are
    the same pigment at other thicknesses: above 1 in the shade, where light has passed many strands, and down to 0,
    white, in the sheen. Natural colours have a redder shade and a coloured sheen.

    Args:
        rgb: colour of the mid-tones, 0 to 255.
        vividness: -1 to 1; scales the difference to grey by 0.6 to 1.4.
        light: colour of the light, factors of linear red, green and blue (3,).

    Returns:
        (ramp, lightness). The ramp is float32 (3, LEVELS): a*, b*, and the headroom in [0, 1], the fraction of a hue
        variation that stays inside the gamut. The lightness is L* of the colour itself.
    """
    pigment = srgb_to_linear(np.array(rgb) / 255)
    grey = pigment @ LUMINANCE_WEIGHTS
    light = light ** min(1, grey / FULLY_LIT)
    pigment = np.clip(grey + (1 + 0.4 * vividness) * (pigment - grey), 0.006, 0.97)
    stops = np.linspace(9, 0, 300)[:, None]
    natural = _naturalness(pigment)
    shade = pigment ** (1 + 0.2 * stops) * 2.0 ** -(stops * (1 + natural * NATURAL_SHADE))
    sheen = pigment ** np.linspace(1, natural * NATURAL_SHEEN, 300)[1:, None]
    linear = np.minimum(light * np.concatenate([shade, sheen]), 1)
    linear = LINEAR_BLACK + (LINEAR_WHITE - LINEAR_BLACK) * linear
    lab = cv2.cvtColor(linear.astype(np.float32)[None], cv2.COLOR_LRGB2Lab)[0]
    encoded = linear ** (1 / 2.4)
    headroom = np.clip((np.minimum(encoded, 1 - encoded).min(axis=1) - 0.12) / 0.25, 0, 1)
    grid = np.linspace(0, 100, LEVELS)
    ramp = [np.interp(grid, lab[:, 0], values) for values in (lab[:, 1], lab[:, 2], headroom)]
    return np.array(ramp, np.float32), float(lab[len(stops) - 1, 0])


def _naturalness(pigment: np.ndarray) -> float:
    """Return how much a linear colour is like that of natural hair, from 0 to 1."""
    _, a, b = cv2.cvtColor(pigment.astype(np.float32)[None, None], cv2.COLOR_LRGB2Lab)[0, 0]
    return float(np.interp(np.degrees(np.arctan2(b, a)), *NATURAL_HUE) * np.interp(np.hypot(a, b), *NATURAL_CHROMA))


def _typical_lightness(median: float) -> np.ndarray:
    """Interpolate TYPICAL_LIGHTNESS at a median."""
    return np.array([np.interp(median, TYPICAL_LIGHTNESS[:, 2], column) for column in TYPICAL_LIGHTNESS.T])


def _monotone_cubic(at: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Interpolate (x, y) monotonically (Fritsch and Butland, SIAM J. Sci. Stat. Comput. 5, 1984)."""
    step, rise = np.diff(x), np.diff(y)
    secant = rise / step
    slope = 2 * secant[:-1] * secant[1:] / (secant[:-1] + secant[1:] + 1e-12)
    slope = np.concatenate([secant[:1], slope, secant[-1:]])
    i = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(step) - 1)
    t = (at - x[i]) / step[i]
    bend = slope[i] * (1 - t) - slope[i + 1] * t
    return y[i] + rise[i] * t * t * (3 - 2 * t) + step[i] * t * (1 - t) * bend
