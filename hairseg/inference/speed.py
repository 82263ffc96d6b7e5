"""How long a model takes on this machine."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2

from hairseg.images import load_photo
from hairseg.inference.predictor import HairPredictor

PORTRAIT = Path(__file__).parents[1] / "page" / "examples" / "astronaut.jpg"

SIDE = 1000  # pixels, of the square photo by which speed is measured

RUNS = 5


def measure_latency(predictor: HairPredictor, before_each: Callable[[], object] = lambda: None) -> float:
    """How long the masks of all variants of a portrait of 1 megapixel take here: the median of some runs.

    Args:
        before_each: called before each run.
    """
    photo = cv2.resize(load_photo(PORTRAIT), (SIDE, SIDE))
    times = []
    for _ in range(1 + RUNS):
        before_each()
        begun = time.perf_counter()
        predictor.alphas(photo)
        times.append(1000 * (time.perf_counter() - begun))
    return statistics.median(times[1:])  # the first one warms up
