"""Alpha that is steady from frame to frame, and follows what moves at once.

A network's answer to a scene that stands still changes with the camera's noise, mostly along the edges of the hair:
dyed, they flicker. So alpha is averaged over time where the picture stays as it is, and taken as it comes where the
picture changes. After a cut or a turn of the camera everything has changed, and nothing is left of what was before.
"""

import cv2
import numpy as np

from hairseg.images import scale_down

GRID_SIDE = 80  # cells along the longer side; the noise of a cell's pixels averages out

NOISE, MOTION = 6.0, 16.0  # of 255: changes of a cell that are a camera's noise at most, and movement at least

REST = 0.2  # share of the newest frame in the average where nothing moves


class AlphaSmoother:
    """Smooth the alphas of one stream of frames.

    Example:
        >>> smoother, photo = AlphaSmoother(), np.full((6, 8, 3), 90, np.uint8)
        >>> for alpha in (0.0, 1.0):
        ...     smooth = smoother.smooth(photo, np.full((6, 8), alpha, np.float32))
        >>> round(float(smooth[0, 0]), 3)  # the same picture: the network has changed its mind, not the hair its place
        0.2
    """

    def __init__(self):
        self._cells = self._alpha = np.empty((0, 0, 3), np.float32)

    def smooth(self, photo: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        """The next frame's alpha, smoothed.

        Args:
            photo: uint8 RGB, (height, width, 3). Frames of another size begin a new stream.
            alpha: float32 in [0, 1], (height, width).

        Returns:
            float32 in [0, 1], (height, width); not to be written to.
        """
        cells = scale_down(photo, GRID_SIDE).astype(np.float32)
        if alpha.shape != self._alpha.shape:
            self._cells, self._alpha = cells, alpha
            return alpha
        # compared with the average, which lags behind: slow movement adds up there until it shows
        change = np.abs(cells - self._cells).max(axis=2)
        change = cv2.dilate(change, np.ones((3, 3), np.uint8))
        share = REST + (1 - REST) * np.clip((change - NOISE) / (MOTION - NOISE), 0, 1)
        self._cells = self._cells + share[..., None] * (cells - self._cells)
        share = cv2.resize(share, alpha.shape[::-1], interpolation=cv2.INTER_LINEAR)
        self._alpha = self._alpha + share * (alpha - self._alpha)
        return self._alpha
