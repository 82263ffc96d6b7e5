import cv2
import numpy as np
import pytest

from hairseg.evaluation.metrics import boundary_iou
from hairseg.recolouring.foreground import cutout, estimate_foreground
from hairseg.refinement import refine_alpha


def soft_disc(size=96, radius=28, softness=8):
    """An alpha like hair's: 1 within, 0 without, a soft edge between, float32 (size, size)."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return np.clip((radius - np.hypot(x, y)) / softness + 0.5, 0, 1).astype(np.float32)


def composite(foreground, background, alpha):
    alpha = alpha[..., None].astype(float)
    return np.rint(alpha * foreground + (1 - alpha) * background).astype(np.uint8)


def test_plain_colours_are_recovered_in_the_soft_edge():
    alpha = soft_disc()
    blond, wall = np.full((96, 96, 3), (214, 180, 130)), np.full((96, 96, 3), (24, 30, 60))
    found = estimate_foreground(composite(blond, wall, alpha), alpha)
    edge = (alpha > 0.1) & (alpha < 1)
    assert np.abs(found[edge].astype(int) - blond[edge]).max() <= 4


def test_strands_are_recovered_better_than_by_leaving_the_photo_as_it_is():
    alpha = soft_disc(192, 60, 24)
    y, x = np.mgrid[:192, :192]
    strands = np.stack([150 + 40 * np.sin(x / 3), 110 + 40 * np.sin(x / 3), 60 + 30 * np.sin(x / 3)], axis=2)
    wall = np.stack([40 + y / 4, 60 + x / 4, 90 + 20 * np.sin(y / 9)], axis=2)
    photo = composite(strands, wall, alpha)
    edge = (alpha > 0.1) & (alpha < 0.9)

    def error(colour):
        return (np.abs(colour - strands).mean(axis=2) * alpha)[edge].mean()

    assert error(estimate_foreground(photo, alpha)) < 0.6 * error(photo)


def test_sure_hair_is_the_photo_bit_for_bit():
    photo = np.random.default_rng(0).integers(0, 256, (70, 50, 3), dtype=np.uint8)
    alpha = np.zeros((70, 50), np.float32)
    alpha[10:40, 5:30], alpha[40:50, 5:30] = 1, 0.5
    assert np.array_equal(estimate_foreground(photo, alpha)[alpha == 1], photo[alpha == 1])
    assert np.array_equal(estimate_foreground(photo, np.ones_like(alpha)), photo)


def test_what_is_estimated_composites_back_to_the_photo():
    alpha = soft_disc()
    photo = composite(np.full((96, 96, 3), (90, 60, 40)), np.full((96, 96, 3), (200, 210, 220)), alpha)
    rgba = cutout(photo, alpha)
    again = composite(rgba[..., :3], np.full((96, 96, 3), (200, 210, 220)), rgba[..., 3] / np.float32(255))
    assert np.abs(again.astype(int) - photo).max() <= 3


def test_cutout_carries_alpha_and_none_of_the_wall():
    alpha = soft_disc()
    photo = composite(np.full((96, 96, 3), (60, 40, 30)), np.full((96, 96, 3), (0, 255, 0)), alpha)
    rgba = cutout(photo, alpha)
    assert rgba.dtype == np.uint8 and rgba.shape == (96, 96, 4)
    assert np.array_equal(rgba[..., 3], np.rint(alpha * 255))
    assert rgba[alpha > 0.05][:, 1].max() <= 60
    assert rgba[0, 0, 3] == 0 and rgba[0, 0, 1] <= 60


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 3), (31, 2)])
@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_tiny_photos(shape, value):
    photo = np.full((*shape, 3), 77, np.uint8)
    assert cutout(photo, np.full(shape, value, np.float32)).shape == (*shape, 4)


def hair_on_a_wall(size=240, seed=0):
    """A dark disc with dark strands two pixels wide around it on a light, noisy wall: photo, true mask."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    distance, angle = np.hypot(x, y), np.arctan2(y, x)
    mask = (distance < size / 4) | ((distance < size / 3) & (np.sin(angle * 40) > 0.2))
    photo = np.where(mask[..., None], (60, 45, 40), (200, 205, 215)) + np.random.default_rng(seed).normal(
        0, 4, (size, size, 3)
    )
    return np.clip(photo, 0, 255).astype(np.uint8), mask


def seen_coarsely(mask, cell):
    """What a network with pixels of that size would say: the mask blurred."""
    height, width = mask.shape
    small = cv2.resize(mask.astype(np.float32), (width // cell, height // cell), interpolation=cv2.INTER_AREA)
    return np.clip(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), 0, 1)


@pytest.mark.parametrize("cell", [4, 8, 16])
def test_refined_edges_follow_the_photo(cell):
    photo, mask = hair_on_a_wall()
    coarse = seen_coarsely(mask, cell)
    refined = refine_alpha(photo, coarse, cell / 12)
    assert np.abs(refined - mask).mean() < 0.75 * np.abs(coarse - mask).mean()
    assert boundary_iou(refined >= 0.5, mask, 0.01) > boundary_iou(coarse >= 0.5, mask, 0.01)


def test_refining_never_finds_hair_where_the_network_is_sure_of_none():
    photo, mask = hair_on_a_wall()
    for alpha in (np.zeros(mask.shape, np.float32), np.full(mask.shape, 0.001, np.float32)):
        assert refine_alpha(photo, alpha, 8).max() <= 12 * alpha.max()
    for alpha in (np.ones(mask.shape, np.float32), np.full(mask.shape, 0.999, np.float32)):
        assert refine_alpha(photo, alpha, 8).min() >= 1 - 12 * (1 - alpha.min()) - 1e-6
    half = np.where(np.arange(240) < 120, 1, 0).astype(np.float32)[None].repeat(240, 0)
    refined = refine_alpha(photo, half, 8)
    assert refined.dtype == np.float32 and 0 <= refined.min() and refined.max() <= 1
    assert not refined[:, 120:].any() and (refined[:, :120] == 1).all()


def test_a_plain_photo_says_nothing_of_edges():
    """Without any colour to go by, the guided filter is a mean: no edge may appear."""
    _, mask = hair_on_a_wall()
    coarse = seen_coarsely(mask, 8)
    refined = refine_alpha(np.full((240, 240, 3), 128, np.uint8), coarse, 0.5)
    assert np.abs(np.diff(refined)).max() < np.abs(np.diff(coarse)).max()


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 3), (31, 2)])
def test_tiny_photos_are_refined(shape):
    photo = np.full((*shape, 3), 77, np.uint8)
    refined = refine_alpha(photo, np.full(shape, 0.5, np.float32), max(shape) / 256)
    assert refined.shape == shape and np.isfinite(refined).all()
