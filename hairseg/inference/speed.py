"""Latency of a model on this machine."""

import statistics
import time

import cv2
import numpy as np

from hairseg.inference.predictor import HairPredictor

PHOTO_SIDE = 1000

RUNS = 5


def measure_latency(predictor: HairPredictor) -> float:
    """Measure the time for the masks of all variants, of a drawn person of 1 megapixel.

    Returns:
        Median of `RUNS` runs after a warm-up, in milliseconds.
    """
    photo = _draw_person()
    milliseconds = []
    for _ in range(1 + RUNS):
        start = time.perf_counter()
        predictor.alphas(photo)
        milliseconds.append(1000 * (time.perf_counter() - start))
    return statistics.median(milliseconds[1:])


def _draw_person() -> np.ndarray:
    """Draw a head and shoulders, uint8 RGB. Without hair, zoomed passes, half of the time, would not be measured."""
    photo = np.full((PHOTO_SIDE, PHOTO_SIDE, 3), (150, 170, 190), np.uint8)
    for centre, axes, colour in (
        ((500, 420), (230, 290), (60, 40, 30)),
        ((500, 480), (160, 210), (224, 172, 140)),
        ((500, 1000), (380, 300), (90, 60, 120)),
    ):
        cv2.ellipse(photo, centre, axes, 0, 0, 360, colour, cv2.FILLED)
    return cv2.GaussianBlur(photo, (0, 0), 3)
