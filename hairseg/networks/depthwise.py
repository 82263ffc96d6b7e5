"""Depthwise convolution that can be trained in bfloat16 on a CPU.

oneDNN's gradients of depthwise convolutions are slow in bfloat16, and for strides and dilations in float32 too: they
took two thirds of a training step of EfficientNet-Lite0. `benchmarks/training.py` measures what this gains.
"""

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.grad import conv2d_weight


class DepthwiseConv2d(nn.Conv2d):
    """`nn.Conv2d` with one square filter per channel and no bias, whose gradients are computed faster on a CPU."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) -> (batch, channels, height', width')"""
        if features.device.type != "cpu" or not torch.is_grad_enabled() or self.bias is not None:
            return super().forward(features)
        return _Depthwise.apply(features, self.weight, self.stride, self.padding, self.dilation)


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx, features, weight, stride, padding, dilation):
        ctx.save_for_backward(features, weight)
        ctx.geometry = stride, padding, dilation
        return F.conv2d(features, weight.to(features.dtype), None, stride, padding, dilation, groups=len(weight))

    @staticmethod
    def backward(ctx, gradient):
        features, weight = ctx.saved_tensors
        stride, padding, dilation = ctx.geometry
        by_features = None
        if ctx.needs_input_grad[0]:
            # the transposed convolution, as a convolution of the spread-out gradient with the mirrored filter
            spread = gradient
            if stride != (1, 1):
                spread = torch.zeros_like(features)
                spread[:, :, :: stride[0], :: stride[1]] = gradient
            full = [
                step * (taps - 1) - pad for step, taps, pad in zip(dilation, weight.shape[2:], padding, strict=True)
            ]
            by_features = F.conv2d(
                spread, weight.flip(2, 3).to(gradient.dtype), None, 1, full, dilation, groups=len(weight)
            )
        by_weight = conv2d_weight(
            features.float(), weight.shape, gradient.float(), stride, padding, dilation, groups=len(weight)
        )
        return by_features, by_weight, None, None, None
