"""What can be read from the hair in a photo.

Its lightness without what is not hair or not strand, its variation of hue, the direction from root to tip, and the
strands that a hairdresser would pick for highlights.

Pictures are (height, width), lightness is CIE L*, alpha float32 in [0, 1]. Slow changes are looked for on a small grid.
"""

import cv2
import numpy as np

from hairseg.images import downsample

GRID_SIDE = 128

STREAK_SIDE = 320

STREAK_STEPS, STREAK_STEP = 16, 2.5  # walked to either side of a pixel; the length of one in pixels


def lab_on_grid(colour: np.ndarray) -> np.ndarray:
    """CIELAB of a picture, uint8 RGB (height, width, 3), on the small grid: float32 (rows, columns, 3)."""
    small = downsample(colour, _fit(colour, GRID_SIDE))
    return cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)


def clamp_edge_lightness(lightness: np.ndarray, core: np.ndarray) -> np.ndarray:
    """Lightness, near the edges no further from that of the hair further in than such hair varies.

    An alpha that reaches onto a face or a wall would otherwise make a sheen of it, a bright rim around the hair.

    Args:
        core: bool, where the pixel is hair for sure.
    """
    size = _fit(core, GRID_SIDE)
    small = downsample(lightness, size)
    inner = downsample(core.astype(np.float32), size)
    inner = cv2.erode(inner, np.ones((5, 5)))
    # a trace of the average stands in where there is no hair further in, as in thin braids
    weight = cv2.GaussianBlur(inner, (0, 0), 3) + 1e-3
    average = np.average(small, weights=inner + 1e-9)
    mean = (cv2.GaussianBlur(inner * small, (0, 0), 3) + 1e-3 * average) / weight
    spread = np.sqrt((cv2.GaussianBlur(inner * (small - mean) ** 2, (0, 0), 3) + 1e-3 * 20**2) / weight)
    bounds = (inner, mean - 2.5 * spread - 4, mean + 2.5 * spread + 4)
    inner, lowest, highest = (cv2.resize(x, core.shape[::-1], interpolation=cv2.INTER_LINEAR) for x in bounds)
    bounded = cv2.min(cv2.max(lightness, lowest), highest)
    return bounded + inner * (lightness - bounded)


def smooth_lightness(lightness: np.ndarray, core: np.ndarray) -> np.ndarray:
    """Lightness without its finest grain and without what is as weak as noise.

    Guided filter (He et al., ECCV 2010) of the lightness by itself. The noise is taken to be what moves the calmest
    third of the hair.
    """
    radius = max(1, round(np.sqrt(np.count_nonzero(core)) / 150))
    window = (2 * radius + 1, 2 * radius + 1)
    mean = cv2.blur(lightness, window)
    variance = np.maximum(cv2.blur(lightness * lightness, window) - mean * mean, 0)
    noise = np.clip(np.percentile(variance[core][::7], 30), 0.3**2, 1.5**2)
    slope = variance / (variance + 4 * np.float32(noise))
    smooth = cv2.blur(slope, window) * lightness + cv2.blur((1 - slope) * mean, window)
    return cv2.GaussianBlur(smooth, (3, 3), 0)


