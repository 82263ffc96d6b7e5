"""Provenance of a trained variant: its entry in config.json."""

import platform
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
from hairseg.repository.metrics import EpochRecord
from hairseg.training.checkpoints import Settings
from hairseg.training.loop import TrainingResult
from hairseg.training.options import TrainOptions
from hairseg.training.photos import TrainingPhotos


def describe_variant(
    settings: Settings,
    options: TrainOptions,
    result: TrainingResult,
    photos: TrainingPhotos,
    splits: dict[str, PhotoArrays],
    accelerator: Accelerator,
    started_from: VariantConfig | None = None,
) -> VariantConfig:
    """Describe how a variant was trained.

    Args:
        settings: what it was trained with.
        options: options of the training.
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
        "recipe": options.recipe,
        **asdict(settings.recipe),
        "seed": settings.seed,
        "datasets": datasets,
        "weights": dict(photos.weights),
        "images": {name: len(arrays) for name, arrays in splits.items()},
        "split": "; ".join(f"{dataset_name(dataset)}: {layout_of(dataset).split_rule}" for dataset in datasets),
        **_summarise(result.history, result.best_epoch),
        "device": _device_name(accelerator),
        "command": options.command(),
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
    """Return the selected epoch, and the best one on test, which the paper reports."""
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
