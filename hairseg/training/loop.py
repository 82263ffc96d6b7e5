"""Fine-tuning one variant, epoch by epoch."""

import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast, send_to_device
from torch import nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from hairseg.data.decoded import PhotoArrays
from hairseg.data.rendering import Batch, render
from hairseg.errors import InputError
from hairseg.evaluation.metrics import PixelCounts, score
from hairseg.networks.preprocessing import Preprocessing
from hairseg.training.batches import batch_size_of, epoch_frames, epoch_length, epoch_seed, image_size_of
from hairseg.training.checkpoints import Settings
from hairseg.training.recipes import Recipe
from hairseg.training.state import TrainingState
from hairseg.training.step import TrainingStep


@dataclass
class TrainingResult:
    """What training one variant gives."""

    weights: dict[str, torch.Tensor]  # of the epoch with the best AUROC on the validation photos
    history: list[dict]  # one record per epoch
    best_epoch: int


def train_variant(
    settings: Settings,
    splits: dict[str, PhotoArrays],
    accelerator: Accelerator,
    checkpoint: Path,
    resume: bool = False,
    workers: int = 0,
) -> TrainingResult:
    """Train one variant, writing a checkpoint after each epoch.

    The epoch kept is the one with the best AUROC on the validation photos (the last one when there are none); test
    scores are recorded per epoch and choose nothing. On the CPU, a run that was interrupted and resumed gives the
    history of one that was not: each epoch draws from random numbers of its own. Several processes share every batch;
    the first of them writes.

    Args:
        splits: "train" and "scenes" at `source_size`, "val" and "test" at the image size; all but "train" may be empty.
        accelerator: the device, and this process's place among others.
        checkpoint: file to write; with `resume`, continued from where it exists.
        workers: processes that read photos for a GPU.

    Raises:
        InputError: fewer than two training photos per process, a batch that does not divide among the processes, a
            checkpoint that other settings have written, or a training that diverges.
    """
    recipe, device = settings.recipe, accelerator.device
    rank, processes = accelerator.process_index, accelerator.num_processes
    photos = epoch_length(splits["train"].weights)
    steps = photos // batch_size_of(recipe, photos, processes)
    state = TrainingState.start(settings, accelerator, recipe.epochs * steps)
    if resume:
        state.restore(checkpoint, accelerator)
    if state.history:
        accelerator.print(
            f"{settings.variant}: resumed after epoch {len(state.history)} of {recipe.epochs}", flush=True
        )
    network, step = accelerator.prepare_model(state.network), None
    held_out = {name: splits[name].to(device) for name in ("val", "test")}
    for epoch in range(len(state.history) + 1, recipe.epochs + 1):
        began, title = time.perf_counter(), f"{settings.variant} epoch {epoch}/{recipe.epochs}"
        preprocessing = Preprocessing(image_size_of(recipe, epoch))
        if step is None or step.preprocessing != preprocessing:
            step = TrainingStep(network, recipe, preprocessing, device)
        torch.manual_seed(epoch_seed(settings, epoch) * processes + rank)  # for dropout
        loading = workers if device.type == "cuda" else 0
        frames = epoch_frames(settings, splits, preprocessing, epoch, loading, rank, processes)
        record = {"epoch": epoch, "train": run_epoch(state, step, frames, accelerator, title)}
        for name, arrays in held_out.items():
            record[name] = score_held_out(state.evaluated, arrays, recipe, accelerator)
        record["seconds"] = round(time.perf_counter() - began, 2)
        check_finite(state, record, checkpoint)
        state.add_epoch(record)
        if accelerator.is_main_process:
            state.save(checkpoint)
        accelerator.print(f"{title}: {_line(record)}", flush=True)
    return TrainingResult(state.best["weights"], state.history, state.best["epoch"])


def run_epoch(
    state: TrainingState, step: TrainingStep, frames: DataLoader, accelerator: Accelerator, title: str
) -> dict[str, float | None]:
    """Train over all frames of an epoch, and score them as they are trained on."""
    counts = PixelCounts(accelerator.device)
    state.network.train()
    # In a log, where bars cannot overwrite themselves, a sign of life twice a minute.
    with tqdm(
        total=len(frames),
        desc=title,
        unit="batch",
        leave=False,
        disable=not accelerator.is_main_process,
        mininterval=0.1 if sys.stderr.isatty() else 30,
    ) as bar:
        for batch in frames:
            batch = send_to_device(batch, accelerator.device, non_blocking=True)
            logits, masks, loss = step(*(render(batch, step.preprocessing) if isinstance(batch, Batch) else batch))
            state.update()
            counts.update(logits, masks)
            if bar.update():  # reading the loss makes the CPU wait for the GPU: only for what is shown
                bar.set_postfix(loss=f"{loss.item():.4f}", refresh=False)
    return _pooled_scores(counts, accelerator)


def score_held_out(
    network: nn.Module, arrays: PhotoArrays, recipe: Recipe, accelerator: Accelerator
) -> dict[str, float | None]:
    """Score every photo once, by one of the processes, all with the first one's statistics of batch normalisation."""
    if accelerator.num_processes > 1:
        broadcast(list(network.buffers()))
    counts = PixelCounts(accelerator.device)
    share = slice(accelerator.process_index, None, accelerator.num_processes)
    preprocessing = Preprocessing(recipe.image_size)
    score(network, arrays.photos[share], arrays.masks[share], preprocessing, [counts], precision=recipe.precision)
    return _pooled_scores(counts, accelerator)


def check_finite(state: TrainingState, record: dict, checkpoint: Path) -> None:
    """Raise InputError where weights or losses are no numbers any more; the checkpoint of the epoch before stays."""
    losses = [record[name]["loss"] for name in ("train", "val", "test")]
    if state.is_finite() and all(loss is None or math.isfinite(loss) for loss in losses):
        return
    kept = f"{checkpoint} holds epoch {len(state.history)}" if state.history else "no epoch was finished"
    raise InputError(
        f"the training of {state.settings.variant} diverged in epoch {record['epoch']}: weights or loss are not finite "
        f"({kept})",
        None,
        f"train into another --output with a --learning-rate below {state.settings.recipe.learning_rate:g}",
    )


def _pooled_scores(counts: PixelCounts, accelerator: Accelerator) -> dict[str, float | None]:
    """Mean squared error (the paper's loss, whatever the recipe's), F1 and AUROC over the pixels of all processes."""
    counts.histogram, counts.squared_error = accelerator.reduce((counts.histogram, counts.squared_error), "sum")
    scores = counts.scores()
    return {"loss": scores.mse, "f1": scores.f1(), "auroc": scores.auroc}


def _line(record: dict) -> str:
    shown = [
        f"{name} "
        + " ".join(f"{key} -" if value is None else f"{key} {value:.4f}" for key, value in record[name].items())
        for name in ("train", "test")
    ]
    return f"{' | '.join(shown)} | {record['seconds']:.0f} s"
