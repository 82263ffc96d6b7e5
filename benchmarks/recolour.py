"""What a change of colour costs, beside the naive methods, in one run: python benchmarks/recolour.py --output out.json

A drawn head of hair over about a third of the photo, at 1 and 12 megapixels. Every time is the best of several; the
methods take turns, so that whatever else the machine does falls on all of them. Memory is the peak of what NumPy and
Python allocate, in float32 copies of the photo (12 bytes a pixel); what OpenCV allocates is handed out as NumPy arrays
and counted with them.
"""

import tracemalloc

import cv2
import numpy as np
from common import parser_of, report, time_in_turns

from hairseg.cli.common import run
from hairseg.recolouring.palette import parse_colour
from hairseg.recolouring.recolourer import HairRecolourer, recolour

COLOUR = "light blond"
ROUNDS = 5


def drawn(side):
    y, x = np.mgrid[:side, :side].astype(np.float32) / side
    alpha = np.clip((0.33 - np.hypot(x - 0.5, 0.8 * (y - 0.5))) * 60 + 0.5, 0, 1)
    light = 0.55 + 0.25 * np.sin(90 * x + 8 * np.sin(5 * y)) + 0.2 * np.cos(5 * (x - 0.4))
    hair = light[..., None] * np.array([92, 62, 44], np.float32)
    photo = alpha[..., None] * hair + (1 - alpha[..., None]) * np.array([170, 175, 185], np.float32)
    photo += np.random.default_rng(0).normal(0, 2, photo.shape).astype(np.float32)
    return np.clip(photo, 0, 255).astype(np.uint8), alpha


def replace_hue(photo, alpha):
    """The naive method: hue and saturation of the colour, value of the photo."""
    hsv = cv2.cvtColor(photo, cv2.COLOR_RGB2HSV)
    hsv[..., :2] = cv2.cvtColor(np.array([[parse_colour(COLOUR)]], np.uint8), cv2.COLOR_RGB2HSV)[..., :2]
    return blend(photo, cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), alpha)


def overlay(photo, alpha):
    """The other one: the colour itself, half transparent."""
    return blend(photo, np.array(parse_colour(COLOUR), np.float32), 0.5 * alpha)


def blend(photo, other, weight):
    return np.rint(photo + weight[..., None] * (other - photo.astype(np.float32))).astype(np.uint8)


def measure(megapixels):
    photo, alpha = drawn(round((megapixels * 1e6) ** 0.5))
    recolourer = HairRecolourer(photo, alpha)
    methods = {
        "another colour": lambda: recolourer.recolour(COLOUR),
        "first colour": lambda: recolour(photo, alpha, COLOUR),
        "HSV hue replacement": lambda: replace_hue(photo, alpha),
        "constant overlay": lambda: overlay(photo, alpha),
    }
    seconds = {name: min(times) for name, times in time_in_turns(methods, ROUNDS, warm_ups=0).items()}
    copies = {}
    for name, method in methods.items():
        tracemalloc.start()
        method()
        copies[name] = tracemalloc.get_traced_memory()[1] / (12 * alpha.size)
        tracemalloc.stop()
    unit = seconds["HSV hue replacement"]
    return {
        name: {
            "milliseconds": round(1000 * seconds[name], 1),
            "times HSV": round(seconds[name] / unit, 2),
            "float copies at peak": round(copies[name], 2),
        }
        for name in methods
    }


def main() -> None:
    args = parser_of(__file__, __doc__).parse_args()
    report({f"{megapixels} MP": measure(megapixels) for megapixels in (1, 12)}, args)


if __name__ == "__main__":
    run(main)
