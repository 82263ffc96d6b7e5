"""Draws of augmentation -> frames as a network is trained on, batch by batch on the device that trains."""

from typing import NamedTuple

import torch
import torch.nn.functional as F

from hairseg.data.jpeg import GREY, compress, on_device
from hairseg.networks.preprocessing import IGNORE, Preprocessing


class Layer(NamedTuple):
    """Photos to be laid over frames of a batch, in the coordinates of `grid_sample`: a square is [-1, 1] x [-1, 1]."""

    frames: torch.Tensor  # int64 (photos,): the frames' indices in the batch
    photos: torch.Tensor  # uint8 (photos, side, side, 3)
    planes: (
        torch.Tensor | None
    )  # uint8 (photos, 3, side, side), 255 where hair, photo, and unlabelled photo is; None: scenes
    placing: torch.Tensor  # float32 (photos, 2, 3): affine, from a place in the frame to that in the photo's square
    middles: torch.Tensor  # float32 (photos, 2): x and y of the middle of the photo in its square
    halves: torch.Tensor  # float32 (photos, 2): half its width and height
    feathers: torch.Tensor  # float32 (photos,): width over which it fades in from its edges


class Batch(NamedTuple):
    """What `render` makes frames of."""

    layers: list[Layer]  # the lowest first
    colours: torch.Tensor  # float32 (frames, 3, 3): to be multiplied with RGB
    contrasts: torch.Tensor  # float32 (frames,): to be multiplied with the distance from the mean grey
    blurred: torch.Tensor  # int64: indices of frames
    kernels: torch.Tensor  # float32 (blurred, 5): what each of them is convolved with, along either axis
    compressed: torch.Tensor  # int64: indices of frames
    quantisation: torch.Tensor  # float32 (compressed, 2, 8, 8): JPEG tables of each of them


def render(batch: Batch, preprocessing: Preprocessing) -> tuple[torch.Tensor, torch.Tensor]:
    """Frames as a network is trained on: uint8 photos (frames, side, side, 3) and masks (frames, side, side) of
    {0, 1, IGNORE}, on the batch's device."""
    frames, side, device = len(batch.colours), preprocessing.image_size, batch.colours.device
    colour = torch.tensor(preprocessing.mean).mul(255).round().to(device, non_blocking=True)
    photos = colour.view(1, 3, 1, 1).expand(frames, 3, side, side).contiguous()
    masks = torch.full((frames, side, side), IGNORE, dtype=torch.uint8, device=device)
    for layer in batch.layers:
        _paint(photos, masks, layer)
    photos = torch.einsum("fij,fjhw->fihw", batch.colours, photos).clamp_(0, 255)
    grey = torch.einsum("fchw,c->f", photos, on_device(GREY, device)).div_(side * side).view(-1, 1, 1, 1)
    photos = grey + batch.contrasts.view(-1, 1, 1, 1) * (photos - grey)
    if len(batch.blurred):
        photos[batch.blurred] = _blur(photos[batch.blurred], batch.kernels)
    if len(batch.compressed):
        photos[batch.compressed] = compress(photos[batch.compressed].clamp_(0, 255), batch.quantisation)
    return photos.clamp_(0, 255).round_().to(torch.uint8).permute(0, 2, 3, 1), masks


def _paint(canvas: torch.Tensor, masks: torch.Tensor, layer: Layer) -> None:
    """Lay photos over their frames, float32 canvas (frames, 3, side, side) and masks (frames, side, side), in place."""
    side = canvas.shape[-1]
    steps = (torch.arange(side, device=canvas.device) * 2 + 1) / side - 1
    x, y, offset = layer.placing[:, None, None].unbind(-1)
    grid = x * steps[:, None] + (y * steps[:, None, None] + offset)
    photos = F.grid_sample(layer.photos.permute(0, 3, 1, 2).float(), grid, padding_mode="border", align_corners=False)
    if layer.planes is None:
        canvas[layer.frames], masks[layer.frames] = photos, 0
        return
    hair, cover, unlabelled = F.grid_sample(layer.planes.float(), grid, align_corners=False).unbind(1)
    unlabelled = unlabelled > 0.5 * cover
    hair = hair >= 0.5 * cover
    to_edges = (layer.halves[:, None, None] - (grid - layer.middles[:, None, None]).abs_()).amin(3)
    fade = (to_edges / layer.feathers.clamp(min=1e-6).view(-1, 1, 1)).clamp_(0, 1)
    cover = cover * fade / 255
    faded_hair = hair & (fade < 0.9) & (fade > 0.1)
    canvas[layer.frames] = torch.lerp(canvas[layer.frames], photos, cover[:, None])
    under = masks[layer.frames]
    shown = hair.to(torch.uint8).masked_fill_(unlabelled, IGNORE)
    masks[layer.frames] = torch.where(cover > 0.5, shown, under).masked_fill_(faded_hair, IGNORE)


def _blur(photos: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    """Photos (n, 3, height, width), each convolved along both axes with its kernel (n, 5)."""
    count, channels, height, width = photos.shape
    kernels = kernels.repeat_interleave(channels, 0)
    photos = F.pad(photos, (2, 2, 2, 2), mode="reflect").view(1, count * channels, height + 4, width + 4)
    photos = F.conv2d(photos, kernels[:, None, None, :], groups=count * channels)
    return F.conv2d(photos, kernels[:, None, :, None], groups=count * channels).view(count, channels, height, width)
