"""Provenance of a variant, for its entry in config.json."""

import platform
import shlex
import sys
from dataclasses import asdict
from pathlib import Path

import numpy
import timm
import torch
import torchvision
from accelerate import Accelerator

from hairseg import __version__
from hairseg.data.datasets import layout_of
from hairseg.data.decoded import PhotoArrays
from hairseg.networks.backbones import INITS
from hairseg.repository.config import VariantConfig
from hairseg.repository.dataset_names import dataset_name
from hairseg.training.checkpoints import EpochRecord, Settings
from hairseg.training.loop import TrainingResult
from hairseg.training.photos import TrainingPhotos


def describe_variant(
    settings: Settings,
    recipe: str,
    result: TrainingResult,
    photos: TrainingPhotos,
    splits: dict[str, PhotoArrays],
    accelerator: Accelerator,
    started_from: VariantConfig | None = None,
) -> VariantConfig:
    """Describe how a variant was trained.

    Args:
        settings: what it was trained with.
        recipe: name of the recipe.
        result: what `train_variant` returned.
        photos: the photos found.
        splits: the photos as `train_variant` takes them.
        accelerator: device and processes.
        started_from: entry of the variant whose weights were the initial ones.
    """
    datasets = list(photos.pairs["train"])
    init = settings.init if settings.init in INITS else Path(settings.init).name
    entry: dict[str, object] = {
        "init": started_from.init if started_from else init,
        "recipe": recipe,
        **asdict(settings.recipe),
        "seed": settings.seed,
        "datasets": datasets,
        "weights": dict(photos.weights),
        "images": {name: len(arrays) for name, arrays in splits.items()},
        "split": "; ".join(f"{dataset_name(dataset)}: {layout_of(dataset).split_rule}" for dataset in datasets),
        **_summarise(result.history, result.best_epoch),
        "device": _device_name(accelerator),
        "command": _command_line(),
        "versions": {
            "hairseg": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "timm": timm.__version__,
            "numpy": numpy.__version__,
        },
    }
    return VariantConfig.model_validate(entry | {"started_from": started_from} if started_from else entry)


def _summarise(history: list[EpochRecord], best_epoch: int) -> dict[str, object]:
    """Summarise the selected epoch, and the best one on test, which the paper would report."""
    test_scores = [
        {"epoch": record["epoch"], "auroc": record["test"]["auroc"]}
        for record in history
        if record["test"]["auroc"] is not None
    ]
    has_validation = history[0]["val"]["auroc"] is not None
    return {
        "best_epoch": best_epoch,
        "selected_by": "auroc on val" if has_validation else "last epoch (no validation photos)",
        "best_test_epoch": max(test_scores, key=lambda scores: scores["auroc"], default=None),
        "seconds": round(sum(record["seconds"] for record in history), 1),
    }


def _device_name(accelerator: Accelerator) -> str:
    device, processes = accelerator.device, accelerator.num_processes
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu, {torch.get_num_threads()} threads"
    return name if processes == 1 else f"{processes} x {name}"


def _command_line() -> str:
    """Return the command that repeats this training from the start, without the folders of paths."""
    return shlex.join(["python", *(_strip_folders(word) for word in sys.argv if word != "--resume")])


def _strip_folders(word: str) -> str:
    """Reduce a path in a word of a command line to its name; Hub ids stay as they are.

    Example:
        >>> _strip_folders("--output=/home/ada/runs/hair"), _strip_folders("ada/hair@v1")
        ('--output=hair', 'ada/hair@v1')
    """
    option, equals, value = word.rpartition("=")
    path = Path(value)
    is_path = value and (path.is_absolute() or path.exists())
    return f"{option}{equals}{path.resolve().name if is_path else value}"
