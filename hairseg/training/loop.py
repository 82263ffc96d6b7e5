"""Fine-tuning one variant: one step, one epoch, checkpoints and history."""

import sys
import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, send_to_device
from torch import nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from hairseg.data.augmentation import SOURCE_SIZE, AugmentedPhotos
from hairseg.data.decoded import PhotoArrays
from hairseg.data.rendering import Batch, render
from hairseg.errors import InputError
from hairseg.evaluation.metrics import PixelCounts
from hairseg.evaluation.scoring import score
from hairseg.networks.backbones import build_model
from hairseg.networks.preset import Preset
from hairseg.training.checkpoints import Settings, read_checkpoint, write_checkpoint
from hairseg.training.parallel import synchronise
from hairseg.training.recipes import OPTIMISERS, SCHEDULES, Recipe
from hairseg.training.step import TrainingStep


def source_size(recipe: Recipe) -> int:
    """Side at which training photos are held, in pixels."""
    return SOURCE_SIZE if recipe.augmentation else recipe.image_size


@dataclass
class Trained:
    """What training one variant gives."""

    weights: dict[str, torch.Tensor]  # of the epoch with the best AUROC on the validation photos
    history: list[dict]  # one record per epoch
    best_epoch: int


def batches(weights: torch.Tensor, batch_size: int, generator: torch.Generator) -> Iterator[torch.Tensor]:
    """Indices of each batch of one shuffled epoch; an incomplete last batch waits for the next epoch's shuffle.

    Batch normalisation cannot learn from the single photo that may be left over. Systematic sampling: of ten epochs, a
    photo of weight 0.3 is in three, and one of weight 1 is once in each.
    """
    shuffled = torch.randperm(len(weights), generator=generator)
    reached = weights[shuffled].cumsum(0) + torch.rand((), generator=generator, dtype=torch.float64)
    times = reached.floor().diff(prepend=torch.zeros(1, dtype=torch.float64)).long()
    drawn = shuffled.repeat_interleave(times)
    order = drawn[torch.randperm(len(drawn), generator=generator)]
    return iter(order[: epoch_length(weights) // batch_size * batch_size].split(batch_size))


def epoch_length(weights: torch.Tensor) -> int:
    """Photos that one epoch shows."""
    return int(weights.sum() + 1e-6)


def batch_size_of(recipe: Recipe, images: int, processes: int) -> int:
    """The recipe's batch size, or as many images as there are, in equal parts for the processes."""
    if recipe.batch_size % processes:
        raise InputError(
            f"a batch of {recipe.batch_size} photos does not divide among {processes} processes: expected a "
            "multiple; choose another --batch-size or --num_processes."
        )
    return min(recipe.batch_size, images // processes * processes)


def epoch_frames(
    settings: Settings,
    splits: dict[str, PhotoArrays],
    preset: Preset,
    epoch: int,
    workers: int = 0,
    rank: int = 0,
    processes: int = 1,
) -> DataLoader:
    """One process's part of the training batches of one epoch, for `render` where the recipe augments: else photos,
    uint8 (part, side, side, 3), and masks, uint8 (part, side, side)."""
    recipe, seed, frames = settings.recipe, epoch_seed(settings, epoch), splits["train"]
    closes = epoch > (1 - recipe.final_share) * recipe.epochs
    augmentation = recipe.final_augmentation if closes else recipe.augmentation
    batch_size = batch_size_of(recipe, epoch_length(frames.weights), processes)
    part = slice(rank * batch_size // processes, (rank + 1) * batch_size // processes)
    order = batches(frames.weights, batch_size, torch.Generator().manual_seed(seed))
    if augmentation:
        frames = AugmentedPhotos(frames, splits["scenes"], preset, augmentation, seed)
    return DataLoader(
        frames,
        batch_size=None,
        sampler=[indices[part].tolist() for indices in order],
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
    )


def epoch_seed(settings: Settings, epoch: int) -> int:
    return settings.seed * 1_000_003 + epoch


def train_variant(
    settings: Settings,
    splits: dict[str, PhotoArrays],
    accelerator: Accelerator,
    checkpoint: Path,
    resume: bool = False,
    workers: int = 0,
) -> Trained:
    """Train one variant, writing a checkpoint after each epoch.

    The epoch kept is the one with the best AUROC on the validation photos (the last one when there are none); test
    scores are recorded per epoch and choose nothing. On the CPU, a run that was interrupted and resumed gives the
    history of one that was not: each epoch draws from random numbers of its own. Several processes do together what one
    would do, batch for batch; the first of them writes.

    Args:
        splits: "train" and "scenes" at `source_size`, "val" and "test" at the image size; all but "train" may be empty.
        accelerator: the device, and this process's place among others.
        checkpoint: file to write; with `resume`, continued from where it exists.
        workers: processes that read photos for a GPU.

    Raises:
        InputError: fewer than two training photos, a batch that does not divide among the processes, or a checkpoint that
            other settings have written.
    """
    photos, device = epoch_length(splits["train"].weights), accelerator.device
    rank, processes = accelerator.process_index, accelerator.num_processes
    recipe, preset = settings.recipe, Preset(settings.recipe.image_size)
    if photos < 2 * processes:
        raise InputError(f"{photos} training photos are too few: expected two or more per process; add photos.")
    steps = photos // batch_size_of(recipe, photos, processes)
    torch.backends.cudnn.benchmark = True  # every batch has one size
    torch.manual_seed(settings.seed)
    network = build_model(settings.backbone, settings.init).to(device, memory_format=torch.channels_last)
    if processes > 1:
        network = synchronise(network)
    averaged = deepcopy(network) if recipe.averaging else network
    optimiser = OPTIMISERS[recipe.optimiser](
        network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
    )
    schedule = SCHEDULES[recipe.schedule](optimiser, recipe.learning_rate, recipe.epochs * steps)
    parts = {"network": network, "averaged": averaged, "optimiser": optimiser, "schedule": schedule}
    if averaged is network:
        del parts["averaged"]

    history, best = [], None
    state = [read_checkpoint(checkpoint, settings) if resume and accelerator.is_main_process else None]
    broadcast_object_list(state)  # other machines need not have the file
    if state[0]:
        for name, part in parts.items():
            part.load_state_dict(state[0][name])
        history, best = state[0]["history"], state[0]["best"]
        accelerator.print(f"{settings.variant}: resumed after epoch {len(history)} of {recipe.epochs}", flush=True)
    del state
    prepared = accelerator.prepare_model(network)
    held_out = {name: splits[name].to(device) for name in ("val", "test")}

    taken, seen = None, None
    for epoch in range(len(history) + 1, recipe.epochs + 1):
        began = time.perf_counter()
        torch.manual_seed(epoch_seed(settings, epoch))  # for dropout
        title = f"{settings.variant} epoch {epoch}/{recipe.epochs}"
        small = epoch <= recipe.early_share * recipe.epochs
        size = early_image_size(recipe.image_size) if small else recipe.image_size
        if seen is None or seen.image_size != size:
            seen = Preset(size)
            taken = TrainingStep(prepared, recipe, seen, device)
        frames = epoch_frames(settings, splits, seen, epoch, workers if device.type == "cuda" else 0, rank, processes)
        counts, step = PixelCounts(device), (epoch - 1) * steps
        network.train()
        # In a log, where bars cannot overwrite themselves, a sign of life twice a minute.
        with tqdm(
            total=steps,
            desc=title,
            unit="batch",
            leave=False,
            disable=not accelerator.is_main_process,
            mininterval=0.1 if sys.stderr.isatty() else 30,
        ) as bar:
            for batch in frames:
                batch = send_to_device(batch, device, non_blocking=True)
                logits, masks, loss = taken(*(render(batch, seen) if isinstance(batch, Batch) else batch))
                optimiser.step()
                schedule.step()
                if averaged is not network:
                    _move_average(averaged, network, recipe.averaging, step)
                counts.update(logits, masks)
                step += 1
                if bar.update():  # reading the loss makes the CPU wait for the GPU: only for what is shown
                    bar.set_postfix(loss=f"{loss.item():.4f}", refresh=False)
        record = {"epoch": epoch, "train": _scores(counts)}
        record |= {name: _scores(_score(averaged, held_out[name], preset, recipe, accelerator)) for name in held_out}
        record["seconds"] = round(time.perf_counter() - began, 2)
        history.append(record)
        if best is None or _selection(record) >= _selection(history[best["epoch"] - 1]):
            best = {
                "epoch": epoch,
                "weights": {name: tensor.to("cpu", copy=True) for name, tensor in averaged.state_dict().items()},
            }
        if accelerator.is_main_process:
            write_checkpoint(
                checkpoint,
                {
                    "settings": asdict(settings),
                    "history": history,
                    "best": best,
                    **{name: part.state_dict() for name, part in parts.items()},
                },
            )
        accelerator.print(_line(title, record), flush=True)
    return Trained(best["weights"], history, best["epoch"])


def early_image_size(image_size: int) -> int:
    """Two thirds of an image size, to the nearest multiple of 32 that a network takes."""
    return max(32, round(image_size * 2 / 96) * 32)


@torch.no_grad()
def _move_average(averaged: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Exponential moving average of weights that forgets its first steps sooner."""
    pairs = list(zip(averaged.state_dict().values(), network.state_dict().values()))
    weights = [pair for pair in pairs if pair[0].is_floating_point()]
    torch._foreach_lerp_(*map(list, zip(*weights)), 1 - min(decay, (1 + step) / (10 + step)))
    for average, value in pairs:
        if not average.is_floating_point():
            average.copy_(value)


def _score(
    network: nn.Module, split: PhotoArrays, preset: Preset, recipe: Recipe, accelerator: Accelerator
) -> PixelCounts:
    """Every photo scored once, by one of the processes."""
    counts = PixelCounts(accelerator.device)
    part = slice(accelerator.process_index, None, accelerator.num_processes)
    score(network, split.photos[part], split.masks[part], preset, [counts], precision=recipe.precision)
    counts.histogram, counts.squared_error = accelerator.reduce((counts.histogram, counts.squared_error), "sum")
    return counts


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
            f"{key} {value:.4f}" if value is not None else f"{key} -" for key, value in record[name].items()
        )

    return f"{title}: {show('train')} | {show('test')} | {record['seconds']:.0f} s"
