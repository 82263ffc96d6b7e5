"""Recipes: the hyperparameters of a training run, and the optimisers and schedules that they name."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from hairseg.data.augmentation import SOURCE_SIZE, Augmentation
from hairseg.networks.preprocessing import Preprocessing


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters of a training run. The defaults are the paper's.

    Attributes:
        epochs: number of passes over the training photos.
        learning_rate: maximum learning rate of the schedule.
        batch_size: photos per training step, over all processes.
        image_size: side of the network's square input in pixels.
        precision: "mixed" (bfloat16 where the hardware supports it) or "float32".
        loss: name in `LOSSES`.
        optimiser: name in `OPTIMISERS`.
        weight_decay: weight decay of the optimiser.
        schedule: name in `SCHEDULES`.
        ema_decay: decay per step of the moving average of the weights, which is scored and saved; 0 for none.
        low_res_fraction: fraction of the epochs that train at two thirds of the image size, before the others.
        serve_scale: input size when serving, as a multiple of the image size (H. Touvron et al., "Fixing the train-test
            resolution discrepancy", NeurIPS 2019).
        augmentation: data augmentation; None to train on the photos unchanged.
        final_phase_fraction: fraction of the epochs that use `final_augmentation` instead, after the others.
        final_augmentation: data augmentation of the final phase.
        init_blend: fraction of the initial weights in the final ones (`interpolate_weights`).
    """

    epochs: int
    learning_rate: float
    batch_size: int
    image_size: int = Preprocessing.image_size
    precision: str = "mixed"
    loss: str = "mse"
    optimiser: str = "adam"
    weight_decay: float = 0.0
    schedule: str = "constant"
    ema_decay: float = 0.0
    low_res_fraction: float = 0.0
    serve_scale: float = 1.0
    augmentation: Augmentation | None = None
    final_phase_fraction: float = 0.0
    final_augmentation: Augmentation | None = None
    init_blend: float = 0.0

    @property
    def source_size(self) -> int:
        """Side at which training photos are decoded, in pixels."""
        return SOURCE_SIZE if self.augmentation else self.image_size

    @property
    def serving_size(self) -> int:
        """Side of the network's input when it is scored and served, in pixels: the nearest multiple of 32.

        Example:
            >>> Recipe(epochs=1, learning_rate=1e-3, batch_size=8, image_size=384, serve_scale=11 / 12).serving_size
            352
        """
        return max(32, round(self.image_size * self.serve_scale / 32) * 32)

    def training_size(self, epoch: int) -> int:
        """Return the side of the network's input in an epoch, in pixels.

        Low-resolution epochs train at two thirds of the image size, rounded to a multiple of 32.

        Example:
            >>> recipe = Recipe(epochs=10, learning_rate=1e-3, batch_size=8, image_size=320, low_res_fraction=0.6)
            >>> [recipe.training_size(epoch) for epoch in (1, 6, 7, 10)]
            [224, 224, 320, 320]
        """
        if epoch > self.low_res_fraction * self.epochs:
            return self.image_size
        return max(32, round(self.image_size * 2 / 96) * 32)

    def augmentation_in(self, epoch: int) -> Augmentation | None:
        """Return the augmentation of an epoch."""
        is_final = epoch > (1 - self.final_phase_fraction) * self.epochs
        return self.final_augmentation if is_final else self.augmentation


MODERN = Recipe(
    epochs=26,
    learning_rate=1e-3,
    batch_size=12,
    image_size=320,
    loss="bce-dice",
    optimiser="adamw",
    weight_decay=1e-2,
    schedule="one-cycle",
    ema_decay=0.995,
    low_res_fraction=0.6,
    augmentation=Augmentation(),
    # More close-up scenes without people, in any colour: networks mistake flowers and wood for hair.
    final_phase_fraction=0.3,
    final_augmentation=Augmentation(no_person_prob=0.2, scene_crop=(0.3, 1.0), scene_colour=0.8),
)

# A quarter of the frames shows no person, a fifth shows up to five distant people, and a fifth is dimly lit.
FINETUNE_AUGMENTATION = Augmentation(
    distant_prob=0.2,
    distant_scale=(0.1, 0.7),
    second_person_prob=0.5,
    max_people=5,
    dim_light_prob=0.2,
    no_person_prob=0.25,
    scene_crop=(0.25, 1.0),
    scene_colour=0.5,
)

# Adapts trained networks to new types of photos, such as whole persons.
FINETUNE = replace(
    MODERN,
    epochs=4,
    image_size=384,
    serve_scale=11 / 12,
    learning_rate=5e-4,
    low_res_fraction=0.5,
    augmentation=FINETUNE_AUGMENTATION,
    final_augmentation=replace(FINETUNE_AUGMENTATION, scene_colour=0.8),
    init_blend=0.3,
)

RECIPES = {
    # B. Cesnik, "Segmentation of human hair" (2019/20), the table of both networks.
    "paper": {
        "pretrained": Recipe(epochs=15, learning_rate=1e-4, batch_size=6),
        "random": Recipe(epochs=6, learning_rate=1e-2, batch_size=6),
    },
    "modern": {"pretrained": MODERN, "random": MODERN},
    "finetune": {"pretrained": FINETUNE, "random": FINETUNE},
}

OPTIMISERS: dict[str, type[torch.optim.Adam] | type[torch.optim.AdamW]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}

SCHEDULES: dict[str, Callable[[Optimizer, float, int], LRScheduler]] = {
    "constant": lambda optimiser, peak, steps: LambdaLR(optimiser, lambda step: 1.0),
    # L. N. Smith and N. Topin, arXiv 1708.07120
    "one-cycle": lambda optimiser, peak, steps: OneCycleLR(optimiser, peak, total_steps=steps),
}
