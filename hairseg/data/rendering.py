"""Rendering of augmented training photos, batch by batch, on the training device."""

from typing import NamedTuple

import torch
import torch.nn.functional as F

from hairseg.data.jpeg import LUMA_WEIGHTS, simulate_jpeg, to_device
from hairseg.networks.preprocessing import IGNORE, Preprocessing


class Layer(NamedTuple):
    """Photos to paint over frames of a batch, in the coordinates of `grid_sample`: a square is [-1, 1] x [-1, 1].

    Attributes:
        frames: int64 (photos,), indices of the frames in the batch.
        photos: uint8 RGB (photos, side, side, 3).
        coverage: uint8 (photos, 3, side, side), 255 for hair, for the photo and for its unlabelled part; None for
            scenes, which cover frames completely and have no hair.
        transforms: float32 (photos, 2, 3), affine maps from frame to photo coordinates.
        centres: float32 (photos, 2), x and y of the centre of the photo in its square.
        half_sizes: float32 (photos, 2), half of its width and height.
        feathers: float32 (photos,), width of the soft edge.
    """

    frames: torch.Tensor
    photos: torch.Tensor
    coverage: torch.Tensor | None
    transforms: torch.Tensor
    centres: torch.Tensor
    half_sizes: torch.Tensor
    feathers: torch.Tensor


class RenderBatch(NamedTuple):
    """Source photos and augmentation parameters of one batch, the input of `render`.

    Attributes:
        layers: from the lowest to the highest.
        colour_matrices: float32 (frames, 3, 3), to multiply RGB with.
        contrasts: float32 (frames,), factors of the difference from the mean luma.
        blurred: int64, indices of frames to blur.
        blur_kernels: float32 (blurred, 5), separable kernels.
        compressed: int64, indices of frames to compress.
        quantisation: float32 (compressed, 2, 8, 8), JPEG tables.
    """

    layers: list[Layer]
    colour_matrices: torch.Tensor
    contrasts: torch.Tensor
    blurred: torch.Tensor
    blur_kernels: torch.Tensor
    compressed: torch.Tensor
    quantisation: torch.Tensor


def render(batch: RenderBatch, preprocessing: Preprocessing) -> tuple[torch.Tensor, torch.Tensor]:
    """Render the frames of a batch on its device.

    Returns:
        Photos, uint8 RGB (frames, side, side, 3), and masks, uint8 (frames, side, side) of {0, 1, IGNORE}.
    """
    frames, side, device = len(batch.colour_matrices), preprocessing.image_size, batch.colour_matrices.device
    padding = torch.tensor(preprocessing.mean).mul(255).round().to(device, non_blocking=True)
    photos = padding.view(1, 3, 1, 1).expand(frames, 3, side, side).contiguous()
    masks = torch.full((frames, side, side), IGNORE, dtype=torch.uint8, device=device)
    for layer in batch.layers:
        _paint(photos, masks, layer)
    photos = torch.einsum("fij,fjhw->fihw", batch.colour_matrices, photos).clamp_(0, 255)
    mean_luma = torch.einsum("fchw,c->f", photos, to_device(LUMA_WEIGHTS, device)).div_(side * side).view(-1, 1, 1, 1)
    photos = mean_luma + batch.contrasts.view(-1, 1, 1, 1) * (photos - mean_luma)
    if len(batch.blurred):
        photos[batch.blurred] = _blur(photos[batch.blurred], batch.blur_kernels)
    if len(batch.compressed):
        photos[batch.compressed] = simulate_jpeg(photos[batch.compressed].clamp_(0, 255), batch.quantisation)
    return photos.clamp_(0, 255).round_().to(torch.uint8).permute(0, 2, 3, 1), masks


def _paint(canvas: torch.Tensor, masks: torch.Tensor, layer: Layer) -> None:
    """Paint photos in place over their frames: float32 (frames, 3, side, side), masks (frames, side, side)."""
    side = canvas.shape[-1]
    pixel_centres = (torch.arange(side, device=canvas.device) * 2 + 1) / side - 1
    x, y, offset = layer.transforms[:, None, None].unbind(-1)
    grid = x * pixel_centres[:, None] + (y * pixel_centres[:, None, None] + offset)
    photos = F.grid_sample(layer.photos.permute(0, 3, 1, 2).float(), grid, padding_mode="border", align_corners=False)
    if layer.coverage is None:
        canvas[layer.frames], masks[layer.frames] = photos, 0
        return
    hair, photo, unlabelled = F.grid_sample(layer.coverage.float(), grid, align_corners=False).unbind(1)
    is_hair, is_unlabelled = hair >= 0.5 * photo, unlabelled > 0.5 * photo
    distance_to_edge = (layer.half_sizes[:, None, None] - (grid - layer.centres[:, None, None]).abs_()).amin(3)
    fade = (distance_to_edge / layer.feathers.clamp(min=1e-6).view(-1, 1, 1)).clamp_(0, 1)
    alpha = photo * fade / 255
    is_faded_hair = is_hair & (fade < 0.9) & (fade > 0.1)
    canvas[layer.frames] = torch.lerp(canvas[layer.frames], photos, alpha[:, None])
    labels = is_hair.to(torch.uint8).masked_fill_(is_unlabelled, IGNORE)
    below = masks[layer.frames]
    masks[layer.frames] = torch.where(alpha > 0.5, labels, below).masked_fill_(is_faded_hair, IGNORE)


def _blur(photos: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    """Convolve each photo (n, 3, height, width) along both axes with its kernel (n, 5)."""
    count, channels, height, width = photos.shape
    kernels = kernels.repeat_interleave(channels, 0)
    photos = F.pad(photos, (2, 2, 2, 2), mode="reflect").view(1, count * channels, height + 4, width + 4)
    photos = F.conv2d(photos, kernels[:, None, None, :], groups=count * channels)
    return F.conv2d(photos, kernels[:, None, :, None], groups=count * channels).view(count, channels, height, width)