def hue_variation(lab: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """How far a*, b* stray from place to place, less what goes with lightness: (height, width, 2).

    Args:
        lab: CIELAB of the hair's own colour, (rows, columns, 3), float32, at any size; it goes on outside the hair.
    """
    size = _fit(alpha, GRID_SIDE)
    lightness, *hues = cv2.split(cv2.GaussianBlur(downsample(lab, size), (0, 0), 1))
    weight = downsample(alpha, size) + 1e-6
    lightness = lightness - np.average(lightness, weights=weight)
    leaning = weight * lightness / (np.sum(weight * lightness * lightness) + 1)
    hues = [hue - np.average(hue, weights=weight) for hue in hues]
    hues = [hue - np.sum(leaning * hue) * lightness for hue in hues]
    bound = 20 / np.maximum(cv2.magnitude(*hues), 20)
    return cv2.resize(cv2.merge([bound * hue for hue in hues]), alpha.shape[::-1], interpolation=cv2.INTER_LINEAR)


def root_to_tip(alpha: np.ndarray) -> np.ndarray:
    """How far along the hair each pixel lies, float32 from 0, the root, to 1, the tip.

    Hair hangs: the direction is straight down, turned towards the long axis of the mask, the more so the longer the
    mask and the steeper the axis. 0 and 1 are the 2nd and 98th percentile of the hair along it.
    """
    height, width = alpha.shape
    moments = cv2.moments(alpha)
    covariance = np.array([[moments["mu20"], moments["mu11"]], [moments["mu11"], moments["mu02"]]]) / moments["m00"]
    (shorter, longer), axes = np.linalg.eigh(covariance + np.eye(2))
    down = np.array([0, 1]) + 2 * (1 - shorter / longer) * axes[1, 1] * axes[:, 1]
    along_x, along_y = (down / np.linalg.norm(down)).astype(np.float32)

    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    along = along_x * x + along_y * y[:, None]
    step = max(1, max(height, width) // GRID_SIDE)
    hair = alpha[::step, ::step] > 0.1 * alpha.max()
    if hair.any():
        near, far = (np.percentile(along[::step, ::step][hair], q) for q in (2, 98))
    else:
        near, far = along.min(), along.max()
    return np.clip((along - near) / max(far - near, 1), 0, 1).astype(np.float32)


def streaks(lightness: np.ndarray) -> np.ndarray:
    """A random but repeatable pick of strands: a rank, float32 from 0 to 1, that the pixels of a strand have in common.

    Line integral convolution (Cabral and Leedom, SIGGRAPH 1993): noise averaged along the strands, whose direction is
    that of the least change in the structure tensor. A threshold on the rank picks any share of the strands.
    """
    small = downsample(lightness, _fit(lightness, STREAK_SIDE))
    across_x, across_y = cv2.Sobel(small, cv2.CV_32F, 1, 0), cv2.Sobel(small, cv2.CV_32F, 0, 1)
    xx, yy, xy = (cv2.GaussianBlur(x, (0, 0), 4) for x in (across_x**2, across_y**2, across_x * across_y))
    angle = 0.5 * np.arctan2(2 * xy, xx - yy) + np.pi / 2
    # hair that runs every way, as kinky hair does, has no strand to follow: its streaks downsample to tips
    coherence = np.sqrt((xx - yy) ** 2 + 4 * xy**2) / (xx + yy + 1e-6)
    noise = np.random.default_rng(0).standard_normal(small.shape, dtype=np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), 1.2)
    field = cv2.merge([noise, coherence * np.cos(angle), coherence * np.sin(angle)]).reshape(-1, 3)

    rows, columns = small.shape
    pixels = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=2).reshape(-1, 2).astype(np.float32)
    total = field[:, 0].copy()
    for heading in (field[:, 1:], -field[:, 1:]):
        place = pixels
        for _ in range(STREAK_STEPS):
            place = np.clip(place + STREAK_STEP * heading, 0, np.array([columns - 1, rows - 1], np.float32))
            nearest = np.rint(place).astype(np.intp)
            here = np.take(field, nearest[:, 1] * columns + nearest[:, 0], axis=0)
            total += here[:, 0]
            # a strand has no sign: of both, that counts which leads on rather than back
            turned = here[:, 1] * heading[:, 0] + here[:, 2] * heading[:, 1] < 0
            heading = np.where(turned[:, None], -here[:, 1:], here[:, 1:])
    rank = np.empty(total.size, np.float32)
    rank[np.argsort(total, kind="stable")] = np.linspace(0, 1, total.size)
    return cv2.resize(rank.reshape(small.shape), lightness.shape[::-1], interpolation=cv2.INTER_LINEAR)


def _fit(picture, side):
    """(width, height) of the picture once its longer side is at most `side`."""
    height, width = picture.shape[:2]
    scale = min(1.0, side / max(height, width))
    return max(1, round(width * scale)), max(1, round(height * scale))
