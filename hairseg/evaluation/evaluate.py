"""Score a model repository on the photos of a data set: what metrics.json holds, figure 3, curves, and where it fails."""

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import torch
from tqdm import tqdm

from hairseg.data.datasets import Pair, load_pair, share_of
from hairseg.data.decoded import PhotoArrays
from hairseg.data.groups import FIGARO1K_TYPES, groups_of
from hairseg.evaluation.figures import draw_comparison, draw_precision_recall, draw_reliability, draw_roc, draw_worst
from hairseg.evaluation.metrics import BoundaryScores, MaskScores, PixelCounts
from hairseg.evaluation.scoring import score
from hairseg.networks.preset import resize_mask
from hairseg.prediction import HairPredictor

FIGURE3_PHOTOS, WORST_PHOTOS = 4, 12

FRAMINGS = (1, 2, 3, 5)  # sides of the canvas in longer sides of the photo

CANVAS_SIDE = 1024  # pixels


def evaluate(
    predictor: HairPredictor,
    dataset: str,
    split: str,
    pairs: list[Pair],
    arrays: PhotoArrays,
    scenes: dict[str, list[np.ndarray]] | None = None,
    output: Path | None = None,
) -> dict:
    """Score every variant.

    Args:
        dataset, split: what the scores are called.
        pairs: the photos scored.
        arrays: the same photos as `arrays.load_arrays` gives them.
        scenes: photos without people, as `datasets.load_scenes` gives them; with them, framing and hair-free photos are
            scored too.
        output: where to draw figures, in its folder figures, and the worst photos; nowhere by default.

    Returns:
        The contents of metrics.json.
    """
    counts = {variant: PixelCounts(predictor.device) for variant in predictor.networks}
    metrics = {
        "dataset": dataset,
        "split": split,
        "images": len(pairs),
        "image_size": predictor.config.image_size,
        "variants": network_scores(predictor, arrays, counts),
    }
    metrics["roc"] = {variant: pixels.roc_points() for variant, pixels in counts.items() if pixels.auroc is not None}
    metrics["own_size"], hair_types, metrics["groups"], per_photo = own_size_scores(predictor, dataset, pairs)
    if hair_types:
        metrics["hair_types"] = hair_types
    if scenes:
        metrics["framing"] = framing_scores(
            predictor, dataset, pairs, [photo for some in scenes.values() for photo in some]
        )
        metrics["hairless"] = hairless_scores(predictor, scenes)
    if output:
        draw_curves(output / "figures", counts)
        draw_masks(output / "figures" / "figure3.png", predictor, dataset, pairs)
        draw_failures(output / "worst.png", predictor, dataset, pairs, per_photo)
    return metrics


def draw_curves(folder: Path, counts: dict[str, PixelCounts]) -> None:
    with_both_classes = {variant: pixels for variant, pixels in counts.items() if pixels.auroc is not None}
    if with_both_classes:
        draw_roc(folder / "roc.png", with_both_classes)
        draw_precision_recall(folder / "precision_recall.png", with_both_classes)
        draw_reliability(folder / "reliability.png", with_both_classes)


