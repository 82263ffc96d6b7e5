"""Numbers that a device is made for: mixed precision, and networks prepared for inference."""

from itertools import pairwise

import torch
from timm.layers import BatchNormAct2d
from torch import nn
from torch.nn.utils import fuse_conv_bn_eval

from hairseg.errors import InputError, quote
from hairseg.networks.deeplab import DeepLabV3


def select_device(name: str) -> torch.device:
    """Find a device: "auto" (CUDA where there is one, else the CPU) or a name that PyTorch knows.

    Raises:
        InputError: no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError):
        raise InputError(f"the device {quote(name)} is not available here", "auto, cpu or cuda") from None
    return device


def supports_bfloat16(device: torch.device) -> bool:
    """Does the hardware multiply matrices in bfloat16: CUDA, and CPUs with AMX or AVX512-BF16?

    Before its `torch.cpu.get_capabilities`, PyTorch tells what a CPU has by private names only; nothing else uses them.
    """
    if device.type == "cpu":
        return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return device.type == "cuda"


def autocast(device: torch.device, precision: str = "mixed") -> torch.autocast:
    """Context of a forward pass: "mixed" precision is bfloat16 where the hardware is made for it; or "float32"."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "mixed" and supports_bfloat16(device))


def prepare_for_inference(network: DeepLabV3, device: torch.device) -> DeepLabV3:
    """Change the network, in place, to what runs fastest on a device, and return it.

    Batch normalisation is folded into the convolution before it. Weights are in bfloat16 where the hardware is made for
    it: run the network under `autocast`. Memory is channels last.
    """
    for module in network.modules():
        for (name, convolution), (next_name, norm) in pairwise(list(module.named_children())):
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(convolution, norm))
                setattr(module, next_name, norm.act if isinstance(norm, BatchNormAct2d) else nn.Identity())
    dtype = torch.bfloat16 if supports_bfloat16(device) else torch.float32
    return network.to(device, dtype).to(memory_format=torch.channels_last)
