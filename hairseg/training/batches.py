"""Batches of an epoch: their photos, their order, and their division among processes."""

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader

from hairseg.data.augmentation import AugmentedPhotos
from hairseg.data.decoded import PhotoArrays
from hairseg.errors import InputError
from hairseg.networks.preprocessing import Preprocessing
from hairseg.training.checkpoints import Settings
from hairseg.training.recipes import Recipe


def effective_batch_size(recipe: Recipe, photos: int, processes: int) -> int:
    """Return the recipe's batch size, limited to the number of photos and divisible by the number of processes.

    Raises:
        InputError: there are fewer than two photos per process, or the batch size is 1 or not divisible.

    Example:
        >>> effective_batch_size(Recipe(epochs=1, learning_rate=1e-3, batch_size=6), photos=5, processes=2)
        4
    """
    if photos < 2 * processes:
        raise InputError(
            f"Training needs at least {2 * processes} photos, but an epoch has {photos}.",
            remedy="Add photos or raise their --weights.",
        )
    if recipe.batch_size < 2:
        raise InputError(
            "Batch normalisation cannot train on a batch of one photo.", remedy="Choose a --batch-size of at least 2."
        )
    if recipe.batch_size % processes:
        raise InputError(
            f"A batch of {recipe.batch_size} photos cannot be divided among {processes} processes.",
            remedy="Choose another --batch-size or --num_processes.",
        )
    return min(recipe.batch_size, photos // processes * processes)


def draw_batches(weights: torch.Tensor, batch_size: int, generator: torch.Generator) -> Iterator[torch.Tensor]:
    """Shuffle the photos of one epoch, and yield the indices of each batch.

    Systematic sampling draws a photo of weight 0.3 in about three of ten epochs, and a photo of weight 1 once in each.
    An incomplete last batch is dropped, since batch normalisation cannot train on a single photo.

    Args:
        weights: float64 (photos,), expected number of times that an epoch shows each photo.
        batch_size: photos per batch.
        generator: source of randomness.
    """
    shuffled = torch.randperm(len(weights), generator=generator)
    cumulative = weights[shuffled].cumsum(0) + torch.rand((), generator=generator, dtype=torch.float64)
    counts = cumulative.floor().diff(prepend=torch.zeros(1, dtype=torch.float64)).long()
    drawn = shuffled.repeat_interleave(counts)
    order = drawn[torch.randperm(len(drawn), generator=generator)]
    return iter(order[: epoch_length(weights) // batch_size * batch_size].split(batch_size))


def epoch_length(weights: torch.Tensor) -> int:
    """Return the number of photos in an epoch."""
    return int(weights.sum() + 1e-6)


def epoch_seed(settings: Settings, epoch: int) -> int:
    """Return the seed of all random numbers in an epoch."""
    return settings.seed * 1_000_003 + epoch


def epoch_loader(
    settings: Settings,
    splits: dict[str, PhotoArrays],
    preprocessing: Preprocessing,
    epoch: int,
    workers: int = 0,
    rank: int = 0,
    processes: int = 1,
) -> DataLoader[Any]:
    """Load one process's part of each batch of an epoch.

    Args:
        settings: recipe and seed.
        splits: "train" and "scenes" at the recipe's source size.
        preprocessing: defines the size of augmented photos.
        epoch: counted from 1.
        workers: number of processes that read photos.
        rank: index of this process.
        processes: number of processes that train.

    Returns:
        `RenderBatch`es if the recipe augments; otherwise photos, uint8 RGB (batch, side, side, 3), and masks, uint8
        (batch, side, side).
    """
    photos, seed = splits["train"], epoch_seed(settings, epoch)
    batch_size = effective_batch_size(settings.recipe, epoch_length(photos.weights), processes)
    own_part = slice(rank * batch_size // processes, (rank + 1) * batch_size // processes)
    batches = draw_batches(photos.weights, batch_size, torch.Generator().manual_seed(seed))
    augmentation = settings.recipe.augmentation_in(epoch)
    if augmentation:
        photos = AugmentedPhotos(photos, splits["scenes"], preprocessing, augmentation, seed)
    return DataLoader(
        photos,
        batch_size=None,
        sampler=[indices[own_part].tolist() for indices in batches],
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
    )
