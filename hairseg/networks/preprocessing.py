"""Preprocessing of photos and masks for a network: size, mean and standard deviation."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import torch

from hairseg.errors import InputError, quote
from hairseg.images import fit_size

IMAGENET_MEAN = (0.485, 0.456, 0.406)

IMAGENET_STD = (0.229, 0.224, 0.225)

MAX_IMAGE_SIZE = 1024  # pixels; 16 times the cost of the paper's 256, which is still acceptable for the page

IGNORE = 255  # mask value of padding and unlabelled pixels, excluded from loss and metrics


@dataclass(frozen=True)
class Preprocessing:
    """Preprocessing of one model, saved in its config.json, so that it is the same in training and serving.

    A photo is scaled to a longer side of `image_size` pixels, and padded to a square with the mean colour, which
    normalisation turns into zero. CelebAMask-HQ's photos are square, so this is the paper's scaling to 256 x 256.
    """

    image_size: int = 256  # side of the network's square input, in pixels
    mean: tuple[float, float, float] = IMAGENET_MEAN  # per RGB channel, of values in [0, 1]
    std: tuple[float, float, float] = IMAGENET_STD

    def __post_init__(self) -> None:
        if not 32 <= self.image_size <= MAX_IMAGE_SIZE or self.image_size % 32:
            raise InputError(
                f"The image size {quote(self.image_size)} is not supported.",
                remedy=f"Choose a multiple of 32 from 32 to {MAX_IMAGE_SIZE}.",
            )

    def window(self, height: int, width: int) -> tuple[slice, slice]:
        """Return the rows and columns of the square that contain the photo, without the padding."""
        inner_width, inner_height = fit_size((height, width), self.image_size)
        top, left = (self.image_size - inner_height) // 2, (self.image_size - inner_width) // 2
        return slice(top, top + inner_height), slice(left, left + inner_width)

    def fit_photo(self, photo: np.ndarray) -> np.ndarray:
        """Fit a uint8 RGB photo, (height, width, 3), into the square: uint8 (image_size, image_size, 3)."""
        square = np.empty((self.image_size, self.image_size, 3), np.uint8)
        square[:] = np.round(np.multiply(self.mean, 255))
        window = self.window(*photo.shape[:2])
        square[window] = _resize(photo, square[window].shape[:2])
        return square

    def fit_mask(self, mask: np.ndarray) -> np.ndarray:
        """Fit a mask, (height, width), bool or of {0, 1, IGNORE}, into the square: uint8, padded with `IGNORE`."""
        square = np.full((self.image_size, self.image_size), IGNORE, np.uint8)
        window = self.window(*mask.shape)
        square[window] = resize_mask(mask, square[window].shape)
        return square

    def normalise(self, squares: torch.Tensor) -> torch.Tensor:
        """Normalise uint8 (batch, image_size, image_size, 3) to float32 (batch, 3, image_size, image_size).

        The result's memory format is channels last.
        """
        if squares.device.type == "cpu":  # a lookup table is five times as fast, with the same result
            rows = cv2.LUT(squares.flatten(0, 1).numpy(), _normalised_shades(self.mean, self.std))
            return torch.from_numpy(rows).view(squares.shape).permute(0, 3, 1, 2)
        mean, std = (_to_tensor(values, squares.device) for values in (self.mean, self.std))
        return (squares - 255 * mean).div_(255 * std).permute(0, 3, 1, 2)


@cache
def _normalised_shades(mean: tuple[float, ...], std: tuple[float, ...]) -> np.ndarray:
    """Return the normalised values of each uint8 value: float32 (1, 256, channels)."""
    shades = np.arange(256, dtype=np.float32)[None, :, None]
    return (shades - 255 * np.asarray(mean, np.float32)) / (255 * np.asarray(std, np.float32))


@cache
def _to_tensor(values: tuple[float, ...], device: torch.device) -> torch.Tensor:
    """Create a tensor; cached, since the CPU waits for each copy to a GPU."""
    return torch.tensor(values, device=device)


def resize_mask(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Scale a mask to another height and width.

    Args:
        mask: (height, width), bool or of {0, 1, IGNORE}.
        shape: height and width of the result.

    Returns:
        uint8 of {0, 1, IGNORE}: IGNORE if less than half of a pixel's area is labelled, otherwise 1 if at least half of
        the labelled area is hair.
    """
    if mask.dtype == bool or not (mask == IGNORE).any():
        return (_resize(mask.astype(np.float32), shape) >= 0.5).astype(np.uint8)
    hair, labelled = (_resize(pixels.astype(np.float32), shape) for pixels in (mask == 1, mask != IGNORE))
    return np.where(labelled < 0.5, IGNORE, hair >= 0.5 * labelled).astype(np.uint8)


def _resize(picture: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    height, width = shape
    is_smaller = height <= picture.shape[0] and width <= picture.shape[1]
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if is_smaller else cv2.INTER_LINEAR)
