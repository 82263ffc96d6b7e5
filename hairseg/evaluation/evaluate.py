"""Score a model repository on data sets: the contents of metrics.json, figure 3, curves, and the worst photos."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import numpy as np
import torch

from hairseg.data.datasets import Pair
from hairseg.data.decoded import PhotoArrays
from hairseg.evaluation.figures import draw_comparison, draw_precision_recall, draw_reliability, draw_roc, draw_worst
from hairseg.evaluation.framing import score_framing, score_hairless
from hairseg.evaluation.full_resolution import load_full_resolution, score_full_resolution, score_group, sort_groups
from hairseg.evaluation.metrics import BoundaryScores, MaskCounts, PixelCounts, PixelScores, score
from hairseg.evaluation.parts import Map, split_parts
from hairseg.inference.predictor import HairPredictor
from hairseg.paper import VARIANTS
from hairseg.repository import ModelRepository
from hairseg.repository.metrics import DatasetMetrics, Metrics, PhotoTypeScores, Scores
from hairseg.repository.photo_types import LABELLED_BY_AGREEMENT

FIGURE3_PHOTOS, WORST_PHOTOS = 4, 12

GroupCounts = Mapping[str, Mapping[str, MaskCounts]]


def evaluate(
    predictor: HairPredictor,
    split: str,
    datasets: Mapping[str, list[Pair]],
    arrays: Mapping[str, PhotoArrays],
    scenes: dict[str, list[np.ndarray]] | None = None,
    output: ModelRepository | None = None,
    map_parts: Map = map,
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
        map_parts: scores parts of the photos, as `map` does.

    Returns:
        The contents of metrics.json. A score is None where it is undefined, as without true hair.
    """
    counts = []
    scored = []
    for dataset, pairs in datasets.items():
        drawn_to = None if scored else output
        metrics, by_group = _score_dataset(predictor, dataset, split, pairs, arrays[dataset], drawn_to, map_parts)
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
            "framing": score_framing(predictor, dataset, pairs, backdrops, map_parts),
            "hairless": score_hairless(predictor.alphas, predictor.config.threshold, scenes, map_parts),
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
    map_parts: Map,
) -> tuple[DatasetMetrics, GroupCounts]:
    """Return the scores on one data set, and the counts of masks by group; draw figures if `output` is given."""
    pixels: dict[str, PixelScores] = {}
    scores: dict[str, Scores] = {}
    for variant in predictor.networks:
        scores[variant], pixels[variant] = score_network(predictor, variant, arrays, map_parts)
    curves = {variant: found for variant, found in pixels.items() if found.has_both_classes}
    full_resolution = score_full_resolution(predictor, dataset, pairs, map_parts)
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
        if curves:
            draw_roc(output.figure("roc"), curves)
            draw_precision_recall(output.figure("precision_recall"), curves, predictor.config.threshold)
            draw_reliability(output.figure("reliability"), curves)
        _draw_photos(predictor, dataset, pairs, full_resolution.f1_per_photo, output)
    return metrics, full_resolution.counts


def _draw_photos(
    predictor: HairPredictor, dataset: str, pairs: Sequence[Pair], f1: Sequence[float | None], output: ModelRepository
) -> None:
    """Draw evenly spaced photos in figure 3, and the photos with the lowest F1 of the first variant."""
    if predictor.networks.keys() == set(VARIANTS):
        comparisons = []
        for pair in pairs[:: max(1, len(pairs) // FIGURE3_PHOTOS)][:FIGURE3_PHOTOS]:
            photo, _ = load_full_resolution(pair, dataset)
            alphas = predictor.alphas(photo)
            comparisons.append((alphas["random"], photo, alphas["pretrained"]))
        draw_comparison(output.figure("figure3"), comparisons)
    first = next(iter(predictor.networks))
    worst = []
    scored = [(found, pair) for found, pair in zip(f1, pairs, strict=True) if found is not None]
    for found, pair in sorted(scored, key=lambda photo: photo[0])[:WORST_PHOTOS]:
        photo, mask = load_full_resolution(pair, dataset)
        prediction = predictor.alphas(photo)[first] >= predictor.config.threshold
        worst.append((f"{pair.id}, F1 {found:.2f}", photo, mask == 1, prediction))
    if worst:
        draw_worst(output.worst_photos, worst)


def score_network(
    predictor: HairPredictor, variant: str, arrays: PhotoArrays, map_parts: Map = map
) -> tuple[Scores, PixelScores]:
    """Score a network as the paper does: one forward pass per photo at the input size, all pixels pooled.

    Returns:
        The scores, and the pixels behind them.
    """
    threshold = predictor.config.threshold
    counts, boundaries = PixelCounts(predictor.device), BoundaryScores(threshold)
    # Cloned, since pickling a slice would pickle the whole tensor.
    parts = (
        (photos.clone(), masks.clone())
        for photos, masks in zip(split_parts(arrays.photos), split_parts(arrays.masks), strict=True)
    )
    for found_counts, found_boundaries in map_parts(partial(_count, predictor, variant), parts):
        counts.add_all(found_counts)
        boundaries.scores += found_boundaries.scores
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
    predictor: HairPredictor, variant: str, part: tuple[torch.Tensor, torch.Tensor]
) -> tuple[PixelCounts, BoundaryScores]:
    counts, boundaries = PixelCounts(predictor.device), BoundaryScores(predictor.config.threshold)
    score(predictor.networks[variant], *part, predictor.config.preprocessing, [counts, boundaries])
    return counts, boundaries
