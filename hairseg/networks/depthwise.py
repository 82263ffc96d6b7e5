"""Depthwise convolution with faster gradients on a CPU.

oneDNN computes gradients of depthwise convolutions slowly in bfloat16, and in float32 with strides or dilations: they
took two thirds of a training step of EfficientNet-Lite0. `benchmarks/training.py` measures the speed-up.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.grad import conv2d_weight


class DepthwiseConv2d(nn.Conv2d):
    """`nn.Conv2d` with one filter per channel and without bias, with faster gradients on a CPU."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Map features (batch, channels, height, width) to (batch, channels, height', width')."""
        if input.device.type != "cpu" or not torch.is_grad_enabled() or self.bias is not None:
            return super().forward(input)
        return _Depthwise.apply(input, self.weight, self.stride, self.padding, self.dilation)


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        features: torch.Tensor,
        weight: torch.Tensor,
        stride: tuple[int, int],
        padding: tuple[int, int],
        dilation: tuple[int, int],
    ) -> torch.Tensor:
        ctx.save_for_backward(features, weight)
        ctx.geometry = stride, padding, dilation
        return F.conv2d(features, weight.to(features.dtype), None, stride, padding, dilation, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor, None, None, None]:
        (grad_output,) = grad_outputs
        features, weight = ctx.saved_tensors
        stride, padding, dilation = ctx.geometry
        grad_features = None
        if ctx.needs_input_grad[0]:
            # Transposed convolution, computed as a convolution of the upsampled gradient with the flipped filter.
            upsampled = grad_output
            if stride != (1, 1):
                upsampled = torch.zeros_like(features)
                upsampled[:, :, :: stride[0], :: stride[1]] = grad_output
            full_padding = [
                step * (taps - 1) - pad for step, taps, pad in zip(dilation, weight.shape[2:], padding, strict=True)
            ]
            flipped = weight.flip(2, 3).to(grad_output.dtype)
            grad_features = F.conv2d(upsampled, flipped, None, 1, full_padding, dilation, groups=len(weight))
        grad_weight = conv2d_weight(
            features.float(), weight.shape, grad_output.float(), stride, padding, dilation, groups=len(weight)
        )
        return grad_features, grad_weight, None, None, None
