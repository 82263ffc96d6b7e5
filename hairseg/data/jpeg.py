"""JPEG artefacts as data augmentation, on the training device: ITU-T T.81 in floating point."""

import numpy as np
import torch
import torch.nn.functional as F

LUMA_WEIGHTS = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as in JPEG

RGB_TO_YCBCR = np.array([LUMA_WEIGHTS, [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])

# Quantisation tables of luminance and chrominance at quality 50: ITU-T T.81, tables K.1 and K.2.
QUANTISATION = np.array([
     16,  11,  10,  16,  24,  40,  51,  61,
     12,  12,  14,  19,  26,  58,  60,  55,
     14,  13,  16,  24,  40,  57,  69,  56,
     14,  17,  22,  29,  51,  87,  80,  62,
     18,  22,  37,  56,  68, 109, 103,  77,
     24,  35,  55,  64,  81, 104, 113,  92,
     49,  64,  78,  87, 103, 121, 120, 101,
     72,  92,  95,  98, 112, 100, 103,  99,

     17,  18,  24,  47,  99,  99,  99,  99,
     18,  21,  26,  66,  99,  99,  99,  99,
     24,  26,  56,  99,  99,  99,  99,  99,
     47,  66,  99,  99,  99,  99,  99,  99,
     99,  99,  99,  99,  99,  99,  99,  99,
     99,  99,  99,  99,  99,  99,  99,  99,
     99,  99,  99,  99,  99,  99,  99,  99,
     99,  99,  99,  99,  99,  99,  99,  99,
], np.float64).reshape(2, 8, 8)  # fmt: skip


def quantisation_tables(qualities: list[float]) -> torch.Tensor:
    """Scale the luminance and chrominance tables to JPEG qualities, as libjpeg does.

    Args:
        qualities: from 1 to 100.

    Returns:
        float32 (qualities, 2, 8, 8).
    """
    scales = [5000 / quality if quality < 50 else 200 - 2 * quality for quality in qualities]
    scaled = np.floor((QUANTISATION * np.array(scales).reshape(-1, 1, 1, 1) + 50) / 100)
    return torch.tensor(np.clip(scaled, 1, 255), dtype=torch.float32)


def simulate_jpeg(photos: torch.Tensor, tables: torch.Tensor) -> torch.Tensor:
    """Compress and decompress photos: chroma at half resolution, 8 x 8 blocks quantised.

    Args:
        photos: float32 RGB (n, 3, height, width) in [0, 255]; sides are multiples of 16.
        tables: float32 (n, 2, 8, 8), the quantisation tables of each photo.

    Returns:
        float32 RGB of the same shape; values may leave [0, 255].
    """
    to_ycbcr = to_device(RGB_TO_YCBCR, photos.device)
    to_rgb = to_device(np.linalg.inv(RGB_TO_YCBCR), photos.device)
    ycbcr = torch.einsum("ij,njhw->nihw", to_ycbcr, photos)
    luma = _quantise(ycbcr[:, :1] - 128, tables[:, 0]) + 128
    chroma = _quantise(F.avg_pool2d(ycbcr[:, 1:], 2), tables[:, 1])
    chroma = F.interpolate(chroma, scale_factor=2, mode="bilinear", align_corners=False)
    return torch.einsum("ij,njhw->nihw", to_rgb, torch.cat([luma, chroma], 1))


def _quantise(planes: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """Round the discrete cosine transform of 8 x 8 blocks to multiples of a table.

    Args:
        planes: (n, channels, height, width), sides multiples of 8.
        table: (n, 8, 8).
    """
    k = np.arange(8)
    cosine = np.where(k == 0, 1, 2**0.5)[:, None] / 8**0.5 * np.cos(np.pi * (2 * k + 1) * k[:, None] / 16)
    cosine = to_device(cosine, planes.device)
    count, channels, height, width = planes.shape
    blocks = planes.view(count, channels, height // 8, 8, width // 8, 8)
    steps = table[:, None, None, :, None, :]
    blocks = torch.einsum("ux,ncyxzw,vw->ncyuzv", cosine, blocks, cosine).div_(steps).round_().mul_(steps)
    return torch.einsum("ux,ncyuzv,vw->ncyxzw", cosine, blocks, cosine).reshape(planes.shape)


def to_device(values: np.ndarray, device: torch.device) -> torch.Tensor:
    """Copy values to a device as float32 without waiting for it."""
    return torch.tensor(values, dtype=torch.float32).to(device, non_blocking=True)
