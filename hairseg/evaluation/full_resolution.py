"""Score alphas at full resolution, as users get them, over all photos and by group; and choose photos to draw."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch

from hairseg.data.datasets import Pair, load_pair
from hairseg.data.groups import FIGARO1K_TYPES, scoring_groups
from hairseg.evaluation.metrics import MaskCounts, PixelCounts
from hairseg.evaluation.runner import Runner, parts_of, run_here, with_progress
from hairseg.inference.predictor import HairPredictor
from hairseg.networks.preprocessing import resize_mask
from hairseg.paper import VARIANTS
from hairseg.repository.metrics import FullResolutionScores, GroupScores, Scores

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

    def merge(self, other: "Gallery") -> None:
        """Add the photos of another gallery after these."""
        self.comparisons = (self.comparisons + other.comparisons)[:FIGURE3_PHOTOS]
        self._failures = sorted(self._failures + other._failures, key=lambda failure: failure[0])[:WORST_PHOTOS]

    def worst_first(self) -> list[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
        """Return the rows for `draw_worst`."""
        return [row for _, row in self._failures]


@dataclass
class FullResolutionResult:
    """Scores at full resolution, as metrics.json holds them, and photos to draw.

    Attributes:
        variants: scores over all photos.
        hair_types: scores by type of hair, if the data set labels it.
        groups: scores by other groups, the worst first.
        gallery: photos to draw.
    """

    variants: dict[str, FullResolutionScores]
    hair_types: dict[str, GroupScores]
    groups: dict[str, GroupScores]
    gallery: Gallery


@dataclass
class _Counts:
    """Counts of one variant, with or without refinement."""

    masks: MaskCounts = field(default_factory=MaskCounts)
    pixels: PixelCounts = field(default_factory=PixelCounts)

    def merge(self, other: "_Counts") -> None:
        self.masks.merge(other.masks)
        self.pixels.merge(other.pixels)

    def scores(self) -> Scores:
        pixels = self.pixels.scores()
        return self.masks.scores().model_copy(
            update={"auroc": pixels.auroc, "calibration_error": pixels.calibration_error}
        )


class _PartCounts:
    """Counts of some of the photos: of each variant, refined or not, and of each variant by group.

    Args:
        photos: number of photos in all parts.
        variants: their names.
    """

    def __init__(self, photos: int, variants: list[str]):
        self.variants, self.gallery, self.images = variants, Gallery(photos), Counter[str]()
        self.by_variant = {refined: {variant: _Counts() for variant in variants} for refined in (True, False)}
        self.by_group: dict[str, dict[str, MaskCounts]] = {}

    def add(self, predictor: HairPredictor, dataset: str, index: int, pair: Pair) -> None:
        """Segment and count a photo."""
        threshold = predictor.config.threshold
        photo, mask = load_full_resolution(pair, dataset)
        groups = scoring_groups(dataset, pair, mask)
        self.images.update(groups)
        alphas, f1 = {}, {}
        for variant, future in predictor.submit(photo).items():
            prediction = future.result()
            for refined in (True, False):
                alpha = prediction.alpha(photo, refined)
                counts = self.by_variant[refined][variant]
                counts.pixels.update(torch.from_numpy(alpha).logit(), torch.from_numpy(mask))
                f1_of_photo = counts.masks.add(alpha >= threshold, mask)
                if refined:
                    alphas[variant], f1[variant] = alpha, f1_of_photo
            for group in groups:
                self._group(group)[variant].add(alphas[variant] >= threshold, mask)
        self.gallery.add_comparison(index, photo, alphas)
        first = self.variants[0]
        if (first_f1 := f1[first]) is not None:
            self.gallery.add_failure(pair.id, photo, mask == 1, alphas[first] >= threshold, first_f1)

    def merge(self, other: "_PartCounts") -> None:
        """Add the photos of the following part."""
        self.gallery.merge(other.gallery)
        self.images.update(other.images)
        for refined, by_variant in self.by_variant.items():
            for variant, counts in by_variant.items():
                counts.merge(other.by_variant[refined][variant])
        for group, by_variant in other.by_group.items():
            for variant, counts in by_variant.items():
                self._group(group)[variant].merge(counts)

    def _group(self, group: str) -> dict[str, MaskCounts]:
        return self.by_group.setdefault(group, {variant: MaskCounts() for variant in self.variants})


def score_full_resolution(
    predictor: HairPredictor, dataset: str, pairs: list[Pair], run: Runner | None = None
) -> FullResolutionResult:
    """Score alphas at full resolution, with and without refinement. Every network runs once per photo.

    Args:
        predictor: all its variants are scored; photos and groups are ranked by the first one.
        dataset: the name that `find_pairs` returned.
        pairs: the photos.
        run: how to score parts of the photos; by default in this process.
    """
    variants = list(predictor.networks)
    total = _PartCounts(len(pairs), variants)
    found = (run or run_here(predictor))(partial(_count, dataset, len(pairs)), parts_of(pairs))
    for part in with_progress(found, "full resolution", len(pairs)):
        total.merge(part)
    by_variant = {
        variant: FullResolutionScores.model_validate(
            counts.scores().to_json() | {"unrefined": total.by_variant[False][variant].scores()}
        )
        for variant, counts in total.by_variant[True].items()
    }
    images = total.images
    scores = {
        group: GroupScores(
            images=images[group], variants={variant: found.scores() for variant, found in group_counts.items()}
        )
        for group, group_counts in total.by_group.items()
        if group in FIGARO1K_TYPES or images[group] < len(pairs) or group == "hairless"
    }
    hair_types = {group: found for group, found in scores.items() if group in FIGARO1K_TYPES}
    others = sorted(scores.keys() - hair_types.keys(), key=lambda group: _rank(scores[group], variants[0]))
    return FullResolutionResult(by_variant, hair_types, {group: scores[group] for group in others}, total.gallery)


def _count(dataset: str, photos: int, predictor: HairPredictor, part: tuple[int, Sequence[Pair]]) -> _PartCounts:
    counts, (first, pairs) = _PartCounts(photos, list(predictor.networks)), part
    for index, pair in enumerate(pairs, first):
        counts.add(predictor, dataset, index, pair)
    return counts


def _rank(group: GroupScores, variant: str) -> float:
    """Sort key of groups, the worst first: F1, or 1 - false hair for groups without hair."""
    scores = group.variants[variant]
    return 1 - (scores.false_hair or 0) if scores.f1 is None else scores.f1


def load_full_resolution(pair: Pair, dataset: str) -> tuple[np.ndarray, np.ndarray]:
    """Load a photo, uint8 RGB (height, width, 3), and its mask, uint8 (height, width) of {0, 1, IGNORE}."""
    photo, mask = load_pair(pair, dataset)
    return photo, resize_mask(mask, photo.shape[:2])
