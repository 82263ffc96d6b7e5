"""Loss functions, which ignore padding and unlabelled pixels."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from hairseg.networks.preprocessing import IGNORE

CONTOUR_WEIGHT = 3
CONTOUR_RADIUS = 3  # in pixels


def mse_loss(logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Compute the mean squared error between sigmoid(logits) and masks of {0, 1, IGNORE}, both (batch, height, width).

    This is the paper's loss.
    """
    valid = (masks != IGNORE).float()
    errors = torch.sigmoid(logits.float()) - (masks == 1).float()
    return (errors.square() * valid).sum() / valid.sum()


def bce_dice_loss(logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Compute binary cross-entropy, with three times the weight near contours, plus soft Dice loss.

    The Dice coefficient is that of F. Milletari et al., "V-Net", arXiv 1606.04797, equation 4, but of the whole batch,
    since a frame may show no hair.

    Args:
        logits: (batch, height, width).
        masks: uint8 (batch, height, width) of {0, 1, IGNORE}.
    """
    valid, targets, logits = (masks != IGNORE).float(), (masks == 1).float(), logits.float()
    weights = valid * (1 + (CONTOUR_WEIGHT - 1) * _near_contour(masks))
    cross_entropy = F.binary_cross_entropy_with_logits(logits, targets, weights, reduction="sum") / weights.sum()
    alphas = torch.sigmoid(logits) * valid
    dice = (2 * (alphas * targets).sum() + 1) / (alphas.square().sum() + targets.sum() + 1)
    return cross_entropy + 1 - dice


def _near_contour(masks: torch.Tensor) -> torch.Tensor:
    """Return 1.0 for pixels with both hair and background within CONTOUR_RADIUS in x and y, else 0.0."""
    near_hair, near_other = (
        F.max_pool2d((masks == value)[:, None].float(), 2 * CONTOUR_RADIUS + 1, 1, CONTOUR_RADIUS)[:, 0]
        for value in (1, 0)
    )
    return near_hair * near_other


LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {"mse": mse_loss, "bce-dice": bce_dice_loss}
