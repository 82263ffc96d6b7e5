"""Checkpoint files. A training is only resumed with the settings that it was started with."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import torch

from hairseg.errors import InputError
from hairseg.files import WriteError, atomic_write
from hairseg.repository.metrics import EpochRecord
from hairseg.training.recipes import Recipe


@dataclass(frozen=True)
class Settings:
    """Settings that determine the result of training one variant.

    Attributes:
        variant: "pretrained" or "random".
        backbone: name in `BACKBONES`.
        init: initial weights: a name in `INITS`, or a weight file.
        recipe: hyperparameters.
        seed: seed of weights, order and augmentation.
        data: names of the data sets, and a digest of the photos (`TrainingPhotos.digest`).
    """

    variant: str
    backbone: str
    init: str
    recipe: Recipe
    seed: int
    data: str


class BestEpoch(TypedDict):
    """The selected epoch so far, with its weights on the CPU."""

    epoch: int
    weights: dict[str, torch.Tensor]


class Checkpoint(TypedDict):
    """Contents of a checkpoint file: state dicts, settings and history."""

    network: dict[str, Any]
    ema: NotRequired[dict[str, Any]]
    optimiser: dict[str, Any]
    schedule: dict[str, Any]
    settings: dict[str, Any]
    history: list[EpochRecord]
    best: BestEpoch


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically, replacing the previous one.

    Raises:
        WriteError: the file cannot be written, for example because the disk is full.
    """
    try:
        # Given a path instead of an open file, torch.save raises an error without the cause.
        with atomic_write(path) as partial, partial.open("wb") as file:
            torch.save(checkpoint, file)
    except WriteError as error:
        remedy = "Free some space or change permissions, then continue with --resume."
        raise WriteError(error.problem, remedy=remedy) from None


def read_checkpoint(path: Path, settings: Settings) -> Checkpoint | None:
    """Read a checkpoint; return None if the file does not exist.

    Raises:
        InputError: the file is damaged, or was written with other settings.
    """
    if not path.exists():
        return None
    try:
        checkpoint: Checkpoint = torch.load(path, "cpu", weights_only=True)
        previous = _flatten(checkpoint["settings"])
    except Exception as error:  # the unpickler, the zip reader and tensors raise many types
        raise InputError(
            f"The checkpoint {path} cannot be read ({error}).", remedy="Remove it and train again."
        ) from None
    for name, value in _flatten(asdict(settings)).items():
        if previous.get(name) != value:
            raise InputError(
                f"The checkpoint {path} was written with {name} {previous.get(name)!r}, not {value!r}.",
                remedy="Resume with the same settings, or choose another --output.",
            )
    return checkpoint


def _flatten(settings: dict[str, Any]) -> dict[str, Any]:
    """Move the fields of the recipe up to the settings, so that messages name them."""
    return {name: value for name, value in settings.items() if name != "recipe"} | settings["recipe"]