def draw_masks(path: Path, predictor: HairPredictor, dataset: str, pairs: list[Pair]) -> None:
    """Figure 3, when both variants are there."""
    if predictor.networks.keys() != {"pretrained", "random"}:
        return
    rows = []
    for pair in pairs[:: max(1, len(pairs) // FIGURE3_PHOTOS)][:FIGURE3_PHOTOS]:
        photo, _ = load_pair(pair, dataset)
        alphas = predictor.alphas(photo)
        rows.append((alphas["random"], photo, alphas["pretrained"]))
    draw_comparison(path, rows)


def draw_failures(
    path: Path, predictor: HairPredictor, dataset: str, pairs: list[Pair], per_photo: dict[str, list[float]]
) -> None:
    """The photos with the lowest F1 of the first variant, so that the next improvement is visible."""
    variant, scores = next(iter(per_photo.items()))
    rows = []
    for index in sorted(range(len(pairs)), key=lambda index: scores[index])[:WORST_PHOTOS]:
        photo, mask = pair_at_size_of_photo(pairs[index], dataset)
        found = predictor.alphas(photo)[variant] >= predictor.config.threshold
        rows.append((f"{pairs[index].id}, F1 {scores[index]:.2f}", photo, mask == 1, found))
    draw_worst(path, rows)


def network_scores(predictor: HairPredictor, arrays: PhotoArrays, counts: dict[str, PixelCounts]) -> dict[str, dict]:
    """As in the paper: pixels of all images pooled, at the network's input size, one look at each; fills `counts`."""
    threshold, scores = predictor.config.threshold, {}
    for variant, network in predictor.networks.items():
        pixels, boundaries = counts[variant], BoundaryScores(threshold)
        score(network, arrays.photos, arrays.masks, predictor.config.preset, [pixels, boundaries])
        scores[variant] = {
            "auroc": pixels.auroc,
            "f1": pixels.f1(threshold),
            "iou": pixels.iou(threshold),
            "mse": pixels.mse,
            "boundary_iou": boundaries.mean,
            "calibration_error": pixels.calibration_error,
        }
    return scores


def own_size_scores(predictor: HairPredictor, dataset: str, pairs: list[Pair]) -> tuple[dict, dict, dict, dict]:
    """What a user gets: alphas at the photos' own sizes, with and without refined edges.

    Returns:
        Scores per variant; per type of hair, where the data set tells it; per other group of photos, the worst first; and
        F1 of each photo, per variant.
    """
    threshold, variants = predictor.config.threshold, list(predictor.networks)
    masks = {refined: {variant: MaskScores() for variant in variants} for refined in (True, False)}
    pixels = {refined: {variant: PixelCounts() for variant in variants} for refined in (True, False)}
    by_group, images, per_photo = {}, Counter(), {variant: [] for variant in variants}
    for pair in tqdm(pairs, "own size", unit="photo", leave=False):
        photo, mask = pair_at_size_of_photo(pair, dataset)
        groups = groups_of(dataset, pair, mask)
        images.update(groups)
        for refined in (True, False):
            for variant, alpha in predictor.alphas(photo, refined).items():
                pixels[refined][variant].update(torch.from_numpy(alpha).logit(), torch.from_numpy(mask))
                own = masks[refined][variant].add(alpha >= threshold, mask)
                if refined:
                    per_photo[variant].append(own)
                    for group in groups:
                        scores = by_group.setdefault(group, {each: MaskScores() for each in variants})
                        scores[variant].add(alpha >= threshold, mask)

    def scores_of(refined: bool, variant: str) -> dict:
        counts = pixels[refined][variant]
        return masks[refined][variant].scores() | {"auroc": counts.auroc, "calibration_error": counts.calibration_error}

    own_size = {variant: scores_of(True, variant) | {"unrefined": scores_of(False, variant)} for variant in variants}
    found = {
        group: {"images": images[group], "variants": {variant: part.scores() for variant, part in scores.items()}}
        for group, scores in by_group.items()
        if group in FIGARO1K_TYPES or images[group] < len(pairs) or group == "hairless"
    }
    hair_types = {group: part for group, part in found.items() if group in FIGARO1K_TYPES}
    others = sorted(found.keys() - hair_types.keys(), key=lambda group: _merit(found[group]["variants"][variants[0]]))
    return own_size, hair_types, {group: found[group] for group in others}, per_photo


def _merit(scores: dict) -> float:
    """By which groups are ordered, in [0, 1]: F1, or where nobody has hair the share of pixels not called so."""
    return 1 - scores["false_hair"] if scores["median_f1"] is None else scores["f1"]


def framing_scores(predictor: HairPredictor, dataset: str, pairs: list[Pair], scenes: list[np.ndarray]) -> dict:
    """F1 when the photos' longer sides are a whole, a half, a third and a fifth of a scene around them."""
    results = {}
    for part in FRAMINGS:
        scores = {variant: MaskScores() for variant in predictor.networks}
        for index, pair in enumerate(tqdm(pairs, f"framing 1/{part}", unit="photo", leave=False)):
            photo, mask = in_scene(*pair_at_size_of_photo(pair, dataset), scenes[index % len(scenes)], part, pair.id)
            for variant, alpha in predictor.alphas(photo).items():
                scores[variant].add(alpha >= predictor.config.threshold, mask)
        results[f"1/{part}"] = {variant: part_scores.scores() for variant, part_scores in scores.items()}
    return results


def in_scene(
    photo: np.ndarray, mask: np.ndarray, scene: np.ndarray, part: int, key: str
) -> tuple[np.ndarray, np.ndarray]:
    """A photo and its mask in the middle of a scene's square, the longer side `CANVAS_SIDE / part`, at a place by `key`."""
    side = min(scene.shape[:2])
    top, left = (scene.shape[0] - side) // 2, (scene.shape[1] - side) // 2
    canvas = cv2.resize(
        scene[top : top + side, left : left + side], (CANVAS_SIDE, CANVAS_SIDE), interpolation=cv2.INTER_CUBIC
    )
    scale = CANVAS_SIDE / part / max(mask.shape)
    height, width = (max(1, round(length * scale)) for length in mask.shape)
    top, left = (
        int(share_of(f"{key}/{axis}") * (CANVAS_SIDE - length + 1)) for axis, length in zip("yx", (height, width))
    )
    window = slice(top, top + height), slice(left, left + width)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    canvas[window] = cv2.resize(photo, (width, height), interpolation=way)
    canvas_mask = np.zeros((CANVAS_SIDE, CANVAS_SIDE), np.uint8)
    canvas_mask[window] = resize_mask(mask, (height, width))
    return canvas, canvas_mask


def hairless_scores(predictor: HairPredictor, scenes: dict[str, list[np.ndarray]]) -> dict:
    """Share of pixels called hair in photos without people: the mean, and of the worst photo; over all, and per kind."""
    kinds = {}
    for kind, photos in scenes.items():
        shares = kinds[kind] = {variant: [] for variant in predictor.networks}
        for photo in tqdm(photos, f"hairless, {kind}", unit="photo", leave=False):
            for variant, alpha in predictor.alphas(photo).items():
                shares[variant].append(float(np.mean(alpha >= predictor.config.threshold)))

    def summary(parts: list[dict[str, list[float]]]) -> dict:
        by_variant = {variant: [share for part in parts for share in part[variant]] for variant in predictor.networks}
        return {
            "images": sum(len(part[next(iter(part))]) for part in parts),
            "variants": {
                variant: {"mean": float(np.mean(some)), "worst": max(some)} for variant, some in by_variant.items()
            },
        }

    by_kind = {kind: summary([shares]) for kind, shares in kinds.items()}
    first = next(iter(predictor.networks))
    worst_first = sorted(by_kind, key=lambda kind: -by_kind[kind]["variants"][first]["mean"])
    return summary(list(kinds.values())) | {"kinds": {kind: by_kind[kind] for kind in worst_first}}


def pair_at_size_of_photo(pair: Pair, dataset: str) -> tuple[np.ndarray, np.ndarray]:
    """uint8 RGB photo (height, width, 3) and its mask, uint8 (height, width) of {0, 1, IGNORE}."""
    photo, mask = load_pair(pair, dataset)
    return photo, resize_mask(mask, photo.shape[:2])
