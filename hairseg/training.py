"""Recipes, one epoch, checkpoints and history: fine-tuning one variant."""

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from hairseg import InputError
from hairseg.metrics import PixelCounts, score
from hairseg.model import build_model
from hairseg.transforms import IGNORE, Preset

VARIANTS = ("pretrained", "random")


@dataclass(frozen=True)
class Recipe:
    """The choices of one training run: mean squared error on the sigmoid and Adam, as in the paper."""

    epochs: int
    learning_rate: float
    batch_size: int


RECIPES = {
    # B. Cesnik, "Segmentation of human hair" (2019/20): what its table gives for the two networks.
    "paper": {"pretrained": Recipe(epochs=15, learning_rate=1e-4, batch_size=6),
              "random": Recipe(epochs=6, learning_rate=1e-2, batch_size=6)},
}


@dataclass(frozen=True)
class Settings:
    """All that decides the outcome of training one variant; a checkpoint is resumed only under the same."""

    variant: str
    backbone: str
    init: str
    recipe: Recipe
    image_size: int
    seed: int
    data: str  # data set, and a digest of the photos trained on


@dataclass
class Split:
    """Photos and masks as `datasets.load_arrays` gives them."""

    photos: torch.Tensor  # uint8 (images, image_size, image_size, 3)
    masks: torch.Tensor  # uint8 (images, image_size, image_size) of {0, 1, IGNORE}


@dataclass
class Trained:
    """What training one variant gives."""

    weights: dict[str, torch.Tensor]  # of the epoch with the best AUROC on the validation photos
    history: list[dict]  # one record per epoch
    best_epoch: int


def mse_loss(logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Mean squared error between sigmoid(logits) and {0, 1} masks, both (batch, height, width), without padding."""
    keep = masks != IGNORE
    return (torch.sigmoid(logits[keep].float()) - masks[keep]).square().mean()


def batches(images: int, batch_size: int, generator: torch.Generator) -> Iterator[torch.Tensor]:
    """Indices of each batch of one shuffled epoch; an incomplete last batch waits for the next epoch's shuffle.

    Batch normalisation cannot learn from the single photo that may be left over.
    """
    order = torch.randperm(images, generator=generator)
    batch_size = min(batch_size, images)
    return iter(order[: images // batch_size * batch_size].split(batch_size))


def train_epoch(network: nn.Module, optimiser: torch.optim.Optimizer, train: Split, preset: Preset, batch_size: int,
                generator: torch.Generator, title: str) -> PixelCounts:
    """One pass over the training photos, with a progress bar; counts the predictions made on the way."""
    device = next(network.parameters()).device
    counts = PixelCounts()
    network.train()
    steps = list(batches(len(train.photos), batch_size, generator))
    # In a log, where bars cannot overwrite themselves, a sign of life twice a minute.
    with tqdm(steps, title, unit="batch", leave=False, mininterval=0.1 if sys.stderr.isatty() else 30) as bar:
        for indices in bar:
            photos = preset.normalise(train.photos[indices].to(device, non_blocking=True))
            masks = train.masks[indices].to(device, non_blocking=True)
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                logits = network(photos)[:, 0]
            loss = mse_loss(logits, masks)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            counts.update(logits.detach(), masks)
            bar.set_postfix(loss=f"{loss.item():.4f}", refresh=False)
    return counts


def train_variant(settings: Settings, splits: dict[str, Split], device: torch.device, checkpoint: Path,
                  resume: bool = False) -> Trained:
    """Train one variant, writing a checkpoint after each epoch.

    The epoch kept is the one with the best AUROC on the validation photos (the last one when there are none); test
    scores are recorded per epoch and choose nothing. On the CPU, a run that was interrupted and resumed gives the
    history of one that was not: each epoch draws from random numbers of its own.

    Args:
        splits: "train", "val" and "test"; "val" may be empty.
        checkpoint: file to write; with `resume`, continued from where it exists.

    Raises:
        InputError: fewer than two training photos, or a checkpoint that other settings have written.
    """
    if len(splits["train"].photos) < 2:
        raise InputError(f"{len(splits['train'].photos)} training photos are too few: expected two or more; add photos.")
    recipe, preset = settings.recipe, Preset(settings.image_size)
    torch.manual_seed(settings.seed)
    network = build_model(settings.backbone, settings.init).to(device, memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate)
    history, best = [], None
    if resume and checkpoint.exists():
        state = _read_checkpoint(checkpoint, settings, device)
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        history, best = state["history"], state["best"]
        print(f"{settings.variant}: resumed after epoch {len(history)} of {recipe.epochs}", flush=True)

    for epoch in range(len(history) + 1, recipe.epochs + 1):
        began = time.perf_counter()
        generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + epoch)
        torch.manual_seed(generator.initial_seed())  # for dropout
        title = f"{settings.variant} epoch {epoch}/{recipe.epochs}"
        train_counts = train_epoch(network, optimiser, splits["train"], preset, recipe.batch_size, generator, title)
        record = {"epoch": epoch, "train": _scores(train_counts)}
        for name in ("val", "test"):
            counts = PixelCounts()
            score(network, splits[name].photos, splits[name].masks, preset, [counts])
            record[name] = _scores(counts)
        record["seconds"] = round(time.perf_counter() - began, 2)
        history.append(record)
        if best is None or _selection(record) >= _selection(history[best["epoch"] - 1]):
            best = {"epoch": epoch, "weights": {name: tensor.clone() for name, tensor in network.state_dict().items()}}
        _write_checkpoint(checkpoint, {
            "settings": asdict(settings), "network": network.state_dict(), "optimiser": optimiser.state_dict(),
            "history": history, "best": best,
        })
        print(_line(title, record), flush=True)
    return Trained({name: tensor.cpu() for name, tensor in best["weights"].items()}, history, best["epoch"])


def _scores(counts: PixelCounts) -> dict[str, float | None]:
    if not counts.pixels:
        return {"loss": None, "f1": None, "auroc": None}
    return {"loss": counts.mse, "f1": counts.f1(), "auroc": counts.auroc}


def _selection(record: dict) -> float:
    """What an epoch is chosen by; without validation photos all tie, and of equals the last is kept."""
    return record["val"]["auroc"] or 0.0


def _line(title: str, record: dict) -> str:
    def show(name: str) -> str:
        return f"{name} " + " ".join(
            f"{key} {value:.4f}" if value is not None else f"{key} -" for key, value in record[name].items())

    return f"{title}: {show('train')} | {show('test')} | {record['seconds']:.0f} s"


def _write_checkpoint(path: Path, state: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".partial")
    torch.save(state, beside)
    os.replace(beside, path)


def _read_checkpoint(path: Path, settings: Settings, device: torch.device) -> dict:
    try:
        state = torch.load(path, device, weights_only=True)
    except Exception as error:
        raise InputError(f"the checkpoint {path} cannot be read ({error}): remove it and train again.") from None
    for name, value in asdict(settings).items():
        if state["settings"][name] != value:
            raise InputError(
                f"the checkpoint {path} was written with {name} {state['settings'][name]!r}, not {value!r}: resume with "
                "the same settings, or choose another --output."
            )
    return state
