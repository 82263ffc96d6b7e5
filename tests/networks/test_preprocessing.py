import cv2
import numpy as np
import pytest
import torch

from hairseg.errors import InputError
from hairseg.networks.preprocessing import IGNORE, Preprocessing

SMALL = Preprocessing(64)


def test_a_square_photo_fills_the_square():
    assert SMALL.window(500, 500) == (slice(0, 64), slice(0, 64))


@pytest.mark.parametrize(
    "height, width, rows, columns",
    [
        (100, 200, slice(16, 48), slice(0, 64)),
        (200, 100, slice(0, 64), slice(16, 48)),
        (1, 5000, slice(31, 32), slice(0, 64)),
    ],
)
def test_aspect_ratio_is_kept_and_the_rest_is_padded(height, width, rows, columns):
    assert SMALL.window(height, width) == (rows, columns)
    square = SMALL.fit_photo(np.full((height, width, 3), 7, np.uint8))
    assert (square[rows, columns] == 7).all()
    padding = np.ones((64, 64), bool)
    padding[rows, columns] = False
    assert (square[padding] == (124, 116, 104)).all()  # 255 times the mean
    mask = SMALL.fit_mask(np.ones((height, width), bool))
    assert (mask[rows, columns] == 1).all()
    assert (mask[padding] == IGNORE).all()


@pytest.mark.parametrize("height, width", [(640, 512), (641, 513), (512, 1030), (65, 64), (64, 66), (30, 63), (2, 900)])
def test_photos_are_scaled_as_opencv_scales_them(height, width):
    photo = np.random.default_rng(height).integers(0, 256, (height, width, 3), np.uint8)
    square = SMALL.fit_photo(photo)
    window = SMALL.window(height, width)
    shape = tuple(side.stop - side.start for side in window)
    scaling = cv2.INTER_AREA if height >= shape[0] and width >= shape[1] else cv2.INTER_LINEAR
    np.testing.assert_array_equal(square[window], cv2.resize(photo, shape[::-1], interpolation=scaling))


@pytest.mark.parametrize("height, width", [(640, 512), (641, 513), (512, 1030)])
def test_scaling_does_not_shift_the_photo(height, width):
    down, right = np.mgrid[:height, :width] / max(height, width)
    photo = np.stack([255 * down, 255 * right, 255 * right], axis=2).astype(np.uint8)
    window = SMALL.window(height, width)
    rows, columns = (np.arange(side.stop - side.start) for side in window)
    found = SMALL.fit_photo(photo)[window].astype(float)
    assert np.abs(found[..., 0] - 255 * (rows[:, None] + 0.5) / 64).max() < 2
    assert np.abs(found[..., 1] - 255 * (columns + 0.5) / 64).max() < 2


def test_a_mask_is_thresholded_at_half_after_scaling():
    mask = np.zeros((128, 128), bool)
    mask[0, 0] = True  # a quarter of the first pixel
    mask[2, 2] = mask[2, 3] = True  # half of the second
    scaled = SMALL.fit_mask(mask)
    assert scaled[0, 0] == 0
    assert scaled[1, 1] == 1
    assert scaled.sum() == 1


def test_normalise_uses_mean_and_standard_deviation_per_channel():
    squares = torch.full((1, 64, 64, 3), 51, dtype=torch.uint8)
    expected = [(0.2 - 0.485) / 0.229, (0.2 - 0.456) / 0.224, (0.2 - 0.406) / 0.225]
    result = SMALL.normalise(squares)
    assert result.shape == (1, 3, 64, 64)
    assert result.is_contiguous(memory_format=torch.channels_last)
    assert result[0, :, 5, 5].tolist() == pytest.approx(expected, abs=1e-6)


def test_normalised_padding_is_zero_within_rounding():
    square = SMALL.fit_photo(np.zeros((10, 640, 3), np.uint8))
    assert SMALL.normalise(torch.from_numpy(square)[None])[0, :, 0].abs().max() < 0.01


@pytest.mark.parametrize("size", [0, 100, 8192])
def test_unsupported_image_sizes_are_refused(size):
    with pytest.raises(InputError, match=rf"image size {size} is not supported\. Choose a multiple of 32"):
        Preprocessing(size)


def test_table_gives_the_bits_of_the_formula():
    preprocessing = Preprocessing(64)
    squares = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8))
    expected = (squares - 255 * torch.tensor(preprocessing.mean)) / (255 * torch.tensor(preprocessing.std))
    found = preprocessing.normalise(squares)
    assert torch.equal(found, expected.permute(0, 3, 1, 2)) and found.stride() == expected.permute(0, 3, 1, 2).stride()
