"""Foreground estimation and cut-outs."""

import numpy as np
import pytest

from hairseg.recolouring.foreground import estimate_foreground
from hairseg.recolouring.recolourer import cutout


def soft_disc(size=96, radius=28, softness=8):
    """Draw an alpha with a soft edge, float32 (size, size)."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return np.clip((radius - np.hypot(x, y)) / softness + 0.5, 0, 1).astype(np.float32)


def composite(foreground, background, alpha):
    alpha = alpha[..., None].astype(float)
    return np.rint(alpha * foreground + (1 - alpha) * background).astype(np.uint8)


def test_uniform_colours_are_recovered_in_the_soft_edge():
    alpha = soft_disc()
    blond, wall = np.full((96, 96, 3), (214, 180, 130)), np.full((96, 96, 3), (24, 30, 60))
    estimate = estimate_foreground(composite(blond, wall, alpha), alpha)
    edge = (alpha > 0.1) & (alpha < 1)
    assert np.abs(estimate[edge].astype(int) - blond[edge]).max() <= 4


def test_estimate_is_closer_to_the_strands_than_the_photo():
    alpha = soft_disc(192, 60, 24)
    y, x = np.mgrid[:192, :192]
    strands = np.stack([150 + 40 * np.sin(x / 3), 110 + 40 * np.sin(x / 3), 60 + 30 * np.sin(x / 3)], axis=2)
    wall = np.stack([40 + y / 4, 60 + x / 4, 90 + 20 * np.sin(y / 9)], axis=2)
    photo = composite(strands, wall, alpha)
    edge = (alpha > 0.1) & (alpha < 0.9)

    def error(colour):
        return (np.abs(colour - strands).mean(axis=2) * alpha)[edge].mean()

    assert error(estimate_foreground(photo, alpha)) < 0.6 * error(photo)


def test_opaque_pixels_equal_the_photo():
    photo = np.random.default_rng(0).integers(0, 256, (70, 50, 3), dtype=np.uint8)
    alpha = np.zeros((70, 50), np.float32)
    alpha[10:40, 5:30], alpha[40:50, 5:30] = 1, 0.5
    assert np.array_equal(estimate_foreground(photo, alpha)[alpha == 1], photo[alpha == 1])
    assert np.array_equal(estimate_foreground(photo, np.ones_like(alpha)), photo)


def test_estimate_composites_back_to_the_photo():
    alpha = soft_disc()
    wall = np.full((96, 96, 3), (200, 210, 220))
    photo = composite(np.full((96, 96, 3), (90, 60, 40)), wall, alpha)
    again = composite(estimate_foreground(photo, alpha), wall, alpha)
    assert np.abs(again.astype(int) - photo).max() <= 2
    # The cut-out's colours belong to an alpha without haze. Its 0.03 of the difference of hair and wall is 5 here.
    rgba = cutout(photo, alpha)
    again = composite(rgba[..., :3], wall, rgba[..., 3] / np.float32(255))
    assert np.abs(again.astype(int) - photo).max() <= 6


def test_cutout_has_alpha_and_no_background_colour():
    alpha = soft_disc()
    photo = composite(np.full((96, 96, 3), (60, 40, 30)), np.full((96, 96, 3), (0, 255, 0)), alpha)
    rgba = cutout(photo, alpha)
    assert rgba.dtype == np.uint8
    assert rgba.shape == (96, 96, 4)
    assert np.array_equal(rgba[..., 3], np.rint(alpha * 255))
    assert rgba[alpha > 0.05][:, 1].max() <= 60
    assert rgba[0, 0, 3] == 0
    assert rgba[0, 0, 1] <= 60


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 3), (31, 2)])
@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_tiny_photos(shape, value):
    photo = np.full((*shape, 3), 77, np.uint8)
    assert cutout(photo, np.full(shape, value, np.float32)).shape == (*shape, 4)


def test_transparent_pixels_do_not_contain_the_photo():
    """A viewer that ignores alpha must not show the face."""
    photo = np.random.default_rng(0).integers(1, 256, (200, 200, 3), dtype=np.uint8)
    alpha = np.zeros((200, 200), np.float32)
    alpha[90:100, 90:100] = 1
    rgba = cutout(photo, alpha)
    assert np.array_equal(rgba[90:100, 90:100, :3], photo[90:100, 90:100])
    assert not rgba[:80].any()
    assert not rgba[:, :80].any()
    assert not rgba[120:].any()
