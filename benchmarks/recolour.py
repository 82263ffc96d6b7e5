"""Time and memory of recolouring, relative to naive methods.

    python benchmarks/recolour.py [--output recolour.json]

The photos have 1 and 12 megapixels; a drawn head of hair covers about a third. Every time is the best of several
alternating runs. Memory is the peak that NumPy and Python allocate, in bytes per pixel.
"""

import tracemalloc

import cv2
import numpy as np
from common import create_parser, report, run, time_alternately

from hairseg.recolouring.palette import parse_colour
from hairseg.recolouring.recolourer import HairRecolourer, recolour

COLOUR = "light blond"
RUNS = 5


def draw_hair(side: int) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:side, :side].astype(np.float32) / side
    alpha = np.clip((0.33 - np.hypot(x - 0.5, 0.8 * (y - 0.5))) * 60 + 0.5, 0, 1)
    light = 0.55 + 0.25 * np.sin(90 * x + 8 * np.sin(5 * y)) + 0.2 * np.cos(5 * (x - 0.4))
    hair = light[..., None] * np.array([92, 62, 44], np.float32)
    photo = alpha[..., None] * hair + (1 - alpha[..., None]) * np.array([170, 175, 185], np.float32)
    photo += np.random.default_rng(0).normal(0, 2, photo.shape).astype(np.float32)
    return np.clip(photo, 0, 255).astype(np.uint8), alpha


def replace_hue(photo: np.ndarray, alpha: np.ndarray, colour: str = COLOUR) -> np.ndarray:
    """Replace hue and saturation in HSV."""
    hsv = cv2.cvtColor(photo, cv2.COLOR_RGB2HSV)
    hsv[..., :2] = cv2.cvtColor(np.array([[parse_colour(colour)]], np.uint8), cv2.COLOR_RGB2HSV)[..., :2]
    return blend(photo, cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), alpha)


def overlay(photo: np.ndarray, alpha: np.ndarray, colour: str = COLOUR) -> np.ndarray:
    """Blend with the colour at half opacity."""
    return blend(photo, np.array(parse_colour(colour), np.float32), 0.5 * alpha)


def blend(photo: np.ndarray, other: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return np.rint(photo + weight[..., None] * (other - photo.astype(np.float32))).astype(np.uint8)


def measure(megapixels: int) -> dict[str, dict[str, float]]:
    photo, alpha = draw_hair(round((megapixels * 1e6) ** 0.5))
    recolourer = HairRecolourer(photo, alpha)
    methods = {
        "another colour": lambda: recolourer.recolour(COLOUR),
        "first colour": lambda: recolour(photo, alpha, COLOUR),
        "HSV hue replacement": lambda: replace_hue(photo, alpha),
        "constant overlay": lambda: overlay(photo, alpha),
    }
    seconds = {name: min(times) for name, times in time_alternately(methods, RUNS, warm_ups=0).items()}
    bytes_per_pixel = {}
    for name, method in methods.items():
        tracemalloc.start()
        method()
        bytes_per_pixel[name] = tracemalloc.get_traced_memory()[1] / alpha.size
        tracemalloc.stop()
    return {
        name: {
            "ms": round(1000 * seconds[name], 1),
            "relative_to_hsv": round(seconds[name] / seconds["HSV hue replacement"], 2),
            "peak_bytes_per_pixel": round(bytes_per_pixel[name], 1),
        }
        for name in methods
    }


def main() -> None:
    args = create_parser(__doc__).parse_args()
    report({f"{megapixels} MP": measure(megapixels) for megapixels in (1, 12)}, args.output)


if __name__ == "__main__":
    run(main)
