"""Device selection, mixed precision, and optimisation of networks for inference."""

from itertools import pairwise

import torch
from timm.layers import BatchNormAct2d
from torch import nn
from torch.nn.utils import fuse_conv_bn_eval

from hairseg.errors import InputError, quote
from hairseg.networks.deeplab import DeepLabV3


def select_device(name: str) -> torch.device:
    """Select a device: "auto" (CUDA if available, else the CPU) or a PyTorch device name.

    Raises:
        InputError: the device is not available.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError):
        raise InputError(f"The device {quote(name)} is not available.", remedy="Choose auto, cpu or cuda.") from None
    return device


def supports_bfloat16(device: torch.device) -> bool:
    """Return whether the hardware multiplies matrices in bfloat16: CUDA, and CPUs with AMX or AVX512-BF16.

    PyTorch 2.6, the oldest supported version, has only private functions for the features of a CPU.
    """
    if device.type == "cpu":
        return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return device.type == "cuda"


def autocast(device: torch.device, precision: str = "mixed") -> torch.autocast:
    """Return the context of a forward pass. Precisions: "mixed" (bfloat16 if the hardware supports it), "float32"."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "mixed" and supports_bfloat16(device))


def prepare_for_inference(network: DeepLabV3, device: torch.device) -> DeepLabV3:
    """Optimise a network in place for inference on a device, and return it.

    Batch normalisation is folded into the preceding convolution. Weights become bfloat16 if the hardware supports it,
    so run the network under `autocast`. The memory format becomes channels last.
    """
    for module in network.modules():
        for (name, convolution), (next_name, norm) in pairwise(list(module.named_children())):
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(convolution, norm))
                setattr(module, next_name, norm.act if isinstance(norm, BatchNormAct2d) else nn.Identity())
    dtype = torch.bfloat16 if supports_bfloat16(device) else torch.float32
    return network.to(device, dtype).to(memory_format=torch.channels_last)
