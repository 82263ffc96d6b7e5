"""The photos of a training run: finding, splitting, weighting and decoding them."""

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from hairseg.data.crops import zoomed_crops
from hairseg.data.datasets import LAYOUTS, SPLITS, Pair, find_datasets, find_scenes
from hairseg.data.decoded import PhotoArrays, load_arrays
from hairseg.data.groups import id_group
from hairseg.data.hats import add_hats, find_hats
from hairseg.errors import InputError, raise_if_any
from hairseg.networks.preprocessing import Preprocessing
from hairseg.training.options import TrainOptions
from hairseg.training.recipes import Recipe


@dataclass(frozen=True)
class TrainingPhotos:
    """The photos of a training run on one or more data sets; the first one is scored after every epoch.

    Attributes:
        pairs: pairs by split, then by data set.
        scenes: photos without people, "train" and "test".
        weights: expected number of times that an epoch shows a photo, by data set, group (NAME/GROUP) or folder of
            scenes; 1 for others.
    """

    pairs: dict[str, dict[str, list[Pair]]]
    scenes: dict[str, list[Pair]]
    weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = set(itertools.chain.from_iterable(self._weight_names()))
        names |= {scene.photo.parent.name for scene in self.scenes["train"]}
        raise_if_any(
            sorted(self.weights.keys() - names),
            "names in --weights are not among the training photos",
            f"Choose from {', '.join(sorted(name for name in names if not name.endswith('/None')))}.",
        )

    @property
    def first(self) -> str:
        """Name of the first data set."""
        return next(iter(self.pairs["test"]))

    def digest(self) -> str:
        """Return the names of the data sets and a digest of photos, splits and weights, which identifies the data."""
        scored = self.pairs | {"test": {self.first: self.pairs["test"][self.first]}}
        lines = [
            f"{split} {dataset} {pair.id} {pair.hat.name if pair.hat else ''}"
            for split in SPLITS
            for dataset, pairs in scored[split].items()
            for pair in pairs
        ]
        lines += [f"{scene.photo.parent.name} {scene.id}" for scene in self.scenes["train"]]
        lines += [f"{name}={weight}" for name, weight in sorted(self.weights.items())]
        digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        return f"{', '.join(self.pairs['train'])} {digest[:16]}"

    def load(self, recipe: Recipe, workers: int) -> tuple[dict[str, PhotoArrays], dict[str, PhotoArrays]]:
        """Decode all photos.

        Args:
            recipe: defines the sizes.
            workers: number of threads.

        Returns:
            "train", "val", "test" (of the first data set) and "scenes", as `train_variant` takes them, and the test
            photos of each data set by its name.
        """
        source, serving = Preprocessing(recipe.source_size), Preprocessing(recipe.serving_size)
        tests = {name: load_arrays({name: pairs}, serving, workers) for name, pairs in self.pairs["test"].items()}
        splits = {
            "train": load_arrays(self.pairs["train"], source, workers),
            "val": load_arrays(self.pairs["val"], serving, workers),
            "test": tests[self.first],
            "scenes": load_arrays({"scenes": self.scenes["train"]}, source, workers),
        }
        splits["train"].weights = self._weigh(self._weight_names())
        splits["scenes"].weights = self._weigh([(scene.photo.parent.name,) for scene in self.scenes["train"]])
        return splits, tests

    def _weight_names(self) -> list[tuple[str, ...]]:
        """Return the names in `weights` that apply to each training photo, the most specific first."""
        return [
            (f"{dataset}/{id_group(pair.id)}", dataset)
            for dataset, pairs in self.pairs["train"].items()
            for pair in pairs
        ]

    def _weigh(self, names: list[tuple[str, ...]]) -> torch.Tensor:
        """Return the weight of each photo, given its names: float64 (photos,)."""
        weights = [next((self.weights[name] for name in row if name in self.weights), 1.0) for row in names]
        return torch.tensor(weights, dtype=torch.float64)


def find_photos(
    options: TrainOptions, weights: Mapping[str, float] | None = None, add_crops: bool = False
) -> TrainingPhotos:
    """Find the photos of a training.

    Args:
        options: folders, and how to read them.
        weights: see `TrainingPhotos`.
        add_crops: whether to add zoomed crops of photos in the layout `folder`.

    Raises:
        InputError: no photo is left to train or to test on, a weight has an unknown name, or what `find_datasets`,
            `find_scenes` and `find_hats` raise.
    """
    datasets = find_datasets(options.data, options.dataset, options.include_hairless)
    limit = options.limit
    by_split = {
        split: {dataset: [pair for pair in pairs if pair.split == split][:limit] for dataset, pairs in datasets.items()}
        for split in SPLITS
    }
    _check_not_empty("train", options.data, list(by_split["train"].values()))
    _check_not_empty("test", options.data[:1], list(by_split["test"].values())[:1])
    train = by_split["train"]
    if add_crops:
        for dataset in train.keys() - LAYOUTS.keys():
            train[dataset] = train[dataset] + zoomed_crops(train[dataset], dataset)
    if options.hats:
        hats = find_hats(options.hats)
        for dataset, pairs in train.items():
            train[dataset] = pairs + add_hats(pairs, hats)
    scenes = find_scenes(*options.scenes)
    scenes_by_split = {
        "train": [scene for scene in scenes if scene.split != "test"][:limit],
        "test": [scene for scene in scenes if scene.split == "test"][:limit],
    }
    return TrainingPhotos(by_split, scenes_by_split, weights or {})


def _check_not_empty(split: str, folders: Sequence[Path], pairs: list[list[Pair]]) -> None:
    if not any(pairs):
        raise InputError(
            f"No photo of {' and '.join(map(str, folders))} is in the {split} split, which the ids of photos decide.",
            remedy="Add photos: about 77 % train, 23 % test.",
        )
