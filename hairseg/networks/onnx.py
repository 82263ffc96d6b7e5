"""A network with its preprocessing as one module for ONNX export, with operations that all runtimes support."""

import torch
from torch import nn

from hairseg.networks.preprocessing import Preprocessing


class PhotoToAlpha(nn.Module):
    """The coarse pass of HairPredictor: scaling, padding, normalisation, network, scaling back.

    Scaling is a product with weight matrices. Zoomed passes and edge refinement are not included.

    Args:
        network: a network in evaluation mode.
        preprocessing: the network's preprocessing.
    """

    mean: torch.Tensor  # (3,), in [0, 255]
    std: torch.Tensor

    def __init__(self, network: nn.Module, preprocessing: Preprocessing):
        super().__init__()
        self.network = network
        self.size = preprocessing.image_size
        self.register_buffer("mean", 255 * torch.tensor(preprocessing.mean))
        self.register_buffer("std", 255 * torch.tensor(preprocessing.std))

    def forward(self, photo: torch.Tensor) -> torch.Tensor:
        """Map an upright uint8 RGB photo, (height, width, 3), to alpha: float32 in [0, 1], (height, width)."""
        rows, columns = (torch.arange(length, dtype=torch.float32) for length in photo.shape[:2])
        longer_side = torch.maximum(rows[-1], columns[-1]) + 1
        to_square = [_square_weights(pixels, self.size, longer_side) for pixels in (rows, columns)]
        inside = to_square[0].sum(1)[:, None] * to_square[1].sum(1)[None]  # 1 in the photo, 0 in the padding
        channels = photo.float().permute(2, 0, 1)
        square = (to_square[0] @ channels @ to_square[1].T).round()
        normalised = (square - self.mean.round()[:, None, None] * inside) / self.std[:, None, None]
        # HairPredictor rounds the mean colour of the padding to 8 bits.
        normalised = normalised + ((self.mean.round() - self.mean) / self.std)[:, None, None]
        logits = self.network(normalised[None])[0, 0]
        from_square = [_photo_weights(pixels, self.size, longer_side) for pixels in (rows, columns)]
        return (from_square[0] @ logits @ from_square[1].T).sigmoid()


def _window(
    pixels: torch.Tensor, size: int, longer_side: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the length of one side of a photo, and its start and length in the square (`Preprocessing.window`)."""
    length = pixels[-1] + 1
    inner_length = (length * size / longer_side).round().clamp(min=1)
    return length, ((size - inner_length) / 2).floor(), inner_length


def _square_weights(pixels: torch.Tensor, size: int, longer_side: torch.Tensor) -> torch.Tensor:
    """Return weights (size, length) that scale one side of a photo to the square.

    They are those of OpenCV's INTER_AREA to shrink, and of INTER_LINEAR to enlarge.
    """
    length, start, inner_length = _window(pixels, size, longer_side)
    scale = length / inner_length
    targets = torch.arange(size, dtype=torch.float32)[:, None] - start
    overlap = torch.minimum((targets + 1) * scale, pixels + 1) - torch.maximum(targets * scale, pixels)
    is_smaller = inner_length <= length
    weights = torch.where(is_smaller, overlap.clamp(min=0) / scale, _linear_weights(targets, scale, length, pixels))
    return torch.where((targets >= 0) & (targets < inner_length), weights, 0.0)


def _photo_weights(pixels: torch.Tensor, size: int, longer_side: torch.Tensor) -> torch.Tensor:
    """Return weights (length, size) that scale one side of the square back to the photo: OpenCV's INTER_LINEAR."""
    length, start, inner_length = _window(pixels, size, longer_side)
    sources = torch.arange(size, dtype=torch.float32) - start
    return _linear_weights(pixels[:, None], inner_length / length, inner_length, sources)


def _linear_weights(
    targets: torch.Tensor, scale: torch.Tensor, length: torch.Tensor, sources: torch.Tensor
) -> torch.Tensor:
    """Return weights of linear interpolation between pixel centres, with the first and last pixel replicated."""
    positions = ((targets + 0.5) * scale - 0.5).clamp(min=0)
    positions = torch.minimum(positions, length - 1)
    return (1 - (positions - sources).abs()).clamp(min=0)
