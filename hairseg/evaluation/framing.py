"""Scores of photos pasted into larger scenes, and of scenes without people."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain

import cv2
import numpy as np

from hairseg.data.datasets import Pair, hash_fraction
from hairseg.evaluation.full_resolution import load_full_resolution
from hairseg.evaluation.metrics import MaskCounts, bootstrap_interval
from hairseg.evaluation.parts import Map, split_parts, with_progress
from hairseg.inference.predictor import HairPredictor
from hairseg.networks.preprocessing import resize_mask
from hairseg.repository.metrics import FalseHair, HairlessScores, HairlessType, Scores

DIVISORS = (1, 2, 3, 5)

CANVAS_SIDE = 1024

Alphas = Callable[[np.ndarray], Mapping[str, np.ndarray]]


def score_framing(
    predictor: HairPredictor, dataset: str, pairs: list[Pair], scenes: list[np.ndarray], map_parts: Map = map
) -> dict[str, dict[str, Scores]]:
    """Score photos whose longer side is 1, 1/2, 1/3 and 1/5 of the side of a larger scene.

    Args:
        predictor: all its variants are scored.
        dataset: the name that `find_pairs` returned.
        pairs: the photos.
        scenes: backdrops, uint8 RGB (height, width, 3), used in turn.
        map_parts: scores parts of the photos, as `map` does.

    Returns:
        Scores by framing ("1/3"), then by variant.
    """
    counts = {divisor: {variant: MaskCounts() for variant in predictor.networks} for divisor in DIVISORS}
    numbered = list(enumerate(pairs))
    found = map_parts(partial(_count, predictor, dataset, scenes), split_parts(numbered))
    for part in with_progress(found, "framing", len(pairs)):
        for divisor, by_variant in part.items():
            for variant, of_part in by_variant.items():
                counts[divisor][variant].add_all(of_part)
    return {
        f"1/{divisor}": {variant: found.scores() for variant, found in by_variant.items()}
        for divisor, by_variant in counts.items()
    }


def _count(
    predictor: HairPredictor, dataset: str, scenes: list[np.ndarray], pairs: Sequence[tuple[int, Pair]]
) -> dict[int, dict[str, MaskCounts]]:
    counts = {divisor: {variant: MaskCounts() for variant in predictor.networks} for divisor in DIVISORS}
    for index, pair in pairs:
        photo, mask = load_full_resolution(pair, dataset)
        for divisor, by_variant in counts.items():
            canvas, canvas_mask = paste_into_scene(photo, mask, scenes[index % len(scenes)], divisor, pair.id)
            for variant, alpha in predictor.alphas(canvas).items():
                by_variant[variant].add(alpha >= predictor.config.threshold, canvas_mask)
    return counts


def paste_into_scene(
    photo: np.ndarray, mask: np.ndarray, scene: np.ndarray, divisor: int, key: str
) -> tuple[np.ndarray, np.ndarray]:
    """Paste a photo and its mask into the central square of a scene, scaled to `CANVAS_SIDE`.

    Args:
        photo: uint8 RGB (height, width, 3).
        mask: uint8 (height, width) of {0, 1, IGNORE}.
        scene: uint8 RGB of any size.
        divisor: side of the canvas divided by the longer side of the pasted photo.
        key: the position is a hash of it.

    Returns:
        Canvas and mask, (CANVAS_SIDE, CANVAS_SIDE, 3) and (CANVAS_SIDE, CANVAS_SIDE).
    """
    side = min(scene.shape[:2])
    top, left = (scene.shape[0] - side) // 2, (scene.shape[1] - side) // 2
    canvas = cv2.resize(
        scene[top : top + side, left : left + side], (CANVAS_SIDE, CANVAS_SIDE), interpolation=cv2.INTER_CUBIC
    )
    scale = CANVAS_SIDE / divisor / max(mask.shape)
    height, width = (max(1, round(length * scale)) for length in mask.shape)
    top = int(hash_fraction(f"{key}/y") * (CANVAS_SIDE - height + 1))
    left = int(hash_fraction(f"{key}/x") * (CANVAS_SIDE - width + 1))
    window = slice(top, top + height), slice(left, left + width)
    canvas[window] = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    canvas_mask = np.zeros((CANVAS_SIDE, CANVAS_SIDE), np.uint8)
    canvas_mask[window] = resize_mask(mask, (height, width))
    return canvas, canvas_mask


def score_hairless(
    alphas: Alphas, threshold: float, scenes: dict[str, list[np.ndarray]], map_parts: Map = map
) -> HairlessScores:
    """Score photos without people by the fraction of pixels labelled as hair, overall and by type.

    Types are sorted by the mean of the first variant, the worst first.

    Args:
        alphas: returns the alpha of a photo by variant, as `HairPredictor.alphas` does.
        threshold: alpha from which a pixel is hair.
        scenes: photos by type, uint8 RGB (height, width, 3).
        map_parts: scores parts of the photos, as `map` does.
    """
    find_false_hair = partial(_false_hair, alphas, threshold)
    by_type: dict[str, dict[str, list[float]]] = {}
    pooled: dict[str, list[float]] = {}
    for name, photos in scenes.items():
        by_type[name] = {}
        parts = with_progress(map_parts(find_false_hair, split_parts(photos)), f"hairless, {name}", len(photos))
        for of_photo in chain.from_iterable(parts):
            for variant, fraction in of_photo.items():
                by_type[name].setdefault(variant, []).append(fraction)
                pooled.setdefault(variant, []).append(fraction)
    first = next(iter(pooled))
    ranked = sorted(by_type, key=lambda name: -float(np.mean(by_type[name][first])))
    kinds = {name: _summarise(by_type[name]) for name in ranked}
    return HairlessScores(**dict(_summarise(pooled)), kinds=kinds)


def _false_hair(alphas: Alphas, threshold: float, photos: Sequence[np.ndarray]) -> list[dict[str, float]]:
    return [
        {variant: float(np.mean(alpha >= threshold)) for variant, alpha in alphas(photo).items()} for photo in photos
    ]


def _summarise(fractions: dict[str, list[float]]) -> HairlessType:
    return HairlessType(
        images=len(next(iter(fractions.values()))),
        variants={
            variant: FalseHair(
                mean=float(np.mean(found)),
                worst=max(found),
                mean_interval=bootstrap_interval(found, np.ones(len(found))),
            )
            for variant, found in fractions.items()
        },
    )
