"""Run a network over a data set and count."""

from collections.abc import Sequence

import torch
from torch import nn

from hairseg.evaluation.metrics import BoundaryScores, PixelCounts
from hairseg.networks.devices import autocast
from hairseg.networks.preprocessing import Preprocessing


@torch.inference_mode()
def score(
    network: nn.Module,
    photos: torch.Tensor,
    masks: torch.Tensor,
    preprocessing: Preprocessing,
    scores: Sequence[PixelCounts | BoundaryScores],
    batch_size: int = 16,
    precision: str = "mixed",
) -> None:
    """Run the network over a data set as `load_arrays` gives it and add the outcome to all of `scores`."""
    network.eval()
    device = next(network.parameters()).device
    for start in range(0, len(photos), batch_size):
        squares = photos[start : start + batch_size].to(device)
        with autocast(device, precision):
            logits = network(preprocessing.normalise(squares))[:, 0].float()
        for counts in scores:
            counts.update(logits, masks[start : start + batch_size].to(device))
