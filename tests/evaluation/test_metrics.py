import cv2
import numpy as np
import pytest
import torch
from sklearn.metrics import (
    f1_score,
    jaccard_score,
    mean_squared_error,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)
from torch import nn

from hairseg.evaluation.metrics import (
    BoundaryScores,
    MaskCounts,
    PixelCounts,
    PixelScores,
    bootstrap_interval,
    boundary_iou,
    score,
)
from hairseg.networks.preprocessing import IGNORE, Preprocessing
from hairseg.repository.metrics import Scores


def sample(scale: float, offset: float, pixels: int = 200_000) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    masks = (torch.rand(10, pixels // 10, generator=generator) < 0.3).to(torch.uint8)
    return (torch.randn(masks.shape, generator=generator) + 1.4 * masks) * scale + offset, masks


@pytest.mark.parametrize("scale, offset", [(2, -1), (0.01, -3), (40, 0), (1e-3, 0)])
def test_scores_agree_with_scikit_learn(scale, offset):
    logits, masks = sample(scale, offset)
    counts = PixelCounts()
    for batch in range(0, 10, 3):
        counts.update(logits[batch : batch + 3], masks[batch : batch + 3])
    pooled = counts.scores()
    truth, scores = masks.flatten().numpy(), logits.flatten().numpy()
    assert pooled.pixels == truth.size
    assert pooled.auroc == pytest.approx(roc_auc_score(truth, scores), abs=1e-4)
    assert pooled.f1() == pytest.approx(f1_score(truth, scores >= 0, zero_division=0), abs=1e-12)
    assert pooled.iou() == pytest.approx(jaccard_score(truth, scores >= 0, zero_division=0), abs=1e-12)
    assert pooled.mse == pytest.approx(mean_squared_error(truth, torch.sigmoid(logits).flatten()), abs=1e-6)


def scores_of(logits: torch.Tensor, masks: torch.Tensor) -> PixelScores:
    counts = PixelCounts()
    counts.update(logits, masks)
    return counts.scores()


def test_ties_count_half():
    assert scores_of(torch.zeros(4), torch.tensor([0, 1, 0, 1])).auroc == 0.5


def test_another_threshold():
    logits, masks = sample(2, 0)
    expected = f1_score(masks.flatten(), torch.sigmoid(logits).flatten() >= 0.8)
    assert scores_of(logits, masks).f1(0.8) == pytest.approx(expected, abs=1e-4)


def test_curves_match_scikit_learn():
    logits, masks = sample(2, 0)
    scores = scores_of(logits, masks)
    at = np.linspace(0, 1, 101)
    false_rate, true_rate, _ = roc_curve(masks.flatten(), logits.flatten())
    np.testing.assert_allclose(np.interp(at, *scores.roc), np.interp(at, false_rate, true_rate), atol=1e-3)
    precision, recall, _ = precision_recall_curve(masks.flatten(), logits.flatten())
    found_precision, found_recall = scores.precision_recall
    np.testing.assert_allclose(
        np.interp(at, found_recall[::-1], found_precision[::-1]),
        np.interp(at, recall[::-1], precision[::-1]),
        atol=1e-3,
    )


def test_reliability_by_hand():
    """Three pixels of alpha 0.9, two of them hair; one of alpha 0.1, not hair; the ranges between are empty."""
    logits = torch.logit(torch.tensor([0.9, 0.9, 0.9, 0.1]))
    scores = scores_of(logits, torch.tensor([1, 1, 0, 0]))
    alpha, hair, share = scores.reliability()
    np.testing.assert_allclose(alpha, [0.1, 0.9], atol=1e-4)
    np.testing.assert_allclose(hair, [0, 2 / 3])
    np.testing.assert_allclose(share, [0.25, 0.75])
    assert scores.calibration_error == pytest.approx(0.25 * 0.1 + 0.75 * (0.9 - 2 / 3), abs=1e-4)


def test_padding_is_not_scored():
    logits, masks = torch.tensor([3.0, -2.0, 9.0, -9.0]), torch.tensor([1, 0, IGNORE, IGNORE], dtype=torch.uint8)
    with_padding, without = scores_of(logits, masks), scores_of(logits[:2], masks[:2])
    assert np.array_equal(with_padding.logits, without.logits) and with_padding.mse == without.mse
    assert with_padding.pixels == 2


def test_hand_worked_counts():
    """Two true positives, one false positive, one false negative."""
    scores = scores_of(torch.tensor([2.0, 2.0, 2.0, -2.0, -2.0, -2.0]), torch.tensor([1, 1, 0, 1, 0, 0]))
    assert scores.f1() == pytest.approx(4 / 6) and scores.iou() == pytest.approx(2 / 4)


def test_without_hair_only_errors_are_scored():
    scores = scores_of(torch.tensor([-20.0, -20.0]), torch.tensor([0, 0]))
    assert scores.auroc is None and scores.f1() is None and scores.iou() is None
    assert scores.mse == pytest.approx(0, abs=1e-9) and scores.calibration_error == pytest.approx(0, abs=1e-6)
    masks = MaskCounts()
    assert masks.add(np.zeros((4, 4), bool), np.zeros((4, 4), bool)) is None
    assert masks.scores() == Scores(f1=None, iou=None, boundary_iou=None, median_f1=None, false_hair=0)


def test_without_pixels_there_are_no_scores():
    scores = PixelCounts().scores()
    assert scores.mse is scores.auroc is scores.f1() is scores.calibration_error is None


def test_bootstrap_interval_matches_the_normal_approximation():
    """For the mean of many numbers, the interval is the mean plus or minus 1.96 standard errors."""
    values = np.random.default_rng(3).random(400)
    low, high = bootstrap_interval(values, np.ones(400))
    error = 1.96 * values.std() / np.sqrt(400)
    assert (low, high) == (
        pytest.approx(values.mean() - error, abs=2e-3),
        pytest.approx(values.mean() + error, abs=2e-3),
    )
    assert bootstrap_interval([1, 1, 1, 1], [2, 2, 2, 2]) is None  # too few photos
    assert bootstrap_interval([1, 2, 3, 4, 5], [2, 4, 6, 8, 10]) == (0.5, 0.5)
    assert bootstrap_interval(np.zeros(9), np.zeros(9)) is None


def test_intervals_of_f1_and_false_hair_contain_the_scores():
    rng, counts = np.random.default_rng(0), MaskCounts()
    for error in np.linspace(0.05, 0.4, 12):
        mask = rng.random((30, 30)) < 0.4
        counts.add(mask ^ (rng.random((30, 30)) < error), mask)
    scores = counts.scores()
    for value, (low, high) in ((scores.f1, scores.f1_interval), (scores.false_hair, scores.false_hair_interval)):
        assert low < value < high
        assert 0.02 < high - low < 0.3


def test_boundary_iou_of_shifted_squares_by_hand():
    """Squares of 40 in 100 x 100, contour bands of 3 pixels (2 % of the diagonal of 141.4)."""
    mask, shifted = np.zeros((100, 100), bool), np.zeros((100, 100), bool)
    mask[30:70, 30:70], shifted[30:70, 32:72] = True, True

    def band(top, left):
        inner = np.zeros((100, 100), bool)
        inner[top : top + 40, left : left + 40] = True
        inner[top + 3 : top + 37, left + 3 : left + 37] = False
        return inner

    expected = (band(30, 30) & band(30, 32)).sum() / (band(30, 30) | band(30, 32)).sum()
    assert boundary_iou(shifted, mask) == pytest.approx(expected)
    assert boundary_iou(mask, mask) == 1
    assert boundary_iou(~mask & ~mask & False, np.zeros((100, 100), bool)) == 1
    assert boundary_iou(np.zeros((100, 100), bool), mask) == 0


def test_image_border_counts_as_contour():
    full, inner = np.ones((100, 100), bool), np.zeros((100, 100), bool)
    inner[3:97, 3:97] = True  # just the band of the full mask is missing
    distance = cv2.distanceTransform(np.pad(full, 1).astype(np.uint8), cv2.DIST_C, 3)[1:-1, 1:-1]
    assert np.array_equal(distance <= 3, full & ~inner)
    assert boundary_iou(inner, full) == 0


class Brightness(nn.Module):
    """Red as logit."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, photos):
        return photos[:, :1] * self.gain


def test_score_runs_all_batches_and_ignores_padding():
    preprocessing = Preprocessing(64)
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((64, 64, 3), (32, 64, 3), (64, 20, 3))]
    photos = torch.from_numpy(np.stack([preprocessing.fit_photo(picture) for picture in pictures]))
    masks = torch.from_numpy(np.stack([preprocessing.fit_mask(picture[..., 0] > 123.7) for picture in pictures]))
    pixels, boundaries = PixelCounts(), BoundaryScores()
    score(Brightness(), photos, masks, preprocessing, [pixels, boundaries], batch_size=2)
    assert pixels.scores().pixels == sum(picture.shape[0] * picture.shape[1] for picture in pictures)
    assert pixels.scores().f1() == 1.0 and pixels.scores().auroc == 1.0
    assert boundaries.scores == [1.0, 1.0, 1.0] and boundaries.mean == 1.0


def test_roc_points_are_few_and_on_the_curve():
    """Against scikit-learn's curve, every point of it."""
    rng = np.random.default_rng(0)
    truth = rng.random(20_000) < 0.3
    logits = rng.normal(truth * 1.5, 1).astype(np.float32)
    scores = scores_of(torch.from_numpy(logits), torch.from_numpy(truth.astype(np.uint8)))
    points = scores.roc_curve()
    false, true = points.false_positive_rate, points.true_positive_rate
    assert 150 < len(false) == len(true) <= 200 and (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    expected_false, expected_true, _ = roc_curve(truth, logits)
    np.testing.assert_allclose(true, np.interp(false, expected_false, expected_true), atol=6e-3)
    assert np.trapezoid(true, false) == pytest.approx(scores.auroc, abs=1e-3)
    assert np.hypot(np.diff(false), np.diff(true)).max() < 0.02


def test_unlabelled_pixels_are_ignored():
    """Cut off around and inside, as if the photo ended there."""
    rng = np.random.default_rng(0)
    prediction, truth = rng.random((30, 40)) < 0.5, rng.random((30, 40)) < 0.5
    mask = np.full((50, 60), IGNORE, np.uint8)
    mask[5:35, 10:50] = truth
    around = rng.random((50, 60)) < 0.5
    around[5:35, 10:50] = prediction
    whole, part = MaskCounts(), MaskCounts()
    assert whole.add(around, mask) == part.add(prediction, truth)
    assert whole == part and part.pixels == 30 * 40
    mask[20, 20:30] = IGNORE
    whole = MaskCounts()
    whole.add(around, mask)
    assert whole.pixels == 30 * 40 - 10
    counted = (mask != IGNORE) & around & (mask == 0)
    assert whole.scores().false_hair == pytest.approx(counted.sum() / whole.pixels)
    nothing = MaskCounts()
    nothing.add(around, np.full((50, 60), IGNORE, np.uint8))
    assert nothing.pixels == 0 and nothing.scores().false_hair_interval is None and nothing.scores().median_f1 is None
