"""Which photos a training step sees, epoch by epoch, from the seed alone."""

from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader

from hairseg.data.augmentation import SOURCE_SIZE, AugmentedPhotos
from hairseg.data.decoded import PhotoArrays
from hairseg.errors import InputError
from hairseg.networks.preprocessing import Preprocessing
from hairseg.training.checkpoints import Settings
from hairseg.training.recipes import Recipe


def source_size(recipe: Recipe) -> int:
    """Side at which training photos are held, in pixels."""
    return SOURCE_SIZE if recipe.augmentation else recipe.image_size


def image_size_of(recipe: Recipe, epoch: int) -> int:
    """Side of the network's input in an epoch, in pixels.

    The first epochs, `low_res_fraction` of all, train at two thirds of the image size, to the nearest multiple of 32.

    Example:
        >>> recipe = Recipe(epochs=10, learning_rate=1e-3, batch_size=8, image_size=320, low_res_fraction=0.6)
        >>> [image_size_of(recipe, epoch) for epoch in (1, 6, 7, 10)]
        [224, 224, 320, 320]
    """
    if epoch > recipe.low_res_fraction * recipe.epochs:
        return recipe.image_size
    return max(32, round(recipe.image_size * 2 / 96) * 32)


def serving_size(recipe: Recipe) -> int:
    """Side of the network's input in the repository that is written, in pixels: the nearest multiple of 32.

    Example:
        >>> serving_size(Recipe(epochs=1, learning_rate=1e-3, batch_size=8, image_size=384, serve_scale=11 / 12))
        352
    """
    return max(32, round(recipe.image_size * recipe.serve_scale / 32) * 32)


def batch_size_of(recipe: Recipe, photos: int, processes: int) -> int:
    """The recipe's batch size, or as many photos as there are, in equal shares for the processes.

    Raises:
        InputError: fewer than two training photos per process, or a batch that does not divide among the processes.

    Example:
        >>> batch_size_of(Recipe(epochs=1, learning_rate=1e-3, batch_size=6), photos=5, processes=2)
        4
    """
    if photos < 2 * processes:
        raise InputError(f"{photos} training photos are too few", "two or more per process", "add photos")
    if recipe.batch_size % processes:
        raise InputError(
            f"a batch of {recipe.batch_size} photos does not divide among {processes} processes",
            "a multiple",
            "choose another --batch-size or --num_processes",
        )
    return min(recipe.batch_size, photos // processes * processes)


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


def epoch_seed(settings: Settings, epoch: int) -> int:
    return settings.seed * 1_000_003 + epoch


def epoch_frames(
    settings: Settings,
    splits: dict[str, PhotoArrays],
    preprocessing: Preprocessing,
    epoch: int,
    workers: int = 0,
    rank: int = 0,
    processes: int = 1,
) -> DataLoader:
    """Load one process's share of each batch of an epoch.

    Args:
        splits: "train" and "scenes" at `source_size`.
        workers: processes that read photos.
        rank: this process among all `processes`.

    Returns:
        Batches for `render` where the recipe augments; else photos, uint8 (share, side, side, 3), and masks, uint8
        (share, side, side).
    """
    recipe, seed, frames = settings.recipe, epoch_seed(settings, epoch), splits["train"]
    is_final = epoch > (1 - recipe.final_phase_fraction) * recipe.epochs
    augmentation = recipe.final_augmentation if is_final else recipe.augmentation
    batch_size = batch_size_of(recipe, epoch_length(frames.weights), processes)
    share = slice(rank * batch_size // processes, (rank + 1) * batch_size // processes)
    order = batches(frames.weights, batch_size, torch.Generator().manual_seed(seed))
    if augmentation:
        frames = AugmentedPhotos(frames, splits["scenes"], preprocessing, augmentation, seed)
    return DataLoader(
        frames,
        batch_size=None,
        sampler=[indices[share].tolist() for indices in order],
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
    )
