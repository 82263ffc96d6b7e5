"""Several processes that train one network as one process would: the same statistics, dropout and loss over the whole batch.

Accelerate starts the processes, and PyTorch's DistributedDataParallel adds up their gradients; here is what makes the number
of processes a matter of speed alone. Each holds an equal part of every batch, in the order of their ranks.
"""

import torch
import torch.distributed as dist
import torch.nn.functional as F
from timm.layers import BatchNormAct2d, convert_sync_batchnorm
from torch import nn


def gather_batch(part: torch.Tensor) -> torch.Tensor:
    """All processes' parts along the first dimension, in each of them.

    A loss of what this gives is the same in every process; its gradient reaches the own part alone. So the gradient by the
    whole batch is the sum over the processes, of which DistributedDataParallel takes the mean; `backward` makes up for that.
    """
    if not dist.is_initialized():
        return part
    parts = [torch.empty_like(part, memory_format=torch.contiguous_format) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, part.detach().contiguous())
    parts[dist.get_rank()] = part
    return torch.cat(parts)


def backward(loss: torch.Tensor) -> None:
    """Gradients of a loss of the whole batch, which is the same in every process."""
    (loss * dist.get_world_size() if dist.is_initialized() else loss).backward()


class _Sum(torch.autograd.Function):
    """Sum over all processes of a tensor that each has one of."""

    @staticmethod
    def forward(ctx, own):
        total = own.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx, gradient):
        return _Sum.apply(gradient)


class WholeBatchNorm2d(nn.BatchNorm2d):
    """`nn.SyncBatchNorm` for CPUs, which it does not serve: mean and variance over the batches of all processes."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width), the same size in every process -> the same"""
        if not self.training:
            return super().forward(features)
        values = features.float()
        count = features.numel() // features.shape[1] * dist.get_world_size()
        mean = _Sum.apply(values.sum((0, 2, 3))) / count
        centred = values - mean.view(1, -1, 1, 1)
        variance = _Sum.apply(centred.square().sum((0, 2, 3))) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * scale.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)).to(features.dtype)


class WholeBatchNormAct2d(WholeBatchNorm2d):
    """The same for timm's, which also has the activation."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.act(self.drop(super().forward(features)))


class WholeBatchDropout(nn.Dropout):
    """Each process's part of the dropout that one process would draw for the whole batch, from equal random states."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return features
        part, rank = len(features), dist.get_rank()
        whole = features.new_ones(part * dist.get_world_size(), *features.shape[1:])
        if features.is_contiguous(memory_format=torch.channels_last):
            whole = whole.to(memory_format=torch.channels_last)
        return features * F.dropout(whole, self.p)[rank * part : (rank + 1) * part]


OVER_ALL_PROCESSES = {
    nn.BatchNorm2d: WholeBatchNorm2d,
    BatchNormAct2d: WholeBatchNormAct2d,
    nn.Dropout: WholeBatchDropout,
}


def synchronise(network: nn.Module) -> nn.Module:
    """The network with batch normalisation and dropout over the batches of all processes, under the same tensor names."""
    if next(network.parameters()).is_cuda:
        network = convert_sync_batchnorm(network)
    for module in network.modules():
        module.__class__ = OVER_ALL_PROCESSES.get(type(module), type(module))
    return network
