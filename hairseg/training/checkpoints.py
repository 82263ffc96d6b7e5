"""Checkpoints of a training, resumed only under the settings that wrote them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from hairseg.errors import InputError
from hairseg.files import atomic_write
from hairseg.training.recipes import Recipe


@dataclass(frozen=True)
class Settings:
    """All that decides the outcome of training one variant; a checkpoint is resumed only under the same."""

    variant: str
    backbone: str
    init: str
    recipe: Recipe
    seed: int
    data: str  # data set, and a digest of the photos trained on


def write_checkpoint(path: Path, checkpoint: dict) -> None:
    """Write a checkpoint, whole or not at all: the former one stays until then.

    Raises:
        WriteError: it cannot be written, as when the disk is full.
    """
    with (
        atomic_write(path, _size_of(checkpoint), "make room, and go on with --resume") as beside,
        beside.open("wb") as file,  # given a path, torch would hide the system's error
    ):
        torch.save(checkpoint, file)


def _size_of(values: object) -> int:
    """Bytes of the tensors in nested dictionaries and lists."""
    if isinstance(values, torch.Tensor):
        return values.nbytes
    if isinstance(values, Mapping):
        values = list(values.values())
    return sum(map(_size_of, values)) if isinstance(values, list | tuple) else 0


def read_checkpoint(path: Path, settings: Settings) -> dict | None:
    """The checkpoint, or None where there is none yet.

    Raises:
        InputError: the file is broken, or other settings have written it.
    """
    if not path.exists():
        return None
    try:
        checkpoint = torch.load(path, "cpu", weights_only=True)
        before = _flat(checkpoint["settings"])
    except Exception as error:  # torch.load raises what its unpickler, zip reader and tensors raise
        raise InputError(f"the checkpoint {path} cannot be read ({error})", None, "remove it and train again") from None
    for name, value in _flat(asdict(settings)).items():
        if before.get(name) != value:
            raise InputError(
                f"the checkpoint {path} was written with {name} {before.get(name)!r}, not {value!r}",
                None,
                "resume with the same settings, or choose another --output",
            )
    return checkpoint


def _flat(settings: dict) -> dict:
    """Settings with those of the recipe among them, so that a message can name the one that differs."""
    return {name: value for name, value in settings.items() if name != "recipe"} | settings["recipe"]
