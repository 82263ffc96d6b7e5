"""Score a model repository on data sets: the contents of metrics.json, figure 3, curves, and the worst photos."""

from collections.abc import Iterable, Mapping

import numpy as np

from hairseg.data.datasets import Pair
from hairseg.data.decoded import PhotoArrays
from hairseg.evaluation.figures import draw_comparison, draw_precision_recall, draw_reliability, draw_roc, draw_worst
from hairseg.evaluation.framing import score_framing, score_hairless
from hairseg.evaluation.full_resolution import score_full_resolution, score_group, sort_groups
from hairseg.evaluation.metrics import BoundaryScores, MaskCounts, PixelCounts, PixelScores, score
from hairseg.inference.predictor import HairPredictor
from hairseg.repository import ModelRepository
from hairseg.repository.metrics import DatasetMetrics, Metrics, PhotoTypeScores, Scores
from hairseg.repository.photo_types import LABELLED_BY_AGREEMENT

GroupCounts = Mapping[str, Mapping[str, MaskCounts]]


def evaluate(
    predictor: HairPredictor,
    split: str,
    datasets: Mapping[str, list[Pair]],
    arrays: Mapping[str, PhotoArrays],
    scenes: dict[str, list[np.ndarray]] | None = None,
    output: ModelRepository | None = None,
) -> Metrics:
    """Score every variant on one or more data sets, and by type of photo over all of them.

    Args:
        predictor: the variants.
        split: name of the split.
        datasets: the photos, by the name that `find_pairs` returned; figures show the first data set.
        arrays: the same photos, as `load_arrays` returns them.
        scenes: photos without people, as `load_scenes` returns them. With them, framing on the first data set and false
            hair in the scenes are scored.
        output: where to draw figures and the worst photos; by default they are not drawn.

    Returns:
        The contents of metrics.json. A score is None where it is undefined, as without true hair.
    """
    counts = []
    scored = []
    for dataset, pairs in datasets.items():
        drawn_to = None if scored else output
        metrics, by_group = _score_dataset(predictor, dataset, split, pairs, arrays[dataset], drawn_to)
        scored.append(metrics)
        counts.append((dataset, by_group))
    first, *others = scored
    photo_types = pool_groups(counts)
    metrics = Metrics.model_validate(first.to_json() | {"others": others, "photo_types": photo_types})
    if not scenes:
        return metrics
    (dataset, pairs), *_ = datasets.items()
    backdrops = [photo for photos in scenes.values() for photo in photos]
    return metrics.model_copy(
        update={
            "framing_photos": len(pairs),
            "framing": score_framing(predictor, dataset, pairs, backdrops),
            "hairless": score_hairless(predictor.alphas, predictor.config.threshold, scenes),
        }
    )


def pool_groups(counts: Iterable[tuple[str, GroupCounts]]) -> list[PhotoTypeScores]:
    """Score each group over all data sets, the worst first. Labels by agreement and by people are never pooled.

    Args:
        counts: for each data set, its name, and its counts by group, then by variant.
    """
    pooled: dict[tuple[bool, str], dict[str, MaskCounts]] = {}
    datasets: dict[tuple[bool, str], list[str]] = {}
    for dataset, by_group in counts:
        for group, by_variant in by_group.items():
            key = (dataset in LABELLED_BY_AGREEMENT, group)
            datasets.setdefault(key, []).append(dataset)
            for variant, found in by_variant.items():
                pooled.setdefault(key, {}).setdefault(variant, MaskCounts()).add_all(found)
    scores = {key: score_group(by_variant) for key, by_variant in pooled.items()}
    return [
        PhotoTypeScores(group=key[1], datasets=datasets[key], images=scores[key].images, variants=scores[key].variants)
        for key in sort_groups(scores)
    ]


def _score_dataset(
    predictor: HairPredictor,
    dataset: str,
    split: str,
    pairs: list[Pair],
    arrays: PhotoArrays,
    output: ModelRepository | None,
) -> tuple[DatasetMetrics, GroupCounts]:
    """Return the scores on one data set, and the counts of masks by group; draw figures if `output` is given."""
    pixels: dict[str, PixelScores] = {}
    scores: dict[str, Scores] = {}
    for variant in predictor.networks:
        scores[variant], pixels[variant] = score_network(predictor, variant, arrays)
    curves = {variant: found for variant, found in pixels.items() if found.has_both_classes}
    full_resolution = score_full_resolution(predictor, dataset, pairs)
    metrics = DatasetMetrics(
        dataset=dataset,
        split=split,
        images=len(pairs),
        image_size=predictor.config.image_size,
        variants=scores,
        roc={variant: found.roc_curve() for variant, found in curves.items()},
        full_resolution=full_resolution.variants,
        hair_types=full_resolution.hair_types,
        groups=full_resolution.groups,
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
    return metrics, full_resolution.counts


def score_network(predictor: HairPredictor, variant: str, arrays: PhotoArrays) -> tuple[Scores, PixelScores]:
    """Score a network as the paper does: one forward pass per photo at the input size, all pixels pooled.

    Returns:
        The scores, and the pixels behind them.
    """
    threshold = predictor.config.threshold
    counts, boundaries = PixelCounts(predictor.device), BoundaryScores(threshold)
    network, preprocessing = predictor.networks[variant], predictor.config.preprocessing
    score(network, arrays.photos, arrays.masks, preprocessing, [counts, boundaries])
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
