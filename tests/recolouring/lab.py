"""CIELAB by the published formulas, independent of the code under test."""

import numpy as np


def lab(rgb):
    """Convert sRGB, 0 to 255, to CIELAB, D65 (IEC 61966-2-1, CIE 15)."""
    rgb = np.asarray(rgb, float) / 255
    return linear_to_lab(np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4))


def linear_to_lab(linear):
    """Convert linear sRGB, 0 to 1, to CIELAB, D65."""
    matrix = [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
    xyz = np.asarray(linear) @ np.array(matrix).T / [0.950456, 1, 1.088754]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)
