"""Score what a user gets: alphas at the photos' own sizes, over all photos and by kind; and choose photos to draw."""

import heapq
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import torch
from tqdm import tqdm

from hairseg.data.datasets import Pair, load_pair
from hairseg.data.groups import FIGARO1K_TYPES, scoring_groups
from hairseg.evaluation.metrics import MaskScores, PixelCounts
from hairseg.inference.predictor import HairPredictor
from hairseg.networks.preprocessing import resize_mask

FIGURE3_PHOTOS, WORST_PHOTOS = 4, 12


@dataclass
class Gallery:
    """Photos to draw, collected while all are scored: some for figure 3, and those with the lowest F1."""

    photos: int  # that are scored
    comparisons: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=list)
    worst: list[tuple[float, int, tuple[str, np.ndarray, np.ndarray, np.ndarray]]] = field(default_factory=list)

    def add_comparison(self, index: int, photo: np.ndarray, alphas: dict[str, np.ndarray]) -> None:
        """Keep a photo for figure 3 if it is its turn, and both variants are there."""
        is_its_turn = index % max(1, self.photos // FIGURE3_PHOTOS) == 0 and len(self.comparisons) < FIGURE3_PHOTOS
        if is_its_turn and alphas.keys() == {"pretrained", "random"}:
            self.comparisons.append((alphas["random"], photo, alphas["pretrained"]))

    def add_failure(
        self, index: int, name: str, photo: np.ndarray, mask: np.ndarray, found: np.ndarray, f1: float
    ) -> None:
        """Keep a photo with its true mask and the one found while it is among the worst."""
        heapq.heappush(self.worst, (-f1, -index, (f"{name}, F1 {f1:.2f}", photo, mask, found)))
        if len(self.worst) > WORST_PHOTOS:
            heapq.heappop(self.worst)  # the best of them

    def worst_first(self) -> list[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
        """Rows for `draw_worst`."""
        return [row for *_, row in sorted(self.worst, key=lambda entry: entry[:2], reverse=True)]


@dataclass
class FullResolutionScores:
    """Scores at the photos' own sizes, as metrics.json holds them."""

    variants: dict[str, dict]  # per variant; under "unrefined" the same without refined edges
    hair_types: dict[str, dict]  # per type of hair, where the data set tells it
    groups: dict[str, dict]  # per other group of photos, the worst first
    gallery: Gallery


def full_resolution_scores(predictor: HairPredictor, dataset: str, pairs: list[Pair]) -> FullResolutionScores:
    """Score alphas at the photos' own sizes, with and without refined edges; every network runs once per photo."""
    threshold, variants = predictor.config.threshold, list(predictor.networks)
    masks = {refined: {variant: MaskScores() for variant in variants} for refined in (True, False)}
    pixels = {refined: {variant: PixelCounts() for variant in variants} for refined in (True, False)}
    by_group, images, gallery = {}, Counter(), Gallery(len(pairs))
    for index, pair in enumerate(tqdm(pairs, "own size", unit="photo", leave=False)):
        photo, mask = pair_at_size_of_photo(pair, dataset)
        groups, shown, f1 = scoring_groups(dataset, pair, mask), {}, {}
        images.update(groups)
        for variant, look in predictor.submit(photo).items():
            for refined in (True, False):
                alpha = look.result().alpha(photo, refined)
                pixels[refined][variant].update(torch.from_numpy(alpha).logit(), torch.from_numpy(mask))
                f1_of_photo = masks[refined][variant].add(alpha >= threshold, mask)
                if refined:
                    shown[variant], f1[variant] = alpha, f1_of_photo
                    for group in groups:
                        of_group = by_group.setdefault(group, {name: MaskScores() for name in variants})
                        of_group[variant].add(alpha >= threshold, mask)
        gallery.add_comparison(index, photo, shown)
        if (first_f1 := f1[variants[0]]) is not None:
            gallery.add_failure(index, pair.id, photo, mask == 1, shown[variants[0]] >= threshold, first_f1)

    def scores_of(refined: bool, variant: str) -> dict[str, float | None]:
        pooled = pixels[refined][variant].scores()
        return masks[refined][variant].scores() | {"auroc": pooled.auroc, "calibration_error": pooled.calibration_error}

    full_resolution = {
        variant: scores_of(True, variant) | {"unrefined": scores_of(False, variant)} for variant in variants
    }
    found = {
        group: {"images": images[group], "variants": {variant: scores.scores() for variant, scores in of_group.items()}}
        for group, of_group in by_group.items()
        if group in FIGARO1K_TYPES or images[group] < len(pairs) or group == "hairless"
    }
    hair_types = {group: scores for group, scores in found.items() if group in FIGARO1K_TYPES}
    others = sorted(found.keys() - hair_types.keys(), key=lambda group: _merit(found[group]["variants"][variants[0]]))
    return FullResolutionScores(full_resolution, hair_types, {group: found[group] for group in others}, gallery)


def _merit(scores: dict) -> float:
    """By which groups are ordered, in [0, 1]: F1, or where nobody has hair the share of pixels not called so."""
    return 1 - scores["false_hair"] if scores["f1"] is None else scores["f1"]


def pair_at_size_of_photo(pair: Pair, dataset: str) -> tuple[np.ndarray, np.ndarray]:
    """uint8 RGB photo (height, width, 3) and its mask, uint8 (height, width) of {0, 1, IGNORE}."""
    photo, mask = load_pair(pair, dataset)
    return photo, resize_mask(mask, photo.shape[:2])
