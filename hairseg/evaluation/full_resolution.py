"""Score alphas at full resolution, as users get them, over all photos and by group."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import numpy as np
import torch

from hairseg.data.datasets import Pair, load_pair
from hairseg.data.groups import HAIR_TYPES, scoring_groups
from hairseg.evaluation.metrics import MaskCounts, PixelCounts
from hairseg.evaluation.parts import Map, split_parts, with_progress
from hairseg.inference.predictor import HairPredictor
from hairseg.networks.preprocessing import resize_mask
from hairseg.repository.metrics import FullResolutionScores, GroupScores, Scores

Key = TypeVar("Key", bound=Hashable)


@dataclass
class AlphaCounts:
    """Counts from which alphas at full resolution are scored."""

    masks: MaskCounts = field(default_factory=MaskCounts)
    pixels: PixelCounts = field(default_factory=PixelCounts)

    def add(self, alpha: np.ndarray, mask: np.ndarray, threshold: float) -> float | None:
        """Add a photo.

        Args:
            alpha: float32 (height, width).
            mask: uint8 (height, width) of {0, 1, IGNORE}.
            threshold: alpha from which a pixel is hair.

        Returns:
            The photo's own F1; None without true hair.
        """
        self.pixels.update(torch.from_numpy(alpha).logit(), torch.from_numpy(mask))
        return self.masks.add(alpha >= threshold, mask)

    def add_all(self, other: "AlphaCounts") -> None:
        """Add the photos of other counts."""
        self.masks.add_all(other.masks)
        self.pixels.add_all(other.pixels)

    def scores(self) -> Scores:
        """Return the scores of all photos so far."""
        pixels = self.pixels.scores()
        return self.masks.scores().model_copy(
            update={"auroc": pixels.auroc, "calibration_error": pixels.calibration_error}
        )


@dataclass
class FullResolutionResult:
    """Scores at full resolution, as metrics.json holds them.

    Attributes:
        variants: scores over all photos.
        hair_types: scores by type of hair, if the data set labels it.
        groups: scores by other groups, the worst first.
        counts: counts of masks by group, hair types included, then by variant.
        f1_per_photo: F1 of each photo by the first variant; None without true hair.
    """

    variants: dict[str, FullResolutionScores]
    hair_types: dict[str, GroupScores]
    groups: dict[str, GroupScores]
    counts: dict[str, dict[str, MaskCounts]]
    f1_per_photo: list[float | None]


class _Counts:
    """Counts of each variant, with (True) and without refinement, and with refinement by group."""

    def __init__(self, variants: Sequence[str]):
        self.variants = variants
        self.all = {refined: {variant: AlphaCounts() for variant in variants} for refined in (True, False)}
        self.by_group: dict[str, dict[str, MaskCounts]] = {}

    def group(self, name: str) -> dict[str, MaskCounts]:
        return self.by_group.setdefault(name, {variant: MaskCounts() for variant in self.variants})

    def add_all(self, other: "_Counts") -> None:
        for refined, by_variant in other.all.items():
            for variant, found in by_variant.items():
                self.all[refined][variant].add_all(found)
        for group, by_variant in other.by_group.items():
            for variant, found in by_variant.items():
                self.group(group)[variant].add_all(found)


def score_full_resolution(
    predictor: HairPredictor, dataset: str, pairs: list[Pair], map_parts: Map = map
) -> FullResolutionResult:
    """Score alphas at full resolution, with and without refinement. Every network runs once per photo.

    Args:
        predictor: all its variants are scored; groups are ranked by the first one.
        dataset: the name that `find_pairs` returned.
        pairs: the photos.
        map_parts: scores parts of the photos, as `map` does.
    """
    variants = list(predictor.networks)
    total = _Counts(variants)
    for found in with_progress(
        map_parts(partial(_count, predictor, dataset), split_parts(pairs)), "full resolution", len(pairs)
    ):
        total.add_all(found)
    counts, by_group = total.all, total.by_group
    by_variant = {
        variant: FullResolutionScores.model_validate(
            found.scores().to_json() | {"unrefined": counts[False][variant].scores()}
        )
        for variant, found in counts[True].items()
    }
    scores = {group: score_group(found) for group, found in by_group.items()}
    hair_types = {group: found for group, found in scores.items() if group in HAIR_TYPES}
    others = {
        group: found
        for group, found in scores.items()
        if group not in HAIR_TYPES and (found.images != len(pairs) or group == "hairless")
    }
    first = counts[True][variants[0]]
    return FullResolutionResult(by_variant, hair_types, sort_groups(others), by_group, first.masks.f1_per_photo())


def _count(predictor: HairPredictor, dataset: str, pairs: Sequence[Pair]) -> _Counts:
    counts, threshold = _Counts(list(predictor.networks)), predictor.config.threshold
    for pair in pairs:
        photo, mask = load_full_resolution(pair, dataset)
        groups = scoring_groups(dataset, pair, mask)
        for variant, future in predictor.submit(photo).items():
            prediction = future.result()
            alpha = prediction.alpha(photo)
            counts.all[True][variant].add(alpha, mask, threshold)
            counts.all[False][variant].add(prediction.alpha(photo, refined=False), mask, threshold)
            for group in groups:
                counts.group(group)[variant].add(alpha >= threshold, mask)
    return counts


def score_group(counts: Mapping[str, MaskCounts]) -> GroupScores:
    """Score the photos of one group, given their counts by variant."""
    images = len(next(iter(counts.values())).counts)
    return GroupScores(images=images, variants={variant: found.scores() for variant, found in counts.items()})


def sort_groups(groups: Mapping[Key, GroupScores]) -> dict[Key, GroupScores]:
    """Sort groups, the worst first, by F1 of the first variant, or 1 - false hair for groups without hair."""

    def rank(group: Key) -> float:
        scores = next(iter(groups[group].variants.values()))
        return 1 - (scores.false_hair or 0) if scores.f1 is None else scores.f1

    return {group: groups[group] for group in sorted(groups, key=rank)}


def load_full_resolution(pair: Pair, dataset: str) -> tuple[np.ndarray, np.ndarray]:
    """Load a photo, uint8 RGB (height, width, 3), and its mask, uint8 (height, width) of {0, 1, IGNORE}."""
    photo, mask = load_pair(pair, dataset)
    return photo, resize_mask(mask, photo.shape[:2])
