"""What benchmarks share that compare short trainings: weights, and results that go on where they stopped.

Import it after common.
"""

import json
import tempfile
from pathlib import Path

import torch
from accelerate import Accelerator

from hairseg.data.datasets import Pair
from hairseg.data.decoded import load_arrays
from hairseg.errors import InputError
from hairseg.networks.preprocessing import Preprocessing
from hairseg.training.checkpoints import Settings
from hairseg.training.loop import train_variant


def trained_weights(
    settings: Settings, photos: list[tuple[str, Pair]], accelerator: Accelerator, workers: int
) -> dict[str, torch.Tensor]:
    """The state dict after the last epoch; nothing chooses another.

    Args:
        photos: those trained on, each with the name of its data set.
        workers: threads that decode them.
    """
    by_dataset: dict[str, list[Pair]] = {}
    for dataset, pair in photos:
        by_dataset.setdefault(dataset, []).append(pair)
    source = Preprocessing(settings.recipe.source_size)
    nobody, nothing = load_arrays({}, source, 1), load_arrays({}, Preprocessing(settings.recipe.image_size), 1)
    splits = {"train": load_arrays(by_dataset, source, workers), "val": nothing, "test": nothing, "scenes": nobody}
    with tempfile.TemporaryDirectory() as folder:
        return train_variant(settings, splits, accelerator, Path(folder) / "checkpoint.pt").weights


def record_in(path: Path, settings: dict, results: str) -> dict:
    """What a run with the same settings has left in a file, or {"settings": settings, results: {}} where there is none.

    Raises:
        InputError: the file is of other settings.
    """
    settings = json.loads(json.dumps(settings))  # as it is read again
    record = json.loads(path.read_text()) if path.exists() else {"settings": settings, results: {}}
    if record["settings"] != settings:
        raise InputError(f"{path} is of other settings", "the same", "remove it or choose another --output")
    return record
