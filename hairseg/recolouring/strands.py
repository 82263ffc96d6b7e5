"""Structure of the hair in a photo: lightness without noise, hue variation, root-to-tip position, and strands.

Lightness is CIE L*, float32 (height, width), 0 to 100. Alpha is float32 in [0, 1], (height, width). Slowly varying
quantities are computed on a small grid.
"""

import cv2
import numpy as np

from hairseg.images import downsample, fit_size

GRID_SIDE = 128  # pixels, longer side

# Limits of lightness near edges, below and above the local mean: standard deviations, plus L*.
EDGE_RANGE = ((1.8, 3.0), (0.6, 1.0))

CURL_SIZE = 2.0  # standard deviation of a neighbourhood, cells of the grid

STREAK_GRID_SIDE = 320  # pixels, longer side
STREAK_STEPS = 16  # of the line integral convolution, in each direction
STREAK_STEP_LENGTH = 2.5  # pixels


def lab_on_grid(colour: np.ndarray) -> np.ndarray:
    """Convert uint8 RGB (height, width, 3) to CIELAB on the small grid, float32 (rows, columns, 3)."""
    return cv2.cvtColor(_to_grid(colour).astype(np.float32) / 255, cv2.COLOR_RGB2Lab)


def clamp_edge_lightness(lightness: np.ndarray, core: np.ndarray) -> np.ndarray:
    """Clamp lightness near the edges to the range of the hair farther inside.

    Otherwise, where alpha extends onto a face or a wall, dyed hair has a bright rim.

    Args:
        lightness: CIE L*.
        core: bool, (height, width), pixels that are certainly hair.

    Returns:
        CIE L*, unchanged inside the hair.
    """
    small = _to_grid(lightness)
    inner = cv2.erode(_to_grid(core.astype(np.float32)), np.ones((5, 5)))
    # Thin braids have no inner pixels. A small weight of the global mean keeps the local statistics defined there.
    weight = cv2.GaussianBlur(inner, (0, 0), 3) + 1e-3
    global_mean = np.average(small, weights=inner + 1e-9)
    mean = (cv2.GaussianBlur(inner * small, (0, 0), 3) + 1e-3 * global_mean) / weight
    deviation = np.sqrt((cv2.GaussianBlur(inner * (small - mean) ** 2, (0, 0), 3) + 1e-3 * 20**2) / weight)
    (deviations_below, below), (deviations_above, above) = EDGE_RANGE
    inner, lowest, highest = (
        cv2.resize(plane, core.shape[::-1], interpolation=cv2.INTER_LINEAR)
        for plane in (inner, mean - deviations_below * deviation - below, mean + deviations_above * deviation + above)
    )
    clamped = cv2.min(cv2.max(lightness, lowest), highest)
    return clamped + inner * (lightness - clamped)


def smooth_lightness(lightness: np.ndarray, core: np.ndarray) -> np.ndarray:
    """Smooth lightness with a self-guided filter (He et al., ECCV 2010), which keeps strands and removes noise.

    The 30th percentile of the local variance estimates the variance of the noise.

    Args:
        lightness: CIE L*.
        core: bool, (height, width), pixels that are certainly hair.
    """
    radius = max(1, round(np.sqrt(np.count_nonzero(core)) / 150))
    window = (2 * radius + 1, 2 * radius + 1)
    mean = cv2.blur(lightness, window)
    variance = np.maximum(cv2.blur(lightness * lightness, window) - mean * mean, 0)
    noise = np.clip(np.percentile(variance[core][::7], 30), 0.3**2, 1.5**2)
    slope = variance / (variance + 4 * np.float32(noise))
    smooth = cv2.blur(slope, window) * lightness + cv2.blur((1 - slope) * mean, window)
    return cv2.GaussianBlur(smooth, (3, 3), 0)


