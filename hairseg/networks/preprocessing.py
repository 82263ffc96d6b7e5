"""How photos and masks enter the network; the only owner of size, mean and standard deviation."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import torch

from hairseg.errors import InputError, quote

IMAGENET_MEAN = (0.485, 0.456, 0.406)

IMAGENET_STD = (0.229, 0.224, 0.225)

LARGEST = 1024  # pixels of a side: 16 times the cost of the paper's 256, which a page can still bear

IGNORE = 255  # mask value of what is neither learnt nor scored: padding around a photo, and what nobody labelled in it


@dataclass(frozen=True)
class Preprocessing:
    """Preprocessing of one model; saved in its config.json so that serving cannot drift from training.

    A photo is scaled, its aspect ratio kept, until its longer side fills a square of `image_size`, and centred there on
    the mean colour (zero once normalised). CelebAMask-HQ's photos are square already: there this is the plain scaling
    to 256 x 256 of the paper.
    """

    image_size: int = 256  # side of the network's square input, in pixels
    mean: tuple[float, float, float] = IMAGENET_MEAN  # per RGB channel, of values in [0, 1]
    std: tuple[float, float, float] = IMAGENET_STD

    def __post_init__(self):
        if not 32 <= self.image_size <= LARGEST or self.image_size % 32:
            size = self.image_size
            raise InputError(f"the image size {quote(size)} does not fit", f"a multiple of 32 from 32 to {LARGEST}")

    def window(self, height: int, width: int) -> tuple[slice, slice]:
        """Rows and columns of the square that a photo of this size fills."""
        scale = self.image_size / max(height, width)
        inner_height, inner_width = max(1, round(height * scale)), max(1, round(width * scale))
        top, left = (self.image_size - inner_height) // 2, (self.image_size - inner_width) // 2
        return slice(top, top + inner_height), slice(left, left + inner_width)

    def fit_photo(self, photo: np.ndarray, each: Callable = map) -> np.ndarray:
        """uint8 RGB photo (height, width, 3) -> uint8 (image_size, image_size, 3).

        Args:
            each: goes through the halves of a photo. With the `map` of a pool both are scaled at once.
        """
        row = np.tile(np.round(np.multiply(self.mean, 255)).astype(np.uint8), self.image_size)
        square = np.tile(row, self.image_size).reshape(self.image_size, self.image_size, 3)
        fitted = square[self.window(*photo.shape[:2])]
        longer = int(photo.shape[1] > photo.shape[0])
        # an even side is made smaller by halves as it is as a whole: no pixel lies across the middle
        parts = 1 if photo.shape[longer] % 2 or photo.shape[longer] < self.image_size else 2
        list(each(_resize_into, np.split(photo, parts, longer), np.split(fitted, parts, longer)))
        return square

    def fit_mask(self, mask: np.ndarray) -> np.ndarray:
        """Mask (height, width), bool or of {0, 1, IGNORE} -> uint8 (image_size, image_size), padding `IGNORE`."""
        square = np.full((self.image_size, self.image_size), IGNORE, np.uint8)
        window = self.window(*mask.shape)
        square[window] = resize_mask(mask, square[window].shape)
        return square

    def normalise(self, squares: torch.Tensor) -> torch.Tensor:
        """uint8 (batch, image_size, image_size, 3) -> float32 (batch, 3, image_size, image_size), channels last."""
        # row by row: several times as fast as over three values at a time
        mean, std = (_along_a_row(values, squares.shape[2], squares.device) for values in (self.mean, self.std))
        rows = (squares.flatten(2) - 255 * mean).div_(255 * std)
        return rows.view(squares.shape).permute(0, 3, 1, 2)


@cache
def _along_a_row(values: tuple[float, ...], width: int, device: torch.device) -> torch.Tensor:
    """Copied there once: a copy at every step would make the CPU wait for a GPU."""
    return torch.tensor(values, device=device).repeat(width)


def resize_mask(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A mask at another size.

    Args:
        mask: (height, width), bool or of {0, 1, IGNORE}.
        shape: height and width of the result.

    Returns:
        uint8 of {0, 1, IGNORE}: 1 where hair covers at least half of what is labelled, IGNORE where less than half is.
    """
    if mask.dtype == bool or not (mask == IGNORE).any():
        return (_resize(mask.astype(np.float32), shape) >= 0.5).astype(np.uint8)
    hair, labelled = (_resize(where.astype(np.float32), shape) for where in (mask == 1, mask != IGNORE))
    return np.where(labelled < 0.5, IGNORE, hair >= 0.5 * labelled).astype(np.uint8)


def _resize_into(picture: np.ndarray, fitted: np.ndarray) -> None:
    fitted[:] = _resize(picture, fitted.shape[:2])


def _resize(picture: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    height, width = shape
    shrinks = height <= picture.shape[0] and width <= picture.shape[1]
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
