"""Scores of photos pasted into larger scenes, and of scenes without people."""

from collections.abc import Sequence
from functools import partial

import cv2
import numpy as np

from hairseg.data.datasets import Pair, hash_fraction
from hairseg.evaluation.full_resolution import load_full_resolution
from hairseg.evaluation.metrics import MaskCounts
from hairseg.evaluation.runner import Runner, parts_of, run_here, with_progress
from hairseg.inference.predictor import HairPredictor
from hairseg.networks.preprocessing import resize_mask
from hairseg.repository.metrics import FalseHair, HairlessScores, HairlessType, Scores

DIVISORS = (1, 2, 3, 5)

CANVAS_SIDE = 1024


def score_framing(
    predictor: HairPredictor, dataset: str, pairs: list[Pair], scenes: list[np.ndarray], run: Runner | None = None
) -> dict[str, dict[str, Scores]]:
    """Score photos whose longer side is 1, 1/2, 1/3 and 1/5 of the side of a larger scene.

    Args:
        predictor: all its variants are scored.
        dataset: the name that `find_pairs` returned.
        pairs: the photos.
        scenes: backdrops, uint8 RGB (height, width, 3), used in turn.
        run: how to score parts of the photos; by default in this process.

    Returns:
        Scores by framing ("1/3"), then by variant.
    """
    counts = {divisor: {variant: MaskCounts() for variant in predictor.networks} for divisor in DIVISORS}
    found = (run or run_here(predictor))(partial(_count_framings, dataset, scenes), parts_of(pairs))
    for part in with_progress(found, "framing", len(pairs)):
        for divisor, by_variant in part.items():
            for variant, counted in by_variant.items():
                counts[divisor][variant].merge(counted)
    return {
        f"1/{divisor}": {variant: counted.scores() for variant, counted in by_variant.items()}
        for divisor, by_variant in counts.items()
    }


def _count_framings(
    dataset: str, scenes: list[np.ndarray], predictor: HairPredictor, part: tuple[int, Sequence[Pair]]
) -> dict[int, dict[str, MaskCounts]]:
    counts = {divisor: {variant: MaskCounts() for variant in predictor.networks} for divisor in DIVISORS}
    first, pairs = part
    for index, pair in enumerate(pairs, first):
        photo, mask = load_full_resolution(pair, dataset)
        for divisor in DIVISORS:
            canvas, canvas_mask = paste_into_scene(photo, mask, scenes[index % len(scenes)], divisor, pair.id)
            for variant, alpha in predictor.alphas(canvas).items():
                counts[divisor][variant].add(alpha >= predictor.config.threshold, canvas_mask)
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
    predictor: HairPredictor, scenes: dict[str, list[np.ndarray]], run: Runner | None = None
) -> HairlessScores:
    """Score photos without people by the fraction of pixels labelled as hair, overall and by type.

    Types are sorted, the worst first.

    Args:
        predictor: all its variants are scored; types are ranked by the first one.
        scenes: photos by type, uint8 RGB (height, width, 3).
        run: how to score parts of the photos; by default in this process.
    """
    by_type: dict[str, dict[str, list[float]]] = {}
    for name, photos in scenes.items():
        by_type[name] = {variant: [] for variant in predictor.networks}
        found = (run or run_here(predictor))(_false_hair, parts_of(photos))
        for part in with_progress(found, f"hairless, {name}", len(photos)):
            for variant, fractions in part.items():
                by_type[name][variant] += fractions
    first = next(iter(predictor.networks))
    ranked = sorted(by_type, key=lambda name: -float(np.mean(by_type[name][first])))
    kinds = {name: _summarise(by_type[name]) for name in ranked}
    pooled = {
        variant: [fraction for found in by_type.values() for fraction in found[variant]]
        for variant in predictor.networks
    }
    return HairlessScores(**dict(_summarise(pooled)), kinds=kinds)


def _false_hair(predictor: HairPredictor, part: tuple[int, Sequence[np.ndarray]]) -> dict[str, list[float]]:
    fractions: dict[str, list[float]] = {variant: [] for variant in predictor.networks}
    for photo in part[1]:
        for variant, alpha in predictor.alphas(photo).items():
            fractions[variant].append(float(np.mean(alpha >= predictor.config.threshold)))
    return fractions


def _summarise(fractions: dict[str, list[float]]) -> HairlessType:
    return HairlessType(
        images=len(next(iter(fractions.values()))),
        variants={
            variant: FalseHair(mean=float(np.mean(found)), worst=max(found)) for variant, found in fractions.items()
        },
    )
