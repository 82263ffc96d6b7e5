"""Score photos as small parts of scenes, and scenes without anybody."""

import cv2
import numpy as np
from tqdm import tqdm

from hairseg.data.datasets import Pair, hash_fraction
from hairseg.evaluation.full_resolution import pair_at_size_of_photo
from hairseg.evaluation.metrics import MaskScores
from hairseg.inference.predictor import HairPredictor
from hairseg.networks.preprocessing import resize_mask

FRAMINGS = (1, 2, 3, 5)  # sides of the canvas in longer sides of the photo

CANVAS_SIDE = 1024  # pixels


def framing_scores(
    predictor: HairPredictor, dataset: str, pairs: list[Pair], scenes: list[np.ndarray]
) -> dict[str, dict]:
    """Score the photos when their longer sides are a whole, a half, a third and a fifth of a scene around them."""
    results = {}
    for divisor in FRAMINGS:
        scores = {variant: MaskScores() for variant in predictor.networks}
        for index, pair in enumerate(tqdm(pairs, f"framing 1/{divisor}", unit="photo", leave=False)):
            photo, mask = pair_at_size_of_photo(pair, dataset)
            canvas, canvas_mask = in_scene(photo, mask, scenes[index % len(scenes)], divisor, pair.id)
            for variant, alpha in predictor.alphas(canvas).items():
                scores[variant].add(alpha >= predictor.config.threshold, canvas_mask)
        results[f"1/{divisor}"] = {variant: of_variant.scores() for variant, of_variant in scores.items()}
    return results


def in_scene(
    photo: np.ndarray, mask: np.ndarray, scene: np.ndarray, divisor: int, key: str
) -> tuple[np.ndarray, np.ndarray]:
    """Put a photo and its mask into a scene's square, the longer side `CANVAS_SIDE / divisor`, at a place by `key`."""
    side = min(scene.shape[:2])
    top, left = (scene.shape[0] - side) // 2, (scene.shape[1] - side) // 2
    canvas = cv2.resize(
        scene[top : top + side, left : left + side], (CANVAS_SIDE, CANVAS_SIDE), interpolation=cv2.INTER_CUBIC
    )
    scale = CANVAS_SIDE / divisor / max(mask.shape)
    height, width = (max(1, round(length * scale)) for length in mask.shape)
    top, left = (
        int(hash_fraction(f"{key}/{axis}") * (CANVAS_SIDE - length + 1))
        for axis, length in zip("yx", (height, width), strict=True)
    )
    window = slice(top, top + height), slice(left, left + width)
    canvas[window] = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    canvas_mask = np.zeros((CANVAS_SIDE, CANVAS_SIDE), np.uint8)
    canvas_mask[window] = resize_mask(mask, (height, width))
    return canvas, canvas_mask


def hairless_scores(predictor: HairPredictor, scenes: dict[str, list[np.ndarray]]) -> dict:
    """Share of pixels called hair in photos without people: the mean, and of the worst photo; over all and per kind."""
    by_kind = {}
    for kind, photos in scenes.items():
        shares = by_kind[kind] = {variant: [] for variant in predictor.networks}
        for photo in tqdm(photos, f"hairless, {kind}", unit="photo", leave=False):
            for variant, alpha in predictor.alphas(photo).items():
                shares[variant].append(float(np.mean(alpha >= predictor.config.threshold)))
    first = next(iter(predictor.networks))
    summaries = {kind: _summary([shares]) for kind, shares in by_kind.items()}
    worst_first = sorted(summaries, key=lambda kind: -summaries[kind]["variants"][first]["mean"])
    return _summary(list(by_kind.values())) | {"kinds": {kind: summaries[kind] for kind in worst_first}}


def _summary(kinds: list[dict[str, list[float]]]) -> dict:
    pooled = {variant: [share for shares in kinds for share in shares[variant]] for variant in kinds[0]}
    return {
        "images": len(next(iter(pooled.values()))),
        "variants": {
            variant: {"mean": float(np.mean(shares)), "worst": max(shares)} for variant, shares in pooled.items()
        },
    }
