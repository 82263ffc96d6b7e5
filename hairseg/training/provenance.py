"""How a variant came about: its entry in config.json."""

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
from hairseg.data.datasets import split_rule
from hairseg.data.decoded import PhotoArrays
from hairseg.hub.card import DATASETS
from hairseg.networks.backbones import INITS
from hairseg.repository.config import VariantConfig
from hairseg.training.checkpoints import Settings
from hairseg.training.loop import TrainingResult
from hairseg.training.photos import TrainingPhotos


def describe_variant(
    settings: Settings,
    recipe: str,
    trained: TrainingResult,
    photos: TrainingPhotos,
    splits: dict[str, PhotoArrays],
    accelerator: Accelerator,
    started_from: VariantConfig | None = None,
) -> VariantConfig:
    """The entry of a trained variant in config.json.

    Args:
        recipe: the name of the recipe.
        splits: the photos, as `train_variant` takes them.
        started_from: the entry of the variant whose weights this went on from.
    """
    datasets = list(photos.pairs["train"])
    init = settings.init if settings.init in INITS else Path(settings.init).name
    entry = {
        "init": started_from.init if started_from else init,
        "recipe": recipe,
        **asdict(settings.recipe),
        "seed": settings.seed,
        "datasets": datasets,
        "weights": dict(photos.weights),
        "images": {name: len(arrays) for name, arrays in splits.items()},
        "split": "; ".join(f"{DATASETS.get(dataset, dataset)}: {split_rule(dataset)}" for dataset in datasets),
        **_summary(trained.history, trained.best_epoch),
        "device": _device(accelerator),
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


def _summary(history: list[dict], best_epoch: int) -> dict:
    """The epoch kept, and the best on test that the paper would quote."""
    tested = [record for record in history if record["test"]["auroc"] is not None]
    best_on_test = max(tested, key=lambda record: record["test"]["auroc"], default=None)
    is_selected = history[0]["val"]["auroc"] is not None
    return {
        "best_epoch": best_epoch,
        "selected_by": "auroc on val" if is_selected else "last epoch (no validation photos)",
        "best_test_epoch": best_on_test and {"epoch": best_on_test["epoch"], "auroc": best_on_test["test"]["auroc"]},
        "seconds": round(sum(record["seconds"] for record in history), 1),
    }


def _device(accelerator: Accelerator) -> str:
    device, processes = accelerator.device, accelerator.num_processes
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu, {torch.get_num_threads()} threads"
    return name if processes == 1 else f"{processes} x {name}"


def _command_line() -> str:
    """The command that trains this from the start, folders and files by their names alone."""
    return shlex.join(["python", *(_without_folders(word) for word in sys.argv if word != "--resume")])


def _without_folders(word: str) -> str:
    """A word of a command line, a path in it by its name alone; what is on the Hub keeps its whole name.

    Example:
        >>> _without_folders("--output=/home/ada/runs/hair"), _without_folders("ada/hair@v1")
        ('--output=hair', 'ada/hair@v1')
    """
    option, equals, value = word.rpartition("=")
    path = Path(value)
    is_path = value and (path.is_absolute() or path.exists())
    return f"{option}{equals}{path.resolve().name if is_path else value}"
