import cv2
import numpy as np
import pytest

from hairseg.evaluation.metrics import boundary_iou
from hairseg.inference.refinement import refine_alpha


def hair_on_a_wall(size=240, seed=0):
    """A dark disc with dark strands two pixels wide around it on a light, noisy wall: photo, true mask."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    distance, angle = np.hypot(x, y), np.arctan2(y, x)
    mask = (distance < size / 4) | ((distance < size / 3) & (np.sin(angle * 40) > 0.2))
    photo = np.where(mask[..., None], (60, 45, 40), (200, 205, 215)) + np.random.default_rng(seed).normal(
        0, 4, (size, size, 3)
    )
    return np.clip(photo, 0, 255).astype(np.uint8), mask


def coarse_alpha(mask, cell):
    """The alpha of a network whose pixels have that size: the mask, blurred."""
    height, width = mask.shape
    small = cv2.resize(mask.astype(np.float32), (width // cell, height // cell), interpolation=cv2.INTER_AREA)
    return np.clip(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), 0, 1)


@pytest.mark.parametrize("cell", [4, 8, 16])
def test_refined_edges_follow_the_photo(cell):
    photo, mask = hair_on_a_wall()
    coarse = coarse_alpha(mask, cell)
    refined = refine_alpha(photo, coarse, cell / 12)
    assert np.abs(refined - mask).mean() < 0.75 * np.abs(coarse - mask).mean()
    assert boundary_iou(refined >= 0.5, mask, 0.01) > boundary_iou(coarse >= 0.5, mask, 0.01)


def test_certain_pixels_stay_certain():
    photo, mask = hair_on_a_wall()
    for alpha in (np.zeros(mask.shape, np.float32), np.full(mask.shape, 0.001, np.float32)):
        assert refine_alpha(photo, alpha, 8).max() <= 12 * alpha.max()
    for alpha in (np.ones(mask.shape, np.float32), np.full(mask.shape, 0.999, np.float32)):
        assert refine_alpha(photo, alpha, 8).min() >= 1 - 6 * (1 - alpha.min()) - 1e-6
    half = np.where(np.arange(240) < 120, 1, 0).astype(np.float32)[None].repeat(240, 0)
    refined = refine_alpha(photo, half, 8)
    assert refined.dtype == np.float32
    assert refined.min() >= 0
    assert refined.max() <= 1
    assert not refined[:, 120:].any()
    assert (refined[:, :120] == 1).all()


def test_uncertainty_is_preserved():
    """Guards against a wrong alpha of 0 or 1 that a threshold cannot correct."""
    photo, mask = hair_on_a_wall()
    alpha = np.clip(coarse_alpha(mask, 12), 0.03, 0.97).astype(np.float32)
    refined = refine_alpha(photo, alpha, 1)
    assert (refined >= alpha / 3 - 1e-6).all()
    assert (1 - refined >= (1 - alpha) / 3 - 1e-6).all()
    assert refined.min() == pytest.approx(0.01)
    assert refined.max() == pytest.approx(0.99)


def test_a_uniform_photo_adds_no_edges():
    """Without colour differences, the guided filter is a mean."""
    _, mask = hair_on_a_wall()
    coarse = coarse_alpha(mask, 8)
    refined = refine_alpha(np.full((240, 240, 3), 128, np.uint8), coarse, 0.5)
    assert np.abs(np.diff(refined)).max() < np.abs(np.diff(coarse)).max()


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 3), (31, 2)])
def test_tiny_photos_are_refined(shape):
    photo = np.full((*shape, 3), 77, np.uint8)
    refined = refine_alpha(photo, np.full(shape, 0.5, np.float32), max(shape) / 256)
    assert refined.shape == shape
    assert np.isfinite(refined).all()


def test_only_visible_pixels_are_refined():
    photo, mask = hair_on_a_wall()
    coarse = coarse_alpha(mask, 12)
    visible = np.zeros(mask.shape, bool)
    visible[:, 120:] = True
    everywhere, partly = refine_alpha(photo, coarse, 1), refine_alpha(photo, coarse, 1, visible)
    assert np.abs(partly - everywhere)[visible].mean() < 0.1 * np.abs(everywhere - coarse)[visible].mean()
    np.testing.assert_array_equal(partly[:, :100], coarse[:, :100])
    assert (everywhere[:, :100] != coarse[:, :100]).any()
    np.testing.assert_array_equal(refine_alpha(photo, coarse, 1, ~visible & visible), coarse)
