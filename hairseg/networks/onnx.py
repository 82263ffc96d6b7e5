"""The network with its preprocessing inside: what an exported file computes, by operations that every runtime has."""

import torch
from torch import nn

from hairseg.networks.deeplab import DeepLabV3
from hairseg.networks.preprocessing import Preprocessing


class PhotoToAlpha(nn.Module):
    """One look at a whole photo, as HairPredictor takes it: scaling, padding, normalisation, network, scaling back.

    HairPredictor also looks closer at small heads and lets edges follow the photo; this does neither.

    Args:
        network: in evaluation mode.
        preprocessing: how photos enter it.
    """

    mean: torch.Tensor  # in shades of 0 to 255
    std: torch.Tensor

    def __init__(self, network: DeepLabV3, preprocessing: Preprocessing):
        super().__init__()
        self.network = network
        self.size = preprocessing.image_size
        self.register_buffer("mean", 255 * torch.tensor(preprocessing.mean))
        self.register_buffer("std", 255 * torch.tensor(preprocessing.std))

    def forward(self, photo: torch.Tensor) -> torch.Tensor:
        """uint8 RGB photo (height, width, 3), upright -> alpha float32 (height, width) in [0, 1]."""
        rows, columns = (torch.arange(length, dtype=torch.float32) for length in photo.shape[:2])
        longer = torch.maximum(rows[-1], columns[-1]) + 1
        to_square = [_scaling_into_square(pixels, self.size, longer) for pixels in (rows, columns)]
        inside = to_square[0].sum(1)[:, None] * to_square[1].sum(1)[None]  # 1 where the photo is, 0 in the padding
        channels = photo.float().permute(2, 0, 1)
        square = (to_square[0] @ channels @ to_square[1].T).round()
        normalised = (square - self.mean.round()[:, None, None] * inside) / self.std[:, None, None]
        # Padding is the mean colour, rounded as pixels are; what it lacks of the mean itself is the same everywhere.
        normalised = normalised + ((self.mean.round() - self.mean) / self.std)[:, None, None]
        logits = self.network(normalised[None])[0, 0]
        from_square = [_scaling_out_of_square(pixels, self.size, longer) for pixels in (rows, columns)]
        return (from_square[0] @ logits @ from_square[1].T).sigmoid()


def _window(pixels: torch.Tensor, size: int, longer: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Length of a photo's side; where it begins in the square, and how long it is there (`Preprocessing.window`)."""
    length = pixels[-1] + 1
    inner = (length * size / longer).round().clamp(min=1)
    return length, ((size - inner) / 2).floor(), inner


def _scaling_into_square(pixels: torch.Tensor, size: int, longer: torch.Tensor) -> torch.Tensor:
    """Weights (size, length) of a side's pixels in the square's: OpenCV's INTER_AREA, or INTER_LINEAR to enlarge."""
    length, start, inner = _window(pixels, size, longer)
    scale = length / inner
    targets = torch.arange(size, dtype=torch.float32)[:, None] - start
    overlap = torch.minimum((targets + 1) * scale, pixels + 1) - torch.maximum(targets * scale, pixels)
    shrinks = inner <= length
    weights = torch.where(shrinks, overlap.clamp(min=0) / scale, _linear(targets, scale, length, pixels))
    return torch.where((targets >= 0) & (targets < inner), weights, 0.0)


def _scaling_out_of_square(pixels: torch.Tensor, size: int, longer: torch.Tensor) -> torch.Tensor:
    """Weights (length, size) of the square's pixels in those of a side: OpenCV's INTER_LINEAR."""
    length, start, inner = _window(pixels, size, longer)
    return _linear(pixels[:, None], inner / length, inner, torch.arange(size, dtype=torch.float32) - start)


def _linear(targets: torch.Tensor, scale: torch.Tensor, length: torch.Tensor, sources: torch.Tensor) -> torch.Tensor:
    """Weights of linear interpolation at pixel centres; beyond the first and the last pixel these go on."""
    position = ((targets + 0.5) * scale - 0.5).clamp(min=0)
    position = torch.minimum(position, length - 1)
    return (1 - (position - sources).abs()).clamp(min=0)
