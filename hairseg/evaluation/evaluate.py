"""Score a model repository on the photos of a data set: what metrics.json holds, figure 3, curves, and its failures."""

import numpy as np

from hairseg.data.datasets import Pair
from hairseg.data.decoded import PhotoArrays
from hairseg.evaluation.figures import draw_comparison, draw_precision_recall, draw_reliability, draw_roc, draw_worst
from hairseg.evaluation.framing import framing_scores, hairless_scores
from hairseg.evaluation.full_resolution import full_resolution_scores
from hairseg.evaluation.metrics import BoundaryScores, PixelCounts, PixelScores
from hairseg.evaluation.scoring import score
from hairseg.inference.predictor import HairPredictor
from hairseg.repository import ModelRepository


def evaluate(
    predictor: HairPredictor,
    dataset: str,
    split: str,
    pairs: list[Pair],
    arrays: PhotoArrays,
    scenes: dict[str, list[np.ndarray]] | None = None,
    output: ModelRepository | None = None,
) -> dict:
    """Score every variant.

    Args:
        dataset, split: what the scores are called.
        pairs: the photos scored.
        arrays: the same photos as `load_arrays` gives them.
        scenes: photos without people, as `load_scenes` gives them; with them, framing and hair-free photos are scored,
            too.
        output: where to draw figures and the worst photos; nowhere by default.

    Returns:
        The contents of metrics.json. Scores of what has no hair, or nothing but hair, are None where they say nothing.
    """
    scores, pixels = network_scores(predictor, arrays)
    metrics = {
        "dataset": dataset,
        "split": split,
        "images": len(pairs),
        "image_size": predictor.config.image_size,
        "variants": scores,
    }
    with_both_classes = {variant: of_variant for variant, of_variant in pixels.items() if of_variant.has_both_classes}
    metrics["roc"] = {variant: of_variant.roc_points() for variant, of_variant in with_both_classes.items()}
    full_resolution = full_resolution_scores(predictor, dataset, pairs)
    metrics["own_size"] = full_resolution.variants
    if full_resolution.hair_types:
        metrics["hair_types"] = full_resolution.hair_types
    metrics["groups"] = full_resolution.groups
    if scenes:
        backdrops = [photo for photos in scenes.values() for photo in photos]
        metrics["framing_photos"] = len(pairs)
        metrics["framing"] = framing_scores(predictor, dataset, pairs, backdrops)
        metrics["hairless"] = hairless_scores(predictor, scenes)
    if output:
        if with_both_classes:
            draw_roc(output.figure("roc"), with_both_classes)
            draw_precision_recall(output.figure("precision_recall"), with_both_classes, predictor.config.threshold)
            draw_reliability(output.figure("reliability"), with_both_classes)
        if full_resolution.gallery.comparisons:
            draw_comparison(output.figure("figure3"), full_resolution.gallery.comparisons)
        if full_resolution.gallery.worst:
            draw_worst(output.worst, full_resolution.gallery.worst_first())
    return metrics


def network_scores(
    predictor: HairPredictor, arrays: PhotoArrays
) -> tuple[dict[str, dict[str, float | None]], dict[str, PixelScores]]:
    """Score the networks as the paper does: pixels of all images pooled, at the network's input size, one look at each.

    Returns:
        Scores per variant, and the pixels that they come from.
    """
    threshold, scores, pixels = predictor.config.threshold, {}, {}
    for variant, network in predictor.networks.items():
        counts, boundaries = PixelCounts(predictor.device), BoundaryScores(threshold)
        score(network, arrays.photos, arrays.masks, predictor.config.preprocessing, [counts, boundaries])
        of_variant = pixels[variant] = counts.scores()
        f1 = of_variant.f1(threshold)
        scores[variant] = {
            "auroc": of_variant.auroc,
            "f1": f1,
            "iou": of_variant.iou(threshold),
            "mse": of_variant.mse,
            "boundary_iou": None if f1 is None else boundaries.mean,
            "calibration_error": of_variant.calibration_error,
        }
    return scores, pixels
