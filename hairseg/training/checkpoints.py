"""Checkpoints of a training, resumed only under the settings that wrote them."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from hairseg.errors import InputError
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


def write_checkpoint(path: Path, state: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".partial")
    torch.save(state, beside)
    os.replace(beside, path)


def read_checkpoint(path: Path, settings: Settings) -> dict | None:
    if not path.exists():
        return None
    try:
        state = torch.load(path, "cpu", weights_only=True)
    except Exception as error:
        raise InputError(f"the checkpoint {path} cannot be read ({error}): remove it and train again.") from None
    before = _one_by_one(state["settings"])
    for name, value in _one_by_one(asdict(settings)).items():
        if before.get(name) != value:
            raise InputError(
                f"the checkpoint {path} was written with {name} {before.get(name)!r}, not {value!r}: resume with "
                "the same settings, or choose another --output."
            )
    return state


def _one_by_one(settings: dict) -> dict:
    """Settings with those of the recipe among them, so that a message can name the one that differs."""
    return {name: value for name, value in settings.items() if name != "recipe"} | settings["recipe"]
