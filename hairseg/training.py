"""Recipes, one epoch, checkpoints and history: fine-tuning one variant."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader
from tqdm import tqdm

from hairseg import InputError
from hairseg.augmentation import SOURCE_SIZE, Augmentation, Varied
from hairseg.datasets import Split
from hairseg.metrics import PixelCounts, score
from hairseg.model import autocast, build_model
from hairseg.transforms import IGNORE, Preset

VARIANTS = ("pretrained", "random")
CONTOUR_WEIGHT, CONTOUR_REACH = 3, 3  # in bce_dice_loss; reach in pixels


@dataclass(frozen=True)
class Recipe:
    """The choices of one training run; the defaults are the paper's."""

    epochs: int
    learning_rate: float  # the highest one of a one-cycle schedule
    batch_size: int
    image_size: int = Preset.image_size  # side of the network's square input, in pixels
    loss: str = "mse"  # a name in LOSSES
    optimiser: str = "adam"  # a name in OPTIMISERS
    weight_decay: float = 0.0
    schedule: str = "constant"  # or "one-cycle", L. N. Smith and N. Topin, arXiv 1708.07120
    averaging: float = 0.0  # decay per step of the exponential moving average that is scored and kept; 0: none
    small_share: float = 0.0  # share of the epochs, the first ones, that train at two thirds of the image size
    augmentation: Augmentation | None = None
    closing_share: float = 0.0  # share of the epochs, the last ones, that are augmented in another way:
    closing: Augmentation | None = None


MODERN = Recipe(
    epochs=26, learning_rate=1e-3, batch_size=12, image_size=320, loss="bce-dice", optimiser="adamw", weight_decay=1e-2,
    schedule="one-cycle", averaging=0.995, small_share=0.6, augmentation=Augmentation(),
    # many frames without people, close up and of any colour, at the end: flowers and wood must not pass for hair
    closing_share=0.3, closing=Augmentation(hairless=0.2, crop=(0.3, 1.0), any_colour=0.8),
)
RECIPES = {
    # B. Cesnik, "Segmentation of human hair" (2019/20): what its table gives for the two networks.
    "paper": {"pretrained": Recipe(epochs=15, learning_rate=1e-4, batch_size=6),
              "random": Recipe(epochs=6, learning_rate=1e-2, batch_size=6)},
    "modern": {"pretrained": MODERN, "random": MODERN},
}


@dataclass(frozen=True)
class Settings:
    """All that decides the outcome of training one variant; a checkpoint is resumed only under the same."""

    variant: str
    backbone: str
    init: str
    recipe: Recipe
    seed: int
    data: str  # data set, and a digest of the photos trained on


def source_size(recipe: Recipe) -> int:
    """Side at which training photos are held in memory, in pixels."""
    return SOURCE_SIZE if recipe.augmentation else recipe.image_size


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


