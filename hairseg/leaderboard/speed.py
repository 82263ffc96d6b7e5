"""How long a model takes on this machine."""

import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np

from hairseg.prediction import HairPredictor

SIDE = 1000  # pixels, of the square photo by which speed is measured

RUNS = 5


def milliseconds_a_photo(
    predictor: HairPredictor, photo: np.ndarray, before_each: Callable[[], object] = lambda: None
) -> float:
    """How long the masks of all variants of one photo of 1 megapixel take here: the median of some runs.

    Args:
        photo: uint8 RGB, (height, width, 3); scaled to a square.
        before_each: called before each run.
    """
    photo = cv2.resize(photo, (SIDE, SIDE))
    times = []
    for _ in range(1 + RUNS):
        before_each()
        begun = time.perf_counter()
        predictor.alphas(photo)
        times.append(1000 * (time.perf_counter() - begun))
    return statistics.median(times[1:])  # the first one warms up