def local_mean(lightness: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Compute the local mean lightness of hair, over neighbourhoods of the size of a curl.

    Args:
        lightness: CIE L*.
        alpha: float32 in [0, 1], (height, width).

    Returns:
        CIE L*, float32 (height, width).
    """
    weight = _to_grid(alpha) + 1e-3
    total = cv2.GaussianBlur(weight * _to_grid(lightness), (0, 0), CURL_SIZE)
    mean = cv2.divide(total, cv2.GaussianBlur(weight, (0, 0), CURL_SIZE))
    return cv2.resize(mean, alpha.shape[::-1], interpolation=cv2.INTER_LINEAR)


def hue_variation(lab: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Compute the local deviation of a*, b* from their mean, without the part that is linear in lightness.

    Args:
        lab: CIELAB of the hair's foreground colour on the small grid, float32 (rows, columns, 3).
        alpha: float32 in [0, 1], (height, width).

    Returns:
        float32, (height, width, 2), of magnitude at most 20.
    """
    lightness, *hues = cv2.split(cv2.GaussianBlur(lab, (0, 0), 1))
    weight = _to_grid(alpha) + 1e-6
    lightness = lightness - np.average(lightness, weights=weight)
    regressor = weight * lightness / (np.sum(weight * lightness * lightness) + 1)
    hues = [hue - np.average(hue, weights=weight) for hue in hues]
    hues = [hue - np.sum(regressor * hue) * lightness for hue in hues]
    scale = 20 / np.maximum(cv2.magnitude(*hues), 20)
    return cv2.resize(cv2.merge([scale * hue for hue in hues]), alpha.shape[::-1], interpolation=cv2.INTER_LINEAR)


def root_to_tip(alpha: np.ndarray) -> np.ndarray:
    """Compute the position of each pixel along the hair, float32 from 0 at the roots to 1 at the tips.

    The direction is straight down, since hair hangs, turned towards the principal axis of alpha, and more so for longer
    hair and a steeper axis. 0 and 1 are the 2nd and 98th percentile of the positions.
    """
    height, width = alpha.shape
    moments = cv2.moments(alpha)
    covariance = np.array([[moments["mu20"], moments["mu11"]], [moments["mu11"], moments["mu02"]]]) / moments["m00"]
    (minor, major), axes = np.linalg.eigh(covariance + np.eye(2))
    direction = np.array([0, 1]) + 2 * (1 - minor / major) * axes[1, 1] * axes[:, 1]
    direction_x, direction_y = (direction / np.linalg.norm(direction)).astype(np.float32)

    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    position = direction_x * x + direction_y * y[:, None]
    step = max(1, max(height, width) // GRID_SIDE)
    hair = alpha[::step, ::step] > 0.1 * alpha.max()
    if hair.any():
        root, tip = (np.percentile(position[::step, ::step][hair], q) for q in (2, 98))
    else:
        root, tip = position.min(), position.max()
    return np.clip((position - root) / max(tip - root, 1), 0, 1).astype(np.float32)


def strand_rank(lightness: np.ndarray) -> np.ndarray:
    """Rank strands in a random but repeatable order, so that a threshold selects any fraction of them.

    Line integral convolution (Cabral and Leedom, SIGGRAPH 1993) averages noise along the strands. Their direction is
    the eigenvector of the structure tensor with the smaller eigenvalue.

    Args:
        lightness: CIE L*.

    Returns:
        float32 in [0, 1], (height, width), uniformly distributed, and about constant along each strand.
    """
    small = _to_grid(lightness, STREAK_GRID_SIDE)
    gradient_x, gradient_y = cv2.Sobel(small, cv2.CV_32F, 1, 0), cv2.Sobel(small, cv2.CV_32F, 0, 1)
    xx, yy, xy = (
        cv2.GaussianBlur(product, (0, 0), 4) for product in (gradient_x**2, gradient_y**2, gradient_x * gradient_y)
    )
    angle = 0.5 * np.arctan2(2 * xy, xx - yy) + np.pi / 2
    # Scale steps by the coherence: kinky hair has no dominant direction, and steps stay within a small spot.
    coherence = np.sqrt((xx - yy) ** 2 + 4 * xy**2) / (xx + yy + 1e-6)
    noise = np.random.default_rng(0).standard_normal(small.shape, dtype=np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), 1.2)
    field = cv2.merge([noise, coherence * np.cos(angle), coherence * np.sin(angle)]).reshape(-1, 3)

    rows, columns = small.shape
    pixels = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=2).reshape(-1, 2).astype(np.float32)
    total = field[:, 0].copy()
    for heading in (field[:, 1:], -field[:, 1:]):
        position = pixels
        for _ in range(STREAK_STEPS):
            position = position + STREAK_STEP_LENGTH * heading
            position = np.clip(position, 0, np.array([columns - 1, rows - 1], np.float32))
            nearest = np.rint(position).astype(np.intp)
            samples = np.take(field, nearest[:, 1] * columns + nearest[:, 0], axis=0)
            total += samples[:, 0]
            # Directions have no sign: reverse those that lead back.
            reversed_ = samples[:, 1] * heading[:, 0] + samples[:, 2] * heading[:, 1] < 0
            heading = np.where(reversed_[:, None], -samples[:, 1:], samples[:, 1:])
    rank = np.empty(total.size, np.float32)
    rank[np.argsort(total, kind="stable")] = np.linspace(0, 1, total.size)
    return cv2.resize(rank.reshape(small.shape), lightness.shape[::-1], interpolation=cv2.INTER_LINEAR)


def _to_grid(picture: np.ndarray, longer_side: int = GRID_SIDE) -> np.ndarray:
    """Downsample so that the longer side is at most `longer_side` pixels."""
    return downsample(picture, fit_size(picture.shape, min(longer_side, max(picture.shape[:2]))))
