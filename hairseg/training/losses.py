"""The losses that recipes name."""

import torch
import torch.nn.functional as F

from hairseg.networks.preprocessing import IGNORE

CONTOUR_WEIGHT, CONTOUR_REACH = 3, 3  # in bce_dice_loss; reach in pixels


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
    hair, other = (
        F.max_pool2d((masks == value)[:, None].float(), 2 * CONTOUR_REACH + 1, 1, CONTOUR_REACH)[:, 0]
        for value in (1, 0)
    )
    return hair * other


LOSSES = {"mse": mse_loss, "bce-dice": bce_dice_loss}
