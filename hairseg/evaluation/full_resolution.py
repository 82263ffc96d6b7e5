"""Score alphas at full resolution, as users get them, over all photos and by group; and choose photos to draw."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch
from tqdm import tqdm

from hairseg.data.datasets import Pair, load_pair
from hairseg.data.groups import HAIR_TYPES, scoring_groups
from hairseg.evaluation.metrics import MaskCounts, PixelCounts
from hairseg.inference.predictor import HairPredictor
from hairseg.networks.preprocessing import resize_mask
from hairseg.paper import VARIANTS
from hairseg.repository.metrics import FullResolutionScores, GroupScores, Scores

Key = TypeVar("Key", bound=Hashable)

FIGURE3_PHOTOS, WORST_PHOTOS = 4, 12


@dataclass
class Gallery:
    """Photos to draw: evenly spaced ones for figure 3, and those with the lowest F1.

    Args:
        photos: number of photos that are scored.
    """

    photos: int
    comparisons: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=list)
    _failures: list[tuple[float, tuple[str, np.ndarray, np.ndarray, np.ndarray]]] = field(default_factory=list)

    def add_comparison(self, index: int, photo: np.ndarray, alphas: dict[str, np.ndarray]) -> None:
        """Keep `FIGURE3_PHOTOS` evenly spaced photos, if both variants are scored."""
        step = max(1, self.photos // FIGURE3_PHOTOS)
        if index % step == 0 and len(self.comparisons) < FIGURE3_PHOTOS and alphas.keys() == set(VARIANTS):
            self.comparisons.append((alphas["random"], photo, alphas["pretrained"]))

    def add_failure(self, name: str, photo: np.ndarray, mask: np.ndarray, prediction: np.ndarray, f1: float) -> None:
        """Keep a photo, its true mask and the predicted one if it is among the worst so far."""
        self._failures.append((f1, (f"{name}, F1 {f1:.2f}", photo, mask, prediction)))
        self._failures.sort(key=lambda failure: failure[0])
        del self._failures[WORST_PHOTOS:]

    def worst_first(self) -> list[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
        """Return the rows for `draw_worst`."""
        return [row for _, row in self._failures]


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

    def scores(self) -> Scores:
        """Return the scores of all photos so far."""
        pixels = self.pixels.scores()
        return self.masks.scores().model_copy(
            update={"auroc": pixels.auroc, "calibration_error": pixels.calibration_error}
        )


@dataclass
class FullResolutionResult:
    """Scores at full resolution, as metrics.json holds them, and photos to draw.

    Attributes:
        variants: scores over all photos.
        hair_types: scores by type of hair, if the data set labels it.
        groups: scores by other groups, the worst first.
        counts: counts of masks by group, hair types included, then by variant.
        gallery: photos to draw.
    """

    variants: dict[str, FullResolutionScores]
    hair_types: dict[str, GroupScores]
    groups: dict[str, GroupScores]
    counts: dict[str, dict[str, MaskCounts]]
    gallery: Gallery


def score_full_resolution(predictor: HairPredictor, dataset: str, pairs: list[Pair]) -> FullResolutionResult:
    """Score alphas at full resolution, with and without refinement. Every network runs once per photo.

    Args:
        predictor: all its variants are scored; photos and groups are ranked by the first one.
        dataset: the name that `find_pairs` returned.
        pairs: the photos.
    """
    threshold, variants = predictor.config.threshold, list(predictor.networks)
    counts = {refined: {variant: AlphaCounts() for variant in variants} for refined in (True, False)}
    by_group: dict[str, dict[str, MaskCounts]] = {}
    gallery = Gallery(len(pairs))
    for index, pair in enumerate(tqdm(pairs, "full resolution", unit="photo", leave=False)):
        photo, mask = load_full_resolution(pair, dataset)
        groups = scoring_groups(dataset, pair, mask)
        alphas, f1 = {}, {}
        for variant, future in predictor.submit(photo).items():
            prediction = future.result()
            counts[False][variant].add(prediction.alpha(photo, refined=False), mask, threshold)
            alphas[variant] = prediction.alpha(photo)
            f1[variant] = counts[True][variant].add(alphas[variant], mask, threshold)
            for group in groups:
                group_counts = by_group.setdefault(group, {name: MaskCounts() for name in variants})
                group_counts[variant].add(alphas[variant] >= threshold, mask)
        gallery.add_comparison(index, photo, alphas)
        if (first_f1 := f1[variants[0]]) is not None:
            gallery.add_failure(pair.id, photo, mask == 1, alphas[variants[0]] >= threshold, first_f1)

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
    return FullResolutionResult(by_variant, hair_types, sort_groups(others), by_group, gallery)


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
