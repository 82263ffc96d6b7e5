"""Strokes of the touch-up brush: what a visitor says is hair, or is none, over the alpha that a network has found."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import cv2
import numpy as np

from hairseg.errors import InputError, quote
from hairseg.inference.refinement import MAX_GROWTH, refine_alpha

STROKES, POINTS = 150, 8000  # of one photo at most, the points those of all its strokes

STROKE_POINTS = 400  # after which the page's brush begins another stroke

THINNEST, WIDEST = 0.002, 0.15  # radius of a brush, as a share of the photo's longer side

BEYOND = 1  # widths or heights of the photo by which a stroke may leave it

SOFT = 0.6  # share of the radius along which a stroke fades out, and its edge follows the photo's

CELL = 0.02  # of the radius, for `refine_alpha`: the photo's edge is found a third of a radius away

UNTOUCHED = 0  # no stroke's octave: radii are below a half

DRAWN_SIDE = 960  # pixels, longer side at which strokes are drawn; larger photos get them scaled: their edge is soft


@dataclass(frozen=True)
class Stroke:
    """One stroke of the brush.

    Args:
        adds: hair is added; else it is removed.
        radius: where the stroke ends, as a share of the photo's longer side.
        points: its path, (x, y) as shares of the photo's width and height; one point is a dab.
    """

    adds: bool
    radius: float
    points: tuple[tuple[float, float], ...]


def read_strokes(payload: Any) -> tuple[Stroke, ...]:
    """The strokes that a browser has sent, in the order in which they were drawn.

    Args:
        payload: None, or a list of {"adds": bool, "radius": number, "points": [x, y, x, y, ...]}.

    Raises:
        InputError: it is something else, or too much of it; the message names what is wrong.

    Example:
        >>> read_strokes([{"adds": True, "radius": 0.03, "points": [0.5, 0.1, 0.6, 0.1]}])
        (Stroke(adds=True, radius=0.03, points=((0.5, 0.1), (0.6, 0.1))),)
    """
    if payload is None:
        return ()
    if not isinstance(payload, list):
        raise InputError(f"the touch-up is {quote(payload)}", "a list of strokes")
    if len(payload) > STROKES:
        raise InputError(f"the touch-up has {len(payload)} strokes", "undo some of them")
    strokes = tuple(_read_stroke(stroke) for stroke in payload)
    points = sum(len(stroke.points) for stroke in strokes)
    if points > POINTS:
        raise InputError(f"the touch-up has {points} points", "undo some of its strokes")
    return strokes


def touch_up(photo: np.ndarray, alpha: np.ndarray, strokes: Sequence[Stroke]) -> np.ndarray:
    """Alpha with the strokes on it, each over those before it.

    A stroke that adds raises alpha to what it covers, one that removes lowers it to what it leaves. So drawing twice
    over one place does what drawing once does, and nothing changes where no stroke is. The core of a stroke is certain;
    where it fades out, its edge follows the photo's.

    Args:
        photo: uint8 RGB, (height, width, 3).
        alpha: float32 in [0, 1], (height, width).
        strokes: in the order in which they were drawn.

    Returns:
        float32 in [0, 1], (height, width).

    Example:
        >>> whole = Stroke(adds=False, radius=0.2, points=((0.5, 0.5),))
        >>> touch_up(np.zeros((11, 11, 3), np.uint8), np.ones((11, 11), np.float32), [whole])[5, [0, 5, 10]].tolist()
        [1.0, 0.0, 1.0]
    """
    if not strokes:
        return alpha
    scale = min(1.0, DRAWN_SIDE / max(alpha.shape))
    height, width = (max(1, round(side * scale)) for side in alpha.shape)
    # any row of such strokes together is one pair of bounds: alpha is at least the lowest, then at most the highest
    lowest, highest = np.zeros((height, width), np.float32), np.ones((height, width), np.float32)
    octaves = np.full((height, width), UNTOUCHED, np.int16)  # of the radius of the last stroke there
    for stroke in strokes:
        window, covered = _cover(stroke, (height, width))
        for bound in (lowest, highest):
            bound[window] = cv2.max(bound[window], covered) if stroke.adds else cv2.min(bound[window], 1 - covered)
        octaves[window][covered > 0] = _octave(stroke)
    if scale < 1:
        size = alpha.shape[::-1]
        lowest, highest = (cv2.resize(bound, size, interpolation=cv2.INTER_LINEAR) for bound in (lowest, highest))
        octaves = cv2.resize(octaves, size, interpolation=cv2.INTER_NEAREST)
    touched = cv2.min(cv2.max(alpha, lowest), highest)
    limit = alpha + MAX_GROWTH * (touched - alpha)
    limits = cv2.min(alpha, limit), cv2.max(alpha, limit)  # where hair is added there is never less of it than before
    for octave in {_octave(stroke) for stroke in strokes}:
        near = (octaves == octave) & (touched != alpha)
        for _ in range(2):  # the second time it starts from an edge that is nearly the photo's
            refined = refine_alpha(photo, touched, CELL * 2.0**octave * max(alpha.shape), near)
            np.copyto(touched, np.clip(refined, *limits), where=near)
    return touched


def _octave(stroke: Stroke) -> int:
    """Strokes of about one size have it in common; it is the binary logarithm of their radius."""
    return round(np.log2(stroke.radius))


def _read_stroke(stroke: Any) -> Stroke:
    if not isinstance(stroke, dict) or not isinstance(stroke.get("adds"), bool):
        raise InputError(f"a stroke of the touch-up is {quote(stroke)}", "one that adds hair or removes some")
    radius, points = stroke.get("radius"), stroke.get("points")
    if not _is_number(radius, THINNEST, WIDEST):
        raise InputError(
            f"a stroke of the touch-up has the radius {quote(radius)}", f"a number from {THINNEST} to {WIDEST}"
        )
    if not isinstance(points, list) or not points or len(points) % 2:
        raise InputError(f"a stroke of the touch-up has the points {quote(points)}", "a list of x, y, x, y and so on")
    for number in points:
        if not _is_number(number, -BEYOND, 1 + BEYOND):
            raise InputError(
                f"a stroke of the touch-up has the point {quote(number)}", f"numbers from {-BEYOND} to {1 + BEYOND}"
            )
    return Stroke(stroke["adds"], radius, tuple(zip(points[::2], points[1::2], strict=True)))


def _is_number(value: Any, lowest: float, highest: float) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and lowest <= value <= highest


def _cover(stroke: Stroke, shape: tuple[int, int]) -> tuple[tuple[slice, ...], np.ndarray]:
    """A window, and how much of each pixel in it the stroke covers: float32 in [0, 1], 0 outside of the window."""
    size, radius = np.array(shape[::-1]), stroke.radius * max(shape)
    path = np.array(stroke.points) * size - 0.5  # whole numbers are the middles of pixels
    margin = int(np.ceil(radius)) + 1
    start = np.clip(np.floor(path.min(axis=0)).astype(int), 0, size) - margin
    end = np.clip(np.ceil(path.max(axis=0)).astype(int) + 1, 0, size) + margin
    off_path = np.ones((end - start)[::-1], np.uint8)  # with the margin: what is drawn beside the photo reaches into it
    corners = np.rint(path - start).astype(np.int32)
    cv2.polylines(off_path, [corners], isClosed=len(path) == 1, color=0)  # closed, one point is drawn too
    distance = cv2.distanceTransform(off_path, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    inside_start, inside_end = np.clip(start, 0, size), np.clip(end, 0, size)
    crop, window = (
        tuple(slice(*span) for span in zip(first[::-1], last[::-1], strict=True))
        for first, last in ((inside_start - start, inside_end - start), (inside_start, inside_end))
    )
    return window, np.clip((radius - distance[crop]) / (SOFT * radius), 0, 1)
