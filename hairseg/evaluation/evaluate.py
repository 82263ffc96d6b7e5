"""Score a model repository on a data set: the contents of metrics.json, figure 3, curves, and the worst photos."""

from functools import partial

import numpy as np
import torch

from hairseg.data.datasets import Pair
from hairseg.data.decoded import PhotoArrays
from hairseg.evaluation.figures import draw_comparison, draw_precision_recall, draw_reliability, draw_roc, draw_worst
from hairseg.evaluation.framing import score_framing, score_hairless
from hairseg.evaluation.full_resolution import score_full_resolution
from hairseg.evaluation.metrics import BoundaryScores, PixelCounts, PixelScores, score
from hairseg.evaluation.runner import PHOTOS_PER_PART, Runner, run_here
from hairseg.inference.predictor import HairPredictor
from hairseg.repository import ModelRepository
from hairseg.repository.metrics import Metrics, Scores


def evaluate(
    predictor: HairPredictor,
    dataset: str,
    split: str,
    pairs: list[Pair],
    arrays: PhotoArrays,
    scenes: dict[str, list[np.ndarray]] | None = None,
    output: ModelRepository | None = None,
    run: Runner | None = None,
) -> Metrics:
    """Score every variant.

    Args:
        predictor: the variants.
        dataset: the name that `find_pairs` returned.
        split: name of the split.
        pairs: the photos.
        arrays: the same photos, as `load_arrays` returns them.
        scenes: photos without people, as `load_scenes` returns them. With them, framing and hairless photos are scored.
        output: where to draw figures and the worst photos; by default they are not drawn.
        run: how to score parts of the photos; by default in this process.

    Returns:
        The contents of metrics.json. A score is None where it is undefined, as without true hair.
    """
    pixels: dict[str, PixelScores] = {}
    scores: dict[str, Scores] = {}
    for variant in predictor.networks:
        scores[variant], pixels[variant] = score_network(predictor, variant, arrays, run)
    curves = {variant: found for variant, found in pixels.items() if found.has_both_classes}
    full_resolution = score_full_resolution(predictor, dataset, pairs, run)
    backdrops = [photo for photos in (scenes or {}).values() for photo in photos]
    metrics = Metrics(
        dataset=dataset,
        split=split,
        images=len(pairs),
        image_size=predictor.config.image_size,
        variants=scores,
        roc={variant: found.roc_curve() for variant, found in curves.items()},
        full_resolution=full_resolution.variants,
        hair_types=full_resolution.hair_types,
        groups=full_resolution.groups,
        framing_photos=len(pairs) if scenes else None,
        framing=score_framing(predictor, dataset, pairs, backdrops, run) if scenes else {},
        hairless=score_hairless(predictor, scenes, run) if scenes else None,
    )
    if output:
        gallery = full_resolution.gallery
        if curves:
            draw_roc(output.figure("roc"), curves)
            draw_precision_recall(output.figure("precision_recall"), curves, predictor.config.threshold)
            draw_reliability(output.figure("reliability"), curves)
        if gallery.comparisons:
            draw_comparison(output.figure("figure3"), gallery.comparisons)
        if worst := gallery.worst_first():
            draw_worst(output.worst_photos, worst)
    return metrics


def score_network(
    predictor: HairPredictor, variant: str, arrays: PhotoArrays, run: Runner | None = None
) -> tuple[Scores, PixelScores]:
    """Score a network as the paper does: one forward pass per photo at the input size, all pixels pooled.

    Returns:
        The scores, and the pixels behind them.
    """
    threshold = predictor.config.threshold
    counts, boundaries = PixelCounts(predictor.device), BoundaryScores(threshold)
    # Cloned, since pickling a slice would pickle the whole tensor.
    batches = (
        tuple(array[first : first + PHOTOS_PER_PART].clone() for array in (arrays.photos, arrays.masks))
        for first in range(0, len(arrays), PHOTOS_PER_PART)
    )
    for part_counts, part_boundaries in (run or run_here(predictor))(partial(_count, variant), batches):
        counts.merge(part_counts)
        boundaries.scores += part_boundaries.scores
    pixels = counts.scores()
    f1 = pixels.f1(threshold)
    scores = Scores(
        auroc=pixels.auroc,
        f1=f1,
        iou=pixels.iou(threshold),
        mse=pixels.mse,
        boundary_iou=None if f1 is None else boundaries.mean,
        calibration_error=pixels.calibration_error,
    )
    return scores, pixels


def _count(
    variant: str, predictor: HairPredictor, batch: tuple[torch.Tensor, torch.Tensor]
) -> tuple[PixelCounts, BoundaryScores]:
    counts, boundaries = PixelCounts(predictor.device), BoundaryScores(predictor.config.threshold)
    score(predictor.networks[variant], *batch, predictor.config.preprocessing, [counts, boundaries])
    return counts, boundaries
