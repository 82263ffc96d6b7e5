"""Estimation of the colour of the light in a photo, so that dyed hair is lit like the skin beside it."""

import cv2
import numpy as np

from hairseg.images import downsample, fit_size
from hairseg.recolouring.light import LINEAR_LIGHT_TABLE, LUMINANCE_WEIGHTS, rgb_to_lightness

GRID_SIDE = 128  # pixels, longer side
MAX_HAIR_ALPHA = 0.05  # pixels above it are hair, whose pigment would be taken for the colour of the light
MAX_VALUE = 250  # of 255; brighter channels may be clipped

MINKOWSKI_NORM = 4  # of the mean; bright pixels count more

# Skin near the hair. The ranges of Cr and Cb follow D. Chai and K. N. Ngan, "Face Segmentation Using Skin-Color Map in
# Videophone Applications", TCSVT 1999; that of Cr is narrower.
SKIN_CR, SKIN_CB = (136, 173), (77, 127)
MIN_SKIN_LIGHTNESS = 25
SKIN_DISTANCE = 0.1  # of the longer side
MIN_SKIN_PIXELS = 40

# Logarithms of R/G and B/G in linear light: medians over 410 photos of CelebAMask-HQ and Figaro1k (training), for the
# Minkowski mean, and for skin at several L*. Photos with these values have neutral light.
TYPICAL_MEAN = np.array([0.20, -0.08])
SKIN_LIGHTNESS = np.array([30, 45, 55, 65, 75, 85])
TYPICAL_SKIN = np.array([[0.85, 0.80, 0.65, 0.61, 0.48, 0.31], [-0.35, -0.58, -0.43, -0.43, -0.34, -0.28]])

# Illuminants differ mostly along one axis, from blue sky to candles. A deviation across it, to green or magenta, comes
# from foliage and walls.
WARM_AXIS = np.array([0.6, -0.8])
# On the same photos, the colour of natural hair shifts by about half the deviation of each cue.
CUE_WEIGHT = 0.5
DEAD_ZONE = 0.06  # smaller deviations are ignored
COOLEST, WARMEST = -0.1, 0.5  # larger deviations may be a coloured wall


def estimate_light(photo: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Estimate the colour of the light, relative to that of a typical photo.

    The mean of two cues: shades of grey (G. Finlayson and E. Trezzi, "Shades of Gray and Colour Constancy", CIC 2004)
    of everything but the hair, and the colour of skin near the hair, compared with skin of the same lightness. Only
    warmth is estimated.

    Args:
        photo: uint8 RGB, (height, width, 3).
        alpha: float32 in [0, 1], (height, width).

    Returns:
        float64 (3,), factors of linear red, green and blue; they keep the luminance of grey.

    Example:
        >>> photo, alpha = np.full((20, 20, 3), (180, 140, 90), np.uint8), np.zeros((20, 20), np.float32)
        >>> red, _, blue = estimate_light(photo, alpha)  # warm light
        >>> bool(red > 1.05), bool(blue < 0.95)
        (True, True)
    """
    size = fit_size(photo.shape, min(GRID_SIDE, max(photo.shape[:2])))
    small, small_alpha = downsample(photo, size), downsample(alpha, size)
    linear = cv2.LUT(small, LINEAR_LIGHT_TABLE)
    usable = (small_alpha <= MAX_HAIR_ALPHA) & (small.max(axis=2) <= MAX_VALUE)
    if not usable.any():
        return np.ones(3)
    mean = np.mean(linear[usable] ** MINKOWSKI_NORM, axis=0) ** (1 / MINKOWSKI_NORM)
    deviations = [_log_ratios(mean) - TYPICAL_MEAN]

    lightness = rgb_to_lightness(small)
    side = 2 * round(SKIN_DISTANCE * max(size)) + 1
    near = cv2.dilate((small_alpha > 0.5).astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    skin = usable & near & (lightness > MIN_SKIN_LIGHTNESS) & _has_skin_colour(small)
    if np.count_nonzero(skin) >= MIN_SKIN_PIXELS:
        skin &= lightness >= np.percentile(lightness[skin], 40)  # shaded skin is lit by its surroundings
        skin_lightness = np.median(lightness[skin])
        typical = np.array([np.interp(skin_lightness, SKIN_LIGHTNESS, values) for values in TYPICAL_SKIN])
        deviations.append(_log_ratios(np.median(linear[skin], axis=0)) - typical)

    warmth = np.mean([np.clip(cue @ WARM_AXIS, COOLEST, WARMEST) for cue in deviations])
    warmth = CUE_WEIGHT * len(deviations) ** 0.5 * np.sign(warmth) * max(abs(warmth) - DEAD_ZONE, 0)
    light = np.exp(warmth * np.array([WARM_AXIS[0], 0, WARM_AXIS[1]]))
    return light / (light @ LUMINANCE_WEIGHTS)


def _log_ratios(rgb: np.ndarray) -> np.ndarray:
    """Return the logarithms of R/G and B/G of linear RGB."""
    red, green, blue = np.log(np.maximum(rgb, 1e-4))
    return np.array([red - green, blue - green])


def _has_skin_colour(picture: np.ndarray) -> np.ndarray:
    """Return which pixels of uint8 RGB (height, width, 3) have the colour of skin, light or dark."""
    _, cr, cb = cv2.split(cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb))
    return (cr >= SKIN_CR[0]) & (cr <= SKIN_CR[1]) & (cb >= SKIN_CB[0]) & (cb <= SKIN_CB[1])
