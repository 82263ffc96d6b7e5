"""Streaming metrics: AUROC, F1, IoU, MSE, calibration error, Boundary IoU, and the curves behind them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.metrics import auc, precision_recall_curve, roc_curve
from torch import nn

from hairseg.networks.devices import autocast
from hairseg.networks.preprocessing import IGNORE, Preprocessing
from hairseg.repository.metrics import RocCurve, Scores

# Bins hold logits of magnitude 2^-16 to 2^8, 2^14 bins to an octave. Bounds are bit patterns of float32, where an
# octave is 2^23 consecutive integers; shifting by 9 bits leaves the bin.
MIN_MAGNITUDE_BITS, MAX_MAGNITUDE_BITS, BIN_SHIFT = (127 - 16) << 23, ((127 + 8) << 23) - 1, 9

BINS = 2 * (24 << 14)

BOUNDARY_FRACTION = 0.02

RELIABILITY_BINS = 15

MAX_ROC_POINTS = 200

RESAMPLES = 1000  # for a bootstrap interval
MIN_PHOTOS_FOR_INTERVAL = 5


def f1_and_iou(true_positives: int, false_positives: int, false_negatives: int) -> tuple[float | None, float | None]:
    """F1 (the Dice coefficient) and intersection over union (the Jaccard index); None without true hair.

    Example:
        >>> f1_and_iou(2, 1, 1)
        (0.6666666666666666, 0.5)
        >>> f1_and_iou(0, 7, 0)
        (None, None)
    """
    if not true_positives + false_negatives:
        return None, None
    wrong = false_positives + false_negatives
    return 2 * true_positives / (2 * true_positives + wrong), true_positives / (true_positives + wrong)


@dataclass
class PixelCounts:
    """Histogram of logits per class, in 13 MB for any number of pixels.

    Updates do not synchronise with the device, so a GPU never waits for them. Logits within a bin count as ties, which
    changes AUROC by less than 1e-4.

    Args:
        device: device of the histogram.

    Example:
        >>> counts = PixelCounts()
        >>> counts.update(torch.tensor([2.0, -1.0, -3.0]), torch.tensor([1, 1, 0]))
        >>> counts.scores().auroc, counts.scores().f1()
        (1.0, 0.6666666666666666)
    """

    device: torch.device | str = "cpu"
    histogram: torch.Tensor = field(init=False)
    squared_error: torch.Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.histogram = torch.zeros(2, BINS, dtype=torch.int64, device=self.device)
        self.squared_error = torch.zeros((), dtype=torch.float64, device=self.device)

    def update(self, logits: torch.Tensor, masks: torch.Tensor) -> None:
        """Add pixels.

        Args:
            logits: float, of any shape, on the histogram's device.
            masks: of {0, 1, IGNORE}, the same shape and device.
        """
        keep = masks != IGNORE
        hair = (masks == 1).long()
        self.histogram.view(-1).scatter_add_(0, (_bin_of(logits) + hair * BINS).flatten(), keep.long().flatten())
        error = (torch.sigmoid(logits.float()) - hair) * keep
        self.squared_error += error.square().sum(dtype=torch.float64)

    def add_all(self, other: "PixelCounts") -> None:
        """Add the pixels of other counts."""
        self.histogram += other.histogram
        self.squared_error += other.squared_error

    def __getstate__(self) -> tuple[str, np.ndarray, np.ndarray, float]:
        histogram = self.histogram.view(-1).cpu().numpy()
        occupied = np.flatnonzero(histogram)  # a small part of the bins
        return str(self.device), occupied, histogram[occupied], float(self.squared_error)

    def __setstate__(self, state: tuple[str, np.ndarray, np.ndarray, float]) -> None:
        self.device, occupied, counts, squared_error = state
        self.__post_init__()
        self.histogram.view(-1)[torch.tensor(occupied)] = torch.tensor(counts).to(self.device)
        self.squared_error += squared_error

    def scores(self) -> "PixelScores":
        """Return the scores of all pixels so far."""
        histogram = self.histogram.cpu().numpy()
        truth, bins = np.nonzero(histogram)
        return PixelScores(truth == 1, _logits_of(bins), histogram[truth, bins], float(self.squared_error))


@dataclass(frozen=True)
class PixelScores:
    """Scores and curves of pooled pixels.

    Attributes:
        truth: bool (occupied bins,), whether a bin's pixels are hair.
        logits: float64 (occupied bins,), the middle of each bin.
        counts: int64 (occupied bins,), pixels in each bin.
        squared_error: sum over pixels of (sigmoid(logit) - truth)^2.
    """

    truth: np.ndarray
    logits: np.ndarray
    counts: np.ndarray
    squared_error: float

    @property
    def pixels(self) -> int:
        """Number of labelled pixels."""
        return int(self.counts.sum())

    @property
    def mse(self) -> float | None:
        """Mean squared error of the sigmoid, the paper's loss; None without pixels."""
        return self.squared_error / self.pixels if self.pixels else None

    @property
    def has_both_classes(self) -> bool:
        """Whether hair and background are both present."""
        return bool(self.truth.any() and not self.truth.all())

    def f1(self, threshold: float = 0.5) -> float | None:
        """Return F1 where alpha >= threshold is hair; None without true hair."""
        return f1_and_iou(*self._confusion(threshold))[0]

    def iou(self, threshold: float = 0.5) -> float | None:
        """Return intersection over union where alpha >= threshold is hair; None without true hair."""
        return f1_and_iou(*self._confusion(threshold))[1]

    def _confusion(self, threshold: float) -> tuple[int, int, int]:
        """True positives, false positives, false negatives."""
        found = self.logits >= np.log(threshold / (1 - threshold))
        return (
            int(self.counts[self.truth & found].sum()),
            int(self.counts[~self.truth & found].sum()),
            int(self.counts[self.truth & ~found].sum()),
        )

    @cached_property
    def roc(self) -> tuple[np.ndarray, np.ndarray]:
        """False and true positive rates, float64 (points,), from the highest threshold downwards."""
        return roc_curve(self.truth, self.logits, sample_weight=self.counts, drop_intermediate=False)[:2]

    @property
    def auroc(self) -> float | None:
        """Area under the ROC curve; ties count half. None unless both classes are present."""
        return float(auc(*self.roc)) if self.has_both_classes else None

    def roc_curve(self) -> RocCurve:
        """Return at most `MAX_ROC_POINTS` of the ROC curve, evenly spaced along it, rates rounded to 1e-5."""
        rates = np.stack(self.roc)
        length = np.concatenate([[0], np.abs(np.diff(rates)).sum(0).cumsum()])
        spaced = np.searchsorted(length, np.linspace(0, length[-1], MAX_ROC_POINTS))
        false_positive_rate, true_positive_rate = rates[:, np.unique(spaced.clip(max=len(length) - 1))].round(5)
        return RocCurve(
            false_positive_rate=false_positive_rate.tolist(), true_positive_rate=true_positive_rate.tolist()
        )

    @cached_property
    def precision_recall(self) -> tuple[np.ndarray, np.ndarray]:
        """Precision and recall, float64 (points,), from the lowest threshold upwards."""
        return precision_recall_curve(self.truth, self.logits, sample_weight=self.counts)[:2]

    def reliability(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return how often pixels are hair, for `RELIABILITY_BINS` equal ranges of alpha.

        Returns:
            Mean alpha, fraction of hair, and fraction of all pixels, of each occupied range: float64 (ranges,).
        """
        alphas = 1 / (1 + np.exp(-self.logits))
        ranges = np.minimum((alphas * RELIABILITY_BINS).astype(int), RELIABILITY_BINS - 1)
        total = np.bincount(ranges, self.counts)
        occupied = total > 0
        alpha, hair = (
            np.bincount(ranges, self.counts * values)[occupied] / total[occupied] for values in (alphas, self.truth)
        )
        return alpha, hair, total[occupied] / total.sum()

    @property
    def calibration_error(self) -> float | None:
        """Expected calibration error of alpha as the probability of hair; None without pixels.

        C. Guo et al., "On Calibration of Modern Neural Networks", arXiv 1706.04599, equation 3.
        """
        if not self.pixels:
            return None
        alpha, hair, fraction = self.reliability()
        return float(np.sum(fraction * np.abs(alpha - hair)))


def _bin_of(logits: torch.Tensor) -> torch.Tensor:
    """Order-preserving bin of each logit, with a relative width of 6e-5; bin BINS / 2 starts at zero."""
    bits = (logits.float().contiguous().view(torch.int32) & 0x7FFFFFFF).clamp(MIN_MAGNITUDE_BITS, MAX_MAGNITUDE_BITS)
    offset = (bits - MIN_MAGNITUDE_BITS) >> BIN_SHIFT
    return torch.where(logits < 0, BINS // 2 - 1 - offset, BINS // 2 + offset)


def _logits_of(bins: np.ndarray) -> np.ndarray:
    """Logit in the middle of each bin of `_bin_of`, float64."""
    is_positive = bins >= BINS // 2
    offset = np.where(is_positive, bins - BINS // 2, BINS // 2 - 1 - bins)
    bits = MIN_MAGNITUDE_BITS + (offset << BIN_SHIFT) + (1 << (BIN_SHIFT - 1))
    magnitude = bits.astype(np.int32).view(np.float32)
    return np.where(is_positive, magnitude, -magnitude).astype(np.float64)


def boundary_iou(prediction: np.ndarray, mask: np.ndarray, fraction: float = BOUNDARY_FRACTION) -> float:
    """Boundary IoU of two masks: the IoU of their pixels near their own contours.

    B. Cheng et al., "Boundary IoU", CVPR 2021, equation 2. As in their code, the image border counts as contour.

    Args:
        prediction: bool (height, width).
        mask: bool (height, width).
        fraction: width of the band inside the contour, in image diagonals.

    Returns:
        From 0 to 1; 1 where both masks are empty.
    """
    distance = max(1, round(fraction * np.hypot(*mask.shape)))

    def boundary(region: np.ndarray) -> np.ndarray:
        padded = cv2.copyMakeBorder(region.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        eroded = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=distance)
        return (padded - eroded)[1:-1, 1:-1].astype(bool)

    predicted, true = boundary(prediction), boundary(mask)
    union = np.count_nonzero(predicted | true)
    return np.count_nonzero(predicted & true) / union if union else 1.0


def _crop_to_labels(prediction: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Crop a prediction and its mask to the labelled pixels; unlabelled ones within become no hair. Both are bool."""
    labelled = mask != IGNORE
    rows, columns = np.flatnonzero(labelled.any(1)), np.flatnonzero(labelled.any(0))
    if not len(rows):
        return np.zeros((1, 1), bool), np.zeros((1, 1), bool)
    region = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return (prediction & labelled)[region], mask[region] == 1


def bootstrap_interval(numerators: ArrayLike, denominators: ArrayLike) -> tuple[float, float] | None:
    """Compute the 95 % percentile bootstrap interval of sum(numerators) / sum(denominators) over photos.

    B. Efron, "Bootstrap Methods: Another Look at the Jackknife", 1979, with `RESAMPLES` resamples of the photos.

    Args:
        numerators: one per photo.
        denominators: one per photo.

    Returns:
        The 2.5th and 97.5th percentile; None for fewer than `MIN_PHOTOS_FOR_INTERVAL` photos, or if all denominators
        are 0.
    """
    terms = np.stack([np.asarray(numerators, float), np.asarray(denominators, float)])
    photos = terms.shape[1]
    if photos < MIN_PHOTOS_FOR_INTERVAL or not terms[1].any():
        return None
    resampled = np.random.default_rng(0).integers(photos, size=(RESAMPLES, photos))
    numerator, denominator = terms[:, resampled].sum(2)
    low, high = np.percentile(numerator[denominator > 0] / denominator[denominator > 0], (2.5, 97.5))
    return float(low), float(high)


@dataclass
class MaskCounts:
    """Counts of masks at full resolution. F1 and IoU pool all pixels, Boundary IoU is the mean over photos.

    Attributes:
        counts: true positives, false positives, false negatives and labelled pixels of each photo.
        boundary_ious: Boundary IoU of each photo.
    """

    counts: list[tuple[int, int, int, int]] = field(default_factory=list)
    boundary_ious: list[float] = field(default_factory=list)

    @property
    def pixels(self) -> int:
        """Number of labelled pixels."""
        return sum(labelled for *_, labelled in self.counts)

    def add(self, prediction: np.ndarray, mask: np.ndarray) -> float | None:
        """Add a photo.

        Args:
            prediction: bool (height, width).
            mask: the same size, bool or of {0, 1, IGNORE}.

        Returns:
            The photo's own F1; None without true hair.
        """
        labelled = int(np.count_nonzero(mask != IGNORE))
        prediction, mask = _crop_to_labels(prediction, mask)
        true_positives = int(np.count_nonzero(prediction & mask))
        false_positives = int(np.count_nonzero(prediction & ~mask))
        false_negatives = int(np.count_nonzero(~prediction & mask))
        self.counts.append((true_positives, false_positives, false_negatives, labelled))
        self.boundary_ious.append(boundary_iou(prediction, mask))
        return f1_and_iou(true_positives, false_positives, false_negatives)[0]

    def add_all(self, other: "MaskCounts") -> None:
        """Add the photos of other counts."""
        self.counts += other.counts
        self.boundary_ious += other.boundary_ious

    def f1_per_photo(self) -> list[float | None]:
        """Return the F1 of each photo; None without true hair."""
        return [f1_and_iou(*counts)[0] for *counts, _ in self.counts]

    def scores(self) -> Scores:
        """Return the scores of all photos so far; those that need true hair are None without any."""
        true_positives, false_positives, false_negatives, labelled = np.array(self.counts, np.int64).reshape(-1, 4).T
        f1, iou = f1_and_iou(*(int(column.sum()) for column in (true_positives, false_positives, false_negatives)))
        f1_per_photo = [found for found in self.f1_per_photo() if found is not None]
        wrong = false_positives + false_negatives
        return Scores(
            f1=f1,
            iou=iou,
            boundary_iou=None if f1 is None else float(np.mean(self.boundary_ious)),
            median_f1=float(np.median(f1_per_photo)) if f1_per_photo else None,
            false_hair=int(false_positives.sum()) / max(1, int(labelled.sum())),
            f1_interval=None if f1 is None else bootstrap_interval(2 * true_positives, 2 * true_positives + wrong),
            false_hair_interval=bootstrap_interval(false_positives, labelled),
        )


@dataclass
class BoundaryScores:
    """Boundary IoU of each photo at the network's input size, without the padding.

    Args:
        threshold: alpha from which a pixel is hair.
    """

    threshold: float = 0.5
    scores: list[float] = field(default_factory=list)

    def update(self, logits: torch.Tensor, masks: torch.Tensor) -> None:
        """Add photos: float logits and masks of {0, 1, IGNORE}, both (batch, height, width)."""
        for alpha, mask in zip(torch.sigmoid(logits).cpu(), masks.cpu(), strict=True):
            self.scores.append(boundary_iou(*_crop_to_labels((alpha >= self.threshold).numpy(), mask.numpy())))

    @property
    def mean(self) -> float | None:
        """Mean over photos; None without any."""
        return float(np.mean(self.scores)) if self.scores else None


@torch.inference_mode()
def score(
    network: nn.Module,
    photos: torch.Tensor,
    masks: torch.Tensor,
    preprocessing: Preprocessing,
    metrics: Sequence[PixelCounts | BoundaryScores],
    batch_size: int = 16,
    precision: str = "mixed",
) -> None:
    """Run a network over photos and update metrics with its logits.

    Args:
        network: switched to evaluation mode.
        photos: uint8 (photos, height, width, 3), as `load_arrays` returns them.
        masks: of {0, 1, IGNORE}, (photos, height, width).
        preprocessing: of the network.
        metrics: all of them are updated with every batch.
        batch_size: photos in a forward pass.
        precision: as for `autocast`.
    """
    network.eval()
    device = next(network.parameters()).device
    for start in range(0, len(photos), batch_size):
        batch = photos[start : start + batch_size].to(device)
        with autocast(device, precision):
            logits = network(preprocessing.normalise(batch))[:, 0].float()
        for metric in metrics:
            metric.update(logits, masks[start : start + batch_size].to(device))
