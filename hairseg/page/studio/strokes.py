"""Brush strokes that add hair to an alpha or remove it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import cv2
import numpy as np

from hairseg.errors import InputError, quote
from hairseg.inference.refinement import MAX_GROWTH, refine_alpha

MAX_STROKES, MAX_POINTS = 150, 8000  # per photo

POINTS_PER_STROKE = 400  # after these, the brush begins another stroke

MIN_RADIUS, MAX_RADIUS = 0.002, 0.15  # fraction of the photo's longer side

MAX_OVERSHOOT = 1  # distance of points outside the photo, in widths and heights of the photo

SOFT_EDGE_FRACTION = 0.6  # part of the radius along which coverage falls to 0

CELL_FRACTION = 0.02  # cell of `refine_alpha`, as a fraction of the radius; finds edges within a third of the radius

NO_OCTAVE = 0  # octaves of strokes are negative, since radii are below 0.5

RASTER_SIDE = 960  # longer side in pixels at which strokes are rasterised; their soft edges can be scaled up


@dataclass(frozen=True)
class Stroke:
    """One stroke of the brush.

    Args:
        adds: Whether the stroke adds hair or removes it.
        radius: Fraction of the photo's longer side.
        points: The path, (x, y) as fractions of width and height. A single point is a disc.
    """

    adds: bool
    radius: float
    points: tuple[tuple[float, float], ...]


def read_strokes(payload: Any) -> tuple[Stroke, ...]:
    """Validate the strokes that a browser sent, in drawing order.

    Args:
        payload: None, or a list of {"adds": bool, "radius": number, "points": [x, y, x, y, ...]}.

    Raises:
        InputError: The payload is malformed or too long.

    Example:
        >>> read_strokes([{"adds": True, "radius": 0.03, "points": [0.5, 0.1, 0.6, 0.1]}])
        (Stroke(adds=True, radius=0.03, points=((0.5, 0.1), (0.6, 0.1))),)
    """
    if payload is None:
        return ()
    if not isinstance(payload, list):
        raise InputError(f"The strokes are {quote(payload)}.", remedy="Send a list of strokes.")
    if len(payload) > MAX_STROKES:
        raise InputError(
            f"There are {len(payload)} brush strokes.", remedy=f"Undo some: at most {MAX_STROKES} are allowed."
        )
    strokes = tuple(_read_stroke(stroke) for stroke in payload)
    points = sum(len(stroke.points) for stroke in strokes)
    if points > MAX_POINTS:
        raise InputError(
            f"The brush strokes have {points} points.", remedy=f"Undo some: at most {MAX_POINTS} are allowed."
        )
    return strokes


def apply_strokes(photo: np.ndarray, alpha: np.ndarray, strokes: Sequence[Stroke]) -> np.ndarray:
    """Apply brush strokes to an alpha, in order.

    A stroke that adds hair sets alpha to the maximum of alpha and its coverage; one that removes hair sets it to the
    minimum of alpha and the complement. Strokes are therefore idempotent and local. The soft edge of a stroke snaps to
    the photo's edges.

    Args:
        photo: uint8 RGB, (height, width, 3).
        alpha: float32 in [0, 1], (height, width).
        strokes: In drawing order.

    Returns:
        float32 in [0, 1], (height, width).

    Example:
        >>> eraser = Stroke(adds=False, radius=0.2, points=((0.5, 0.5),))
        >>> photo, alpha = np.zeros((11, 11, 3), np.uint8), np.ones((11, 11), np.float32)
        >>> apply_strokes(photo, alpha, [eraser])[5, [0, 5, 10]].tolist()
        [1.0, 0.0, 1.0]
    """
    if not strokes:
        return alpha
    scale = min(1.0, RASTER_SIDE / max(alpha.shape))
    height, width = (max(1, round(side * scale)) for side in alpha.shape)
    # a sequence of strokes is equivalent to one pair of bounds: alpha = min(max(alpha, lowest), highest)
    lowest, highest = np.zeros((height, width), np.float32), np.ones((height, width), np.float32)
    octaves = np.full((height, width), NO_OCTAVE, np.int16)  # of the last stroke at each pixel
    for stroke in strokes:
        window, coverage = _rasterise(stroke, (height, width))
        for bound in (lowest, highest):
            bound[window] = cv2.max(bound[window], coverage) if stroke.adds else cv2.min(bound[window], 1 - coverage)
        octaves[window][coverage > 0] = _octave(stroke)
    if scale < 1:
        size = alpha.shape[::-1]
        lowest, highest = (cv2.resize(bound, size, interpolation=cv2.INTER_LINEAR) for bound in (lowest, highest))
        octaves = cv2.resize(octaves, size, interpolation=cv2.INTER_NEAREST)
    touched = cv2.min(cv2.max(alpha, lowest), highest)
    limit = alpha + MAX_GROWTH * (touched - alpha)
    limits = cv2.min(alpha, limit), cv2.max(alpha, limit)  # adding hair must never reduce alpha
    for octave in {_octave(stroke) for stroke in strokes}:
        near = (octaves == octave) & (touched != alpha)
        for _ in range(2):  # the first pass moves the edge close to the photo's edge, the second one sharpens it
            refined = refine_alpha(photo, touched, CELL_FRACTION * 2.0**octave * max(alpha.shape), near)
            np.copyto(touched, np.clip(refined, *limits), where=near)
    return touched


def _octave(stroke: Stroke) -> int:
    """Return the rounded binary logarithm of the radius: strokes of similar size are refined together."""
    return round(np.log2(stroke.radius))


def _read_stroke(stroke: Any) -> Stroke:
    if not isinstance(stroke, dict) or not isinstance(stroke.get("adds"), bool):
        raise InputError(f"A brush stroke is {quote(stroke)}.", remedy="Send one that adds or removes hair.")
    radius, points = stroke.get("radius"), stroke.get("points")
    if not _is_number(radius, MIN_RADIUS, MAX_RADIUS):
        raise InputError(
            f"A brush stroke has the radius {quote(radius)}.", remedy=f"Send one from {MIN_RADIUS} to {MAX_RADIUS}."
        )
    if not isinstance(points, list) or not points or len(points) % 2:
        raise InputError(f"A brush stroke has the points {quote(points)}.", remedy="Send a list of x, y, x, y, ...")
    for number in points:
        if not _is_number(number, -MAX_OVERSHOOT, 1 + MAX_OVERSHOOT):
            raise InputError(
                f"A brush stroke has the coordinate {quote(number)}.",
                remedy=f"Send numbers from {-MAX_OVERSHOOT} to {1 + MAX_OVERSHOOT}.",
            )
    return Stroke(stroke["adds"], radius, tuple(zip(points[::2], points[1::2], strict=True)))


def _is_number(value: Any, lowest: float, highest: float) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and lowest <= value <= highest


def _rasterise(stroke: Stroke, shape: tuple[int, int]) -> tuple[tuple[slice, ...], np.ndarray]:
    """Return the rows and columns that a stroke may touch, and its coverage of them, float32 in [0, 1]."""
    size, radius = np.array(shape[::-1]), stroke.radius * max(shape)
    path = np.array(stroke.points) * size - 0.5  # pixel centres are at integers
    margin = int(np.ceil(radius)) + 1
    start = np.clip(np.floor(path.min(axis=0)).astype(int), 0, size) - margin
    end = np.clip(np.ceil(path.max(axis=0)).astype(int) + 1, 0, size) + margin
    off_path = np.ones((end - start)[::-1], np.uint8)  # with a margin for strokes outside the photo
    corners = np.rint(path - start).astype(np.int32)
    is_point = len(path) == 1  # drawn only if closed
    cv2.polylines(off_path, [corners], isClosed=is_point, color=0)
    distance = cv2.distanceTransform(off_path, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    inside_start, inside_end = np.clip(start, 0, size), np.clip(end, 0, size)
    crop, window = (
        tuple(slice(*span) for span in zip(first[::-1], last[::-1], strict=True))
        for first, last in ((inside_start - start, inside_end - start), (inside_start, inside_end))
    )
    return window, np.clip((radius - distance[crop]) / (SOFT_EDGE_FRACTION * radius), 0, 1)
