"""One training step: forward and backward pass over a batch."""

import torch
import torch.distributed as dist
from torch import nn

from hairseg.networks.precision import autocast
from hairseg.networks.preset import Preset
from hairseg.training.losses import LOSSES
from hairseg.training.parallel import backward, gather_batch
from hairseg.training.recipes import Recipe

WARM_UPS = 3  # steps taken one kernel at a time before a CUDA graph is captured, as PyTorch's notes on them ask for


class TrainingStep:
    """Forward and backward pass over one batch; gradients are left in the network.

    On one GPU a captured CUDA graph, which is launched at once instead of kernel by kernel: a small batch leaves a GPU
    waiting for Python otherwise.
    """

    def __init__(self, network: nn.Module, recipe: Recipe, preset: Preset, device: torch.device):
        self.network, self.recipe, self.preset, self.device = network, recipe, preset, device
        self.captures = device.type == "cuda" and not dist.is_initialized()
        self.graph, self.taken = None, 0

    def __call__(self, photos: torch.Tensor, masks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """This process's part of a batch, uint8 photos (part, side, side, 3) and masks (part, side, side), always of one size
        -> logits and masks of the whole batch, (batch, side, side), and its loss; overwritten by the next pass."""
        if not self.captures:
            return self._pass(photos, masks)
        if self.taken < WARM_UPS:
            self.taken += 1
            aside = torch.cuda.Stream()
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):
                result = self._pass(photos, masks)
            torch.cuda.current_stream().wait_stream(aside)
            return result
        if self.graph is None:
            self.photos, self.masks, self.graph = photos.clone(), masks.clone(), torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.result = self._pass(self.photos, self.masks)
        self.photos.copy_(photos)
        self.masks.copy_(masks)
        self.graph.replay()
        return self.result

    def _pass(self, photos: torch.Tensor, masks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        self.network.zero_grad(set_to_none=True)
        with autocast(self.device, self.recipe.precision):
            logits = self.network(self.preset.normalise(photos))[:, 0]
        logits, masks = gather_batch(logits), gather_batch(masks)
        loss = LOSSES[self.recipe.loss](logits, masks)
        backward(loss)
        return logits.detach(), masks, loss.detach()
