"""The photos of one training: found in the folders of data sets and scenes, split, and decoded."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import torch

from hairseg.data.crops import zoomed_crops
from hairseg.data.datasets import SPLIT_RULES, SPLITS, Pair, find_pairs, find_scenes
from hairseg.data.decoded import PhotoArrays, load_arrays
from hairseg.data.groups import name_group
from hairseg.data.hats import add_hats, find_hats
from hairseg.errors import InputError, raise_if_any
from hairseg.networks.preprocessing import Preprocessing
from hairseg.training.batches import serving_size, source_size
from hairseg.training.recipes import Recipe


@dataclass(frozen=True)
class TrainingPhotos:
    """Pairs by split and data set, and scenes without people to train and to test with.

    All data sets are trained on. The first one's test photos are scored after every epoch.
    """

    pairs: dict[str, dict[str, list[Pair]]]  # by split, then by data set
    scenes: dict[str, list[Pair]]  # "train" and "test"
    weights: Mapping[str, float]  # how often an epoch shows what has this name, instead of once

    @property
    def first(self) -> str:
        """Name of the first data set."""
        return next(iter(self.pairs["test"]))

    def digest(self) -> str:
        """Name the data sets, and tell other photos, another split of them or other weights apart."""
        scored = self.pairs | {"test": {self.first: self.pairs["test"][self.first]}}
        lines = [
            f"{name} {dataset} {pair.id} {pair.hat.name if pair.hat else ''}"
            for name in SPLITS
            for dataset, pairs in scored[name].items()
            for pair in pairs
        ]
        lines += [f"{scene.photo.parent.name} {scene.id}" for scene in self.scenes["train"]]
        lines += [f"{name}={weight}" for name, weight in sorted(self.weights.items())]
        digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        return f"{', '.join(self.pairs['train'])} {digest[:16]}"

    def load(self, recipe: Recipe, workers: int) -> tuple[dict[str, PhotoArrays], dict[str, PhotoArrays]]:
        """Decode all photos, with that many threads.

        Returns:
            "train", "val", "test" of the first data set, and "scenes", as `train_variant` takes them; and the test
            photos of every data set by its name, at the size that the repository will have.
        """
        preprocessing, source, served = (
            Preprocessing(recipe.image_size),
            Preprocessing(source_size(recipe)),
            Preprocessing(serving_size(recipe)),
        )
        tests = {name: load_arrays({name: pairs}, served, workers) for name, pairs in self.pairs["test"].items()}
        splits = {
            "train": load_arrays(self.pairs["train"], source, workers),
            "val": load_arrays(self.pairs["val"], preprocessing, workers),
            "test": load_arrays({self.first: self.pairs["test"][self.first]}, preprocessing, workers),
            "scenes": load_arrays({"scenes": self.scenes["train"]}, source, workers),
        }
        names = [names for dataset, pairs in self.pairs["train"].items() for names in _names_of(dataset, pairs)]
        splits["train"].weights = self._weights_of(names)
        splits["scenes"].weights = self._weights_of([(scene.photo.parent.name,) for scene in self.scenes["train"]])
        return splits, tests

    def check_weights(self) -> None:
        """Raise InputError where a weight is for what is not there."""
        known = {
            name
            for dataset, pairs in self.pairs["train"].items()
            for names in _names_of(dataset, pairs)
            for name in names
        }
        known |= {scene.photo.parent.name for scene in self.scenes["train"]}
        raise_if_any(
            sorted(self.weights.keys() - known),
            "names in --weights are not among the training photos",
            f"name {', '.join(sorted(name for name in known if not name.endswith('/None')))}",
        )

    def _weights_of(self, names: list[tuple[str, ...]]) -> torch.Tensor:
        """The weight of each photo by the first of its names that has one, else 1: float64 (photos,)."""
        weights = [next((self.weights[name] for name in of_photo if name in self.weights), 1.0) for of_photo in names]
        return torch.tensor(weights, dtype=torch.float64)


def _names_of(dataset: str, pairs: list[Pair]) -> list[tuple[str, str]]:
    """By which photos can be weighed, the closest first: group and data set."""
    return [(f"{dataset}/{name_group(pair)}", dataset) for pair in pairs]


def find_photos(
    folders: list[Path],
    scenes: Sequence[Path] = (),
    layout: str = "auto",
    include_hairless: bool = False,
    limit: int | None = None,
    weights: Mapping[str, float] = MappingProxyType({}),
    crops: bool = False,
    hats: Path | None = None,
) -> TrainingPhotos:
    """Find the photos in folders of data sets.

    Args:
        scenes: folders of photos without people.
        layout: a name in `LAYOUTS`, or "auto".
        include_hairless: also take people without a hair mask, as empty masks.
        limit: at most so many photos of each data set's split, and so many scenes.
        weights: how often an epoch shows each photo of a data set, of a group of its photos (NAME/GROUP) or of a folder
            of scenes, instead of once.
        crops: whether to train on closer crops, too, of one's own photos, those of layout `folder`.
        hats: folder of photos of hats, which some people are shown in once more (`hats.add_hats`).

    Raises:
        InputError: a data set given twice, nothing to train or to test on, a weight for what is not there, or what
            `find_pairs`, `find_scenes` and `find_hats` raise.
    """
    found = {}
    for folder in folders:
        dataset, pairs = find_pairs(folder, layout, include_hairless)
        if dataset in found:
            raise InputError(
                f"{folder} is {dataset} once more", "every data set once", "put its photos into one folder"
            )
        found[dataset] = pairs
    by_split = {
        name: {dataset: [pair for pair in pairs if pair.split == name][:limit] for dataset, pairs in found.items()}
        for name in SPLITS
    }
    for name, needed in (("train", folders), ("test", folders[:1])):
        if not any(list(by_split[name].values())[: len(needed)]):
            raise InputError(
                f"no photo of {' and '.join(map(str, needed))} falls into the {name} split (each photo's id decides, "
                "about 77 : 23)",
                "some of each",
                "add photos",
            )
    if crops:
        by_split["train"] = {
            dataset: pairs if dataset in SPLIT_RULES else pairs + zoomed_crops(pairs, dataset)
            for dataset, pairs in by_split["train"].items()
        }
    if hats:
        found_hats = find_hats(hats)
        by_split["train"] = {
            dataset: pairs + add_hats(pairs, found_hats) for dataset, pairs in by_split["train"].items()
        }
    found_scenes = find_scenes(*scenes)
    by_use = {
        "train": [scene for scene in found_scenes if scene.split != "test"][:limit],
        "test": [scene for scene in found_scenes if scene.split == "test"][:limit],
    }
    photos = TrainingPhotos(by_split, by_use, weights)
    photos.check_weights()
    return photos
