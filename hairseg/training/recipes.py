"""Recipes: the choices of one training run, with the losses, optimisers and schedules that they name."""

from dataclasses import dataclass, field, replace

import torch
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR

from hairseg.data.augmentation import Augmentation
from hairseg.networks.preprocessing import Preprocessing


@dataclass(frozen=True)
class Recipe:
    """The choices of one training run; the defaults are the paper's."""

    epochs: int = field(metadata={"help": "how often all photos are shown"})
    learning_rate: float = field(metadata={"help": "the highest one of the schedule"})
    batch_size: int = field(metadata={"help": "photos in a training step, over all processes"})
    image_size: int = field(
        default=Preprocessing.image_size, metadata={"help": "side of the network's square input, in pixels"}
    )
    precision: str = field(
        default="mixed",
        metadata={"help": "mixed: bfloat16 where the hardware is made for it", "choices": ("mixed", "float32")},
    )
    loss: str = "mse"  # a name in LOSSES
    optimiser: str = "adam"  # a name in OPTIMISERS
    weight_decay: float = 0.0
    schedule: str = "constant"  # or "one-cycle", L. N. Smith and N. Topin, arXiv 1708.07120
    averaging: float = 0.0  # decay per step of the exponential moving average that is scored and kept; 0: none
    low_res_fraction: float = 0.0  # share of the epochs, the first ones, that train at two thirds of the image size
    # of the image size: the side at which networks are served once they are trained, which need not be the best one to
    # train at (H. Touvron et al., "Fixing the train-test resolution discrepancy", NeurIPS 2019)
    serve_scale: float = 1.0
    augmentation: Augmentation | None = None
    final_phase_fraction: float = 0.0  # share of the epochs, the last ones, that are augmented by
    final_augmentation: Augmentation | None = None
    init_blend: float = (
        0.0  # share in the weights kept of those that training went on from, where it did (`interpolate_weights`)
    )


MODERN = Recipe(
    epochs=26,
    learning_rate=1e-3,
    batch_size=12,
    image_size=320,
    loss="bce-dice",
    optimiser="adamw",
    weight_decay=1e-2,
    schedule="one-cycle",
    averaging=0.995,
    low_res_fraction=0.6,
    augmentation=Augmentation(),
    # many frames without people, close up and of any colour, at the end: flowers and wood must not pass for hair
    final_phase_fraction=0.3,
    final_augmentation=Augmentation(hairless=0.2, crop=(0.3, 1.0), any_colour=0.8),
)

# From a trained repository on to more kinds of photos: whole persons among them, and one frame in four shows nobody.
FINETUNE = replace(
    MODERN,
    epochs=4,
    image_size=384,
    serve_scale=11 / 12,
    learning_rate=5e-4,
    low_res_fraction=0.5,
    augmentation=Augmentation(far=0.2, hairless=0.25, crop=(0.25, 1.0), any_colour=0.5),
    final_augmentation=Augmentation(far=0.2, hairless=0.25, crop=(0.25, 1.0), any_colour=0.8),
    init_blend=0.3,
)

OVERRIDABLE = ("epochs", "batch_size", "learning_rate", "image_size", "precision")  # by flags of train.py

RECIPES = {
    # B. Cesnik, "Segmentation of human hair" (2019/20): what its table gives for the two networks.
    "paper": {
        "pretrained": Recipe(epochs=15, learning_rate=1e-4, batch_size=6),
        "random": Recipe(epochs=6, learning_rate=1e-2, batch_size=6),
    },
    "modern": {"pretrained": MODERN, "random": MODERN},
    "finetune": {"pretrained": FINETUNE, "random": FINETUNE},
}

OPTIMISERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}

SCHEDULES = {
    "constant": lambda optimiser, peak, steps: LambdaLR(optimiser, lambda step: 1.0),
    "one-cycle": lambda optimiser, peak, steps: OneCycleLR(optimiser, peak, total_steps=steps),
}
