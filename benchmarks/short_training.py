"""Helpers of benchmarks that compare short trainings. Import it after common."""

import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from hairseg.data.datasets import Pair
from hairseg.data.decoded import load_arrays
from hairseg.errors import InputError
from hairseg.networks.preprocessing import Preprocessing
from hairseg.training.checkpoints import Settings
from hairseg.training.loop import train_variant


def train_weights(
    settings: Settings, photos: list[tuple[str, Pair]], accelerator: Accelerator, workers: int
) -> dict[str, torch.Tensor]:
    """Train and return the state dict after the last epoch.

    Args:
        settings: variant, backbone, initial weights and recipe.
        photos: training photos, each with the name of its data set.
        accelerator: decides the device.
        workers: threads that decode photos.
    """
    by_dataset: dict[str, list[Pair]] = {}
    for dataset, pair in photos:
        by_dataset.setdefault(dataset, []).append(pair)
    source = Preprocessing(settings.recipe.source_size)
    empty = load_arrays({}, Preprocessing(settings.recipe.image_size), 1)
    splits = {
        "train": load_arrays(by_dataset, source, workers),
        "val": empty,
        "test": empty,
        "scenes": load_arrays({}, source, 1),
    }
    with tempfile.TemporaryDirectory() as folder:
        return train_variant(settings, splits, accelerator, Path(folder) / "checkpoint.pt").weights


def read_or_create_record(path: Path, settings: dict[str, Any], results: str) -> dict[str, Any]:
    """Read the record of an interrupted run, or create {"settings": settings, results: {}}.

    Raises:
        InputError: the record has other settings.
    """
    settings = json.loads(json.dumps(settings))  # tuples become lists, as in the file
    record = json.loads(path.read_text()) if path.exists() else {"settings": settings, results: {}}
    if record["settings"] != settings:
        raise InputError(f"{path} has other settings.", remedy="Remove it or choose another --output.")
    return record
