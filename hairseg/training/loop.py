"""The training loop of one variant."""

import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast, send_to_device
from torch import nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from hairseg.data.decoded import PhotoArrays
from hairseg.data.rendering import RenderBatch, render
from hairseg.errors import InputError
from hairseg.evaluation.metrics import PixelCounts, score
from hairseg.networks.preprocessing import Preprocessing
from hairseg.repository.metrics import EpochRecord, EpochScores
from hairseg.training.batches import effective_batch_size, epoch_length, epoch_loader, epoch_seed
from hairseg.training.checkpoints import Settings
from hairseg.training.recipes import Recipe
from hairseg.training.state import TrainingState
from hairseg.training.step import TrainingStep


@dataclass
class TrainingResult:
    """Result of training one variant.

    Attributes:
        weights: state dict of the selected epoch.
        history: one record per epoch.
        best_epoch: the selected epoch, counted from 1.
    """

    weights: dict[str, torch.Tensor]
    history: list[EpochRecord]
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

    The epoch with the best AUROC on the validation photos is selected, or the last one without validation photos. Test
    scores are recorded only. On a CPU, a resumed run gives the same result as an uninterrupted one, since each epoch is
    seeded. Several processes divide each batch; the first one writes files.

    Args:
        settings: variant, backbone, recipe and seed.
        splits: "train" and "scenes" at the recipe's source size, "val" and "test" at its serving size; all but "train"
            may be empty.
        accelerator: device and processes.
        checkpoint: file to write.
        resume: whether to continue from the checkpoint if it exists.
        workers: number of processes that read photos for a GPU.

    Raises:
        InputError: fewer than two training photos per process, a batch size that the processes cannot divide, a
            checkpoint of other settings, or a run that diverges.
    """
    recipe, device = settings.recipe, accelerator.device
    rank, processes = accelerator.process_index, accelerator.num_processes
    photos = epoch_length(splits["train"].weights)
    steps = photos // effective_batch_size(recipe, photos, processes)
    state = TrainingState.start(settings, accelerator, recipe.epochs * steps)
    if resume:
        state.restore(checkpoint, accelerator)
    if state.history:
        accelerator.print(
            f"{settings.variant}: resumed after epoch {len(state.history)} of {recipe.epochs}", flush=True
        )
    # Accelerate wraps the network only. Its data loaders would neither apply the photos' weights across processes nor
    # repeat their order in a resumed run. Gradients are not scaled, so backward() needs no wrapper.
    network, step = accelerator.prepare_model(state.network), None
    val, test = splits["val"].to(device), splits["test"].to(device)
    for epoch in range(len(state.history) + 1, recipe.epochs + 1):
        began, title = time.perf_counter(), f"{settings.variant} epoch {epoch}/{recipe.epochs}"
        preprocessing = Preprocessing(recipe.training_size(epoch))
        if step is None or step.preprocessing != preprocessing:
            step = TrainingStep(network, recipe, preprocessing, device)
        torch.manual_seed(epoch_seed(settings, epoch) * processes + rank)  # for dropout
        reading = workers if device.type == "cuda" else 0
        loader = epoch_loader(settings, splits, preprocessing, epoch, reading, rank, processes)
        record: EpochRecord = {
            "epoch": epoch,
            "train": train_epoch(state, step, loader, accelerator, title),
            "val": score_held_out(state.evaluated, val, recipe, accelerator),
            "test": score_held_out(state.evaluated, test, recipe, accelerator),
            "seconds": round(time.perf_counter() - began, 2),
        }
        check_finite(state, record, checkpoint)
        state.add_epoch(record)
        if accelerator.is_main_process:
            state.save(checkpoint)
        accelerator.print(
            f"{title}: train {_format_scores(record['train'])} | test {_format_scores(record['test'])} "
            f"| {record['seconds']:.0f} s",
            flush=True,
        )
    assert state.best is not None
    return TrainingResult(state.best["weights"], state.history, state.best["epoch"])


def train_epoch(
    state: TrainingState, step: TrainingStep, loader: DataLoader[Any], accelerator: Accelerator, title: str | None
) -> EpochScores:
    """Train for one epoch; return the scores of the logits during training. Without a title, there is no bar."""
    counts = PixelCounts(accelerator.device)
    state.network.train()
    # In a log file, each update of the bar is a new line.
    with tqdm(
        total=len(loader),
        desc=title,
        unit="batch",
        leave=False,
        disable=title is None or not accelerator.is_main_process,
        mininterval=0.1 if sys.stderr.isatty() else 30,
    ) as bar:
        for batch in loader:
            batch = send_to_device(batch, accelerator.device, non_blocking=True)
            photos, masks = render(batch, step.preprocessing) if isinstance(batch, RenderBatch) else batch
            logits, masks, loss = step(photos, masks)
            state.update()
            counts.update(logits, masks)
            if bar.update():  # read the loss rarely, since this waits for the GPU
                bar.set_postfix(loss=f"{loss.item():.4f}", refresh=False)
    return _reduce_scores(counts, accelerator)


def score_held_out(network: nn.Module, arrays: PhotoArrays, recipe: Recipe, accelerator: Accelerator) -> EpochScores:
    """Score each photo once, divided among processes, with the batch normalisation statistics of the first process."""
    if accelerator.num_processes > 1:
        broadcast(list(network.buffers()))
    counts = PixelCounts(accelerator.device)
    own_part = slice(accelerator.process_index, None, accelerator.num_processes)
    preprocessing = Preprocessing(recipe.serving_size)
    score(network, arrays.photos[own_part], arrays.masks[own_part], preprocessing, [counts], precision=recipe.precision)
    return _reduce_scores(counts, accelerator)


def check_finite(state: TrainingState, record: EpochRecord, checkpoint: Path) -> None:
    """Check that weights and losses are finite, before the checkpoint of the previous epoch is replaced.

    Raises:
        InputError: the run has diverged.
    """
    losses = [record["train"]["loss"], record["val"]["loss"], record["test"]["loss"]]
    if state.has_finite_weights() and all(loss is None or math.isfinite(loss) for loss in losses):
        return
    kept = f"{checkpoint} holds epoch {len(state.history)}" if state.history else "no epoch was finished"
    raise InputError(
        f"Training {state.settings.variant} diverged in epoch {record['epoch']}: weights or loss are not finite "
        f"({kept}).",
        remedy=f"Train into another --output with a --learning-rate below {state.settings.recipe.learning_rate:g}.",
    )


def _reduce_scores(counts: PixelCounts, accelerator: Accelerator) -> EpochScores:
    """Return scores over the pixels of all processes. The loss is the mean squared error, whatever the recipe."""
    counts.histogram, counts.squared_error = accelerator.reduce((counts.histogram, counts.squared_error), "sum")
    scores = counts.scores()
    return {"loss": scores.mse, "f1": scores.f1(), "auroc": scores.auroc}


def _format_scores(scores: EpochScores) -> str:
    return " ".join(f"{name} -" if value is None else f"{name} {value:.4f}" for name, value in scores.items())
