"""Recipes: the choices of one training run, with the losses, optimisers and schedules that they name."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR

from hairseg.augmentation import Augmentation
from hairseg.transforms import IGNORE, Preset

CONTOUR_WEIGHT, CONTOUR_REACH = 3, 3  # in bce_dice_loss; reach in pixels


@dataclass(frozen=True)
class Recipe:
    """The choices of one training run; the defaults are the paper's."""

    epochs: int
    learning_rate: float  # the highest one of a one-cycle schedule
    batch_size: int
    image_size: int = Preset.image_size  # side of the network's square input, in pixels
    precision: str = "mixed"  # bfloat16 where the hardware is made for it; or "float32"
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


def mse_loss(logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Mean squared error between sigmoid(logits) and {0, 1} masks, both (batch, height, width), without padding."""
    keep = (masks != IGNORE).float()
    errors = torch.sigmoid(logits.float()) - (masks == 1).float()
    return (errors.square() * keep).sum() / keep.sum()


def bce_dice_loss(logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy, three times as much near the contour, plus soft Dice over the batch, without padding.

    Dice as in F. Milletari et al., "V-Net", arXiv 1606.04797, equation 4; pooled, since a frame may hold no hair.
    """
    keep, targets, logits = (masks != IGNORE).float(), (masks == 1).float(), logits.float()
    weights = keep * (1 + (CONTOUR_WEIGHT - 1) * _near_contour(masks))
    entropy = F.binary_cross_entropy_with_logits(logits, targets, weights, reduction="sum") / weights.sum()
    alphas = torch.sigmoid(logits) * keep
    dice = (2 * (alphas * targets).sum() + 1) / (alphas.square().sum() + targets.sum() + 1)
    return entropy + 1 - dice


def _near_contour(masks: torch.Tensor) -> torch.Tensor:
    """1.0 where the square window of CONTOUR_REACH pixels around a pixel holds both hair and other pixels, else 0.0."""
    hair, other = (F.max_pool2d((masks == value)[:, None].float(), 2 * CONTOUR_REACH + 1, 1, CONTOUR_REACH)[:, 0]
                   for value in (1, 0))
    return hair * other


LOSSES = {"mse": mse_loss, "bce-dice": bce_dice_loss}
OPTIMISERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
SCHEDULES = {
    "constant": lambda optimiser, peak, steps: LambdaLR(optimiser, lambda step: 1.0),
    "one-cycle": lambda optimiser, peak, steps: OneCycleLR(optimiser, peak, total_steps=steps),
}
