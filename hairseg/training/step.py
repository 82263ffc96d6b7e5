"""One training step: forward and backward pass over a batch."""

import torch
import torch.distributed as dist
from torch import nn

from hairseg.networks.devices import autocast
from hairseg.networks.preprocessing import Preprocessing
from hairseg.training.losses import LOSSES
from hairseg.training.recipes import Recipe

WARM_UP_STEPS = 3  # before a CUDA graph is captured, as PyTorch's documentation recommends


class TrainingStep:
    """Forward and backward pass over one batch; gradients are left in the network.

    A single GPU replays a captured CUDA graph, since launching the kernels of a small batch takes longer than running
    them. PyTorch's `make_graphed_callables` would warm up on sample batches, which changes batch normalisation, and
    `torch.compile` would change the numbers and compile once per size.
    """

    def __init__(self, network: nn.Module, recipe: Recipe, preprocessing: Preprocessing, device: torch.device):
        self.network, self.recipe, self.preprocessing, self.device = network, recipe, preprocessing, device
        self.uses_graph = device.type == "cuda" and not dist.is_initialized()
        self.graph: torch.cuda.CUDAGraph | None = None
        self.warm_up_steps = 0

    def __call__(self, photos: torch.Tensor, masks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Run one step.

        Args:
            photos: uint8 RGB (batch, side, side, 3), of the same size in every call.
            masks: uint8 (batch, side, side) of {0, 1, IGNORE}.

        Returns:
            Logits (batch, side, side), masks and loss. The next step overwrites them.
        """
        if not self.uses_graph:
            return self.run_eagerly(photos, masks)
        if self.warm_up_steps < WARM_UP_STEPS:
            self.warm_up_steps += 1
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                result = self.run_eagerly(photos, masks)
            torch.cuda.current_stream().wait_stream(stream)
            return result
        if self.graph is None:
            self.photos, self.masks, self.graph = photos.clone(), masks.clone(), torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.result = self.run_eagerly(self.photos, self.masks)
        self.photos.copy_(photos)
        self.masks.copy_(masks)
        self.graph.replay()
        return self.result

    def run_eagerly(self, photos: torch.Tensor, masks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Run the step without a CUDA graph."""
        self.network.zero_grad(set_to_none=True)
        with autocast(self.device, self.recipe.precision):
            logits = self.network(self.preprocessing.normalise(photos))[:, 0]
        loss = LOSSES[self.recipe.loss](logits, masks)
        loss.backward()
        return logits.detach(), masks, loss.detach()