def bce_dice_loss(logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy, three times as much near the contour, plus soft Dice over the batch, without padding.

    Dice as in F. Milletari et al., "V-Net", arXiv 1606.04797, equation 4; pooled, since a frame may hold no hair.
    """
    keep = masks != IGNORE
    near = keep & _near_contour(masks)
    logits, targets = logits[keep].float(), masks[keep].float()
    weights = 1 + (CONTOUR_WEIGHT - 1) * near[keep].float()
    entropy = F.binary_cross_entropy_with_logits(logits, targets, weights, reduction="sum") / weights.sum()
    alphas = torch.sigmoid(logits)
    dice = (2 * (alphas * targets).sum() + 1) / (alphas.square().sum() + targets.sum() + 1)
    return entropy + 1 - dice


def _near_contour(masks: torch.Tensor) -> torch.Tensor:
    """Where the square window of CONTOUR_REACH pixels around a pixel holds both hair and other pixels."""
    hair, other = (F.max_pool2d((masks == value)[:, None].float(), 2 * CONTOUR_REACH + 1, 1, CONTOUR_REACH)[:, 0]
                   for value in (1, 0))
    return (hair > 0) & (other > 0)


LOSSES = {"mse": mse_loss, "bce-dice": bce_dice_loss}
OPTIMISERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
SCHEDULES = {
    "constant": lambda optimiser, peak, steps: LambdaLR(optimiser, lambda step: 1.0),
    "one-cycle": lambda optimiser, peak, steps: OneCycleLR(optimiser, peak, total_steps=steps),
}


def batches(images: int, batch_size: int, generator: torch.Generator) -> Iterator[torch.Tensor]:
    """Indices of each batch of one shuffled epoch; an incomplete last batch waits for the next epoch's shuffle.

    Batch normalisation cannot learn from the single photo that may be left over.
    """
    order = torch.randperm(images, generator=generator)
    batch_size = min(batch_size, images)
    return iter(order[: images // batch_size * batch_size].split(batch_size))


def epoch_frames(settings: Settings, splits: dict[str, Split], preset: Preset, epoch: int, workers: int) -> DataLoader:
    """The training batches of one epoch: photos, uint8 (batch, side, side, 3), and masks, uint8 (batch, side, side)."""
    recipe, seed, frames = settings.recipe, epoch_seed(settings, epoch), splits["train"]
    closes = epoch > (1 - recipe.closing_share) * recipe.epochs
    augmentation = recipe.closing if closes else recipe.augmentation
    order = batches(len(frames), recipe.batch_size, torch.Generator().manual_seed(seed))
    if augmentation:
        frames = Varied(frames, splits["scenes"], preset, augmentation, seed)
    return DataLoader(frames, batch_sampler=[indices.tolist() for indices in order], num_workers=workers if augmentation else 0)


def epoch_seed(settings: Settings, epoch: int) -> int:
    return settings.seed * 1_000_003 + epoch


def train_epoch(network: nn.Module, frames: DataLoader, preset: Preset, loss_of: Callable, step: Callable[[], None],
                title: str) -> PixelCounts:
    """One pass over the training photos, with a progress bar; counts the predictions made on the way."""
    device = next(network.parameters()).device
    counts = PixelCounts()
    network.train()
    # In a log, where bars cannot overwrite themselves, a sign of life twice a minute.
    with tqdm(frames, title, unit="batch", leave=False, mininterval=0.1 if sys.stderr.isatty() else 30) as bar:
        for photos, masks in bar:
            photos = preset.normalise(photos.to(device, non_blocking=True))
            masks = masks.to(device, non_blocking=True)
            with autocast(device):
                logits = network(photos)[:, 0]
            loss = loss_of(logits, masks)
            network.zero_grad(set_to_none=True)
            loss.backward()
            step()
            counts.update(logits.detach(), masks)
            bar.set_postfix(loss=f"{loss.item():.4f}", refresh=False)
    return counts


def train_variant(settings: Settings, splits: dict[str, Split], device: torch.device, checkpoint: Path,
                  resume: bool = False, workers: int = 0) -> Trained:
    """Train one variant, writing a checkpoint after each epoch.

    The epoch kept is the one with the best AUROC on the validation photos (the last one when there are none); test
    scores are recorded per epoch and choose nothing. On the CPU, a run that was interrupted and resumed gives the
    history of one that was not: each epoch draws from random numbers of its own.

    Args:
        splits: "train" and "scenes" at `source_size`, "val" and "test" at the image size; all but "train" may be empty.
        checkpoint: file to write; with `resume`, continued from where it exists.
        workers: processes that vary the photos, besides this one.

    Raises:
        InputError: fewer than two training photos, or a checkpoint that other settings have written.
    """
    photos = len(splits["train"])
    if photos < 2:
        raise InputError(f"{photos} training photos are too few: expected two or more; add photos.")
    recipe, preset = settings.recipe, Preset(settings.recipe.image_size)
    torch.manual_seed(settings.seed)
    network = build_model(settings.backbone, settings.init).to(device, memory_format=torch.channels_last)
    optimiser = OPTIMISERS[recipe.optimiser](
        network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True)
    steps = recipe.epochs * (photos // min(recipe.batch_size, photos))
    schedule = SCHEDULES[recipe.schedule](optimiser, recipe.learning_rate, steps)
    averaged = AveragedModel(network, multi_avg_fn=_moving_average(recipe.averaging), use_buffers=True)

    def step() -> None:
        optimiser.step()
        schedule.step()
        averaged.update_parameters(network)

    history, best = [], None
    parts = {"network": network, "averaged": averaged, "optimiser": optimiser, "schedule": schedule}
    if resume and checkpoint.exists():
        state = _read_checkpoint(checkpoint, settings, device)
        for name, part in parts.items():
            part.load_state_dict(state[name])
        history, best = state["history"], state["best"]
        print(f"{settings.variant}: resumed after epoch {len(history)} of {recipe.epochs}", flush=True)

    for epoch in range(len(history) + 1, recipe.epochs + 1):
        began = time.perf_counter()
        torch.manual_seed(epoch_seed(settings, epoch))  # for dropout
        title = f"{settings.variant} epoch {epoch}/{recipe.epochs}"
        small = epoch <= recipe.small_share * recipe.epochs
        seen = Preset(two_thirds(recipe.image_size)) if small else preset
        frames = epoch_frames(settings, splits, seen, epoch, workers)
        train_counts = train_epoch(network, frames, seen, LOSSES[recipe.loss], step, title)
        record = {"epoch": epoch, "train": _scores(train_counts)}
        for name in ("val", "test"):
            counts = PixelCounts()
            score(averaged.module, splits[name].photos, splits[name].masks, preset, [counts])
            record[name] = _scores(counts)
        record["seconds"] = round(time.perf_counter() - began, 2)
        history.append(record)
        if best is None or _selection(record) >= _selection(history[best["epoch"] - 1]):
            best = {"epoch": epoch,
                    "weights": {name: tensor.clone() for name, tensor in averaged.module.state_dict().items()}}
        _write_checkpoint(checkpoint, {
            "settings": asdict(settings), "history": history, "best": best,
            **{name: part.state_dict() for name, part in parts.items()},
        })
        print(_line(title, record), flush=True)
    return Trained({name: tensor.cpu() for name, tensor in best["weights"].items()}, history, best["epoch"])


def two_thirds(image_size: int) -> int:
    """Two thirds of an image size, to the nearest multiple of 32 that a network takes."""
    return max(32, round(image_size * 2 / 96) * 32)


def _moving_average(decay: float) -> Callable:
    """Exponential moving average of weights that forgets its first steps sooner; with a decay of 0, no average."""
    def update(averages: list[torch.Tensor], values: list[torch.Tensor], steps: torch.Tensor) -> None:
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, values, 1 - min(decay, (1 + int(steps)) / (10 + int(steps))))
        else:
            torch._foreach_copy_(averages, values)

    return update


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
