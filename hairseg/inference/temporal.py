"""Temporal smoothing of alpha for video: averaged where the picture is still, replaced where it changes.

The camera's noise changes a network's output even for a still scene, mostly along the edges of the hair, so that dyed
edges would flicker.
"""

import cv2
import numpy as np

from hairseg.images import scale_down

GRID_SIDE = 80  # cells along the longer side; the mean of a cell has less noise

NOISE_LEVEL = 6.0  # of 255; smaller changes of a cell are noise
MOTION_LEVEL = 16.0  # of 255; larger changes are motion

STILL_WEIGHT = 0.2  # weight of the newest frame in the average where the picture is still


class AlphaSmoother:
    """Smooth the alphas of one stream of frames.

    Example:
        >>> smoother, photo = AlphaSmoother(), np.full((6, 8, 3), 90, np.uint8)
        >>> for alpha in (0.0, 1.0):
        ...     smooth = smoother.smooth(photo, np.full((6, 8), alpha, np.float32))
        >>> round(float(smooth[0, 0]), 3)  # the photo is the same, so the new alpha has a weight of 0.2
        0.2
    """

    def __init__(self) -> None:
        self._cells = self._alpha = np.empty((0, 0, 3), np.float32)

    def smooth(self, photo: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        """Return the smoothed alpha of the next frame.

        Args:
            photo: uint8 RGB, (height, width, 3). A change of size starts a new stream.
            alpha: float32 in [0, 1], (height, width).

        Returns:
            float32 in [0, 1], (height, width). Do not write to it.
        """
        cells = scale_down(photo, GRID_SIDE).astype(np.float32)
        if alpha.shape != self._alpha.shape:
            self._cells, self._alpha = cells, alpha
            return alpha
        # `self._cells` is an average, too, so that slow motion accumulates until it is detected.
        change = np.abs(cells - self._cells).max(axis=2)
        change = cv2.dilate(change, np.ones((3, 3), np.uint8))
        motion = np.clip((change - NOISE_LEVEL) / (MOTION_LEVEL - NOISE_LEVEL), 0, 1)
        weight = STILL_WEIGHT + (1 - STILL_WEIGHT) * motion
        self._cells = self._cells + weight[..., None] * (cells - self._cells)
        weight = cv2.resize(weight, alpha.shape[::-1], interpolation=cv2.INTER_LINEAR)
        self._alpha = self._alpha + weight * (alpha - self._alpha)
        return self._alpha
