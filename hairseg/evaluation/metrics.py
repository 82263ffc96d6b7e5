"""Counts first, then scores: AUROC, F1, IoU, MSE, Boundary IoU, and the curves behind them."""

from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np
import torch
from sklearn.metrics import auc, precision_recall_curve, roc_curve

from hairseg.networks.preprocessing import IGNORE

# Magnitudes of logits from 2^-16 to 2^8, each octave in 2^14 bins; in float32 an octave is 2^23 consecutive integers.
LOWEST, HIGHEST, FINENESS = (127 - 16) << 23, ((127 + 8) << 23) - 1, 9

BINS = 2 * (24 << 14)

BOUNDARY_SHARE = 0.02  # of the picture's diagonal

RELIABILITY_BINS = 15

ROC_POINTS = 200  # of the curve that metrics.json holds


def f1_and_iou(true_positives: int, false_positives: int, false_negatives: int) -> tuple[float | None, float | None]:
    """F1 (the Dice coefficient) and intersection over union (the Jaccard index); None where there is no hair to find.

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
    """Histogram of logits per class, pooled over any number of pixels in 13 MB, from which every score follows.

    It lies on one device and is added to without waiting for it, so that a GPU never idles over its scores. Curves and
    AUROC differ from those of the single pixels by the ties within a bin, less than 1e-4 in AUROC.

    Example:
        >>> counts = PixelCounts()
        >>> counts.update(torch.tensor([2.0, -1.0, -3.0]), torch.tensor([1, 1, 0]))
        >>> counts.scores().auroc, counts.scores().f1()
        (1.0, 0.6666666666666666)
    """

    device: torch.device | str = "cpu"
    histogram: torch.Tensor = field(init=False)  # int64 (2, BINS): not hair, hair
    squared_error: torch.Tensor = field(init=False)  # float64, sum over pixels of (sigmoid(logit) - mask)^2

    def __post_init__(self):
        self.histogram = torch.zeros(2, BINS, dtype=torch.int64, device=self.device)
        self.squared_error = torch.zeros((), dtype=torch.float64, device=self.device)

    def update(self, logits: torch.Tensor, masks: torch.Tensor) -> None:
        """Add pixels: float logits and {0, 1, IGNORE} masks, both of any one shape and on the counts' device."""
        keep = masks != IGNORE
        hair = (masks == 1).long()
        self.histogram.view(-1).scatter_add_(0, (_bin_of(logits) + hair * BINS).flatten(), keep.long().flatten())
        error = (torch.sigmoid(logits.float()) - hair) * keep
        self.squared_error += error.square().sum(dtype=torch.float64)

    def scores(self) -> "PixelScores":
        """The scores of all pixels so far, computed on the CPU."""
        histogram = self.histogram.cpu().numpy()
        truth, bins = np.nonzero(histogram)
        return PixelScores(truth == 1, _logits_of(bins), histogram[truth, bins], float(self.squared_error))


@dataclass(frozen=True)
class PixelScores:
    """Scores and curves of pooled pixels; all arrays are of one length, the number of occupied bins."""

    truth: np.ndarray  # bool: are the bin's pixels hair?
    logits: np.ndarray  # float64: in the middle of the bin
    counts: np.ndarray  # int64: pixels in the bin
    squared_error: float

    @property
    def pixels(self) -> int:
        return int(self.counts.sum())

    @property
    def mse(self) -> float | None:
        """Mean squared error of the sigmoid, the paper's loss; None without pixels."""
        return self.squared_error / self.pixels if self.pixels else None

    @property
    def has_both_classes(self) -> bool:
        return bool(self.truth.any() and not self.truth.all())

    def f1(self, threshold: float = 0.5) -> float | None:
        """F1 when alpha >= threshold is hair; None without hair."""
        return f1_and_iou(*self._confusion(threshold))[0]

    def iou(self, threshold: float = 0.5) -> float | None:
        """Intersection over union when alpha >= threshold is hair; None without hair."""
        return f1_and_iou(*self._confusion(threshold))[1]

    def _confusion(self, threshold: float) -> tuple[int, int, int]:
        found = self.logits >= np.log(threshold / (1 - threshold))
        hits, false_alarms, misses = (
            int(self.counts[where].sum()) for where in (self.truth & found, ~self.truth & found, self.truth & ~found)
        )
        return hits, false_alarms, misses

    @cached_property
    def roc(self) -> tuple[np.ndarray, np.ndarray]:
        """False and true positive rates, float64 (points,), from the highest threshold downwards."""
        return roc_curve(self.truth, self.logits, sample_weight=self.counts, drop_intermediate=False)[:2]

    @property
    def auroc(self) -> float | None:
        """Area under the ROC curve, ties counted half; None unless there are both hair and other pixels."""
        return float(auc(*self.roc)) if self.has_both_classes else None

    def roc_points(self) -> dict[str, list[float]]:
        """At most `ROC_POINTS` of the ROC curve, evenly spaced along it, with both ends; rates rounded to 1e-5."""
        rates = np.stack(self.roc)
        length = np.concatenate([[0], np.abs(np.diff(rates)).sum(0).cumsum()])
        chosen = np.unique(np.searchsorted(length, np.linspace(0, length[-1], ROC_POINTS)).clip(max=len(length) - 1))
        names = "false_positive_rate", "true_positive_rate"
        return dict(zip(names, rates[:, chosen].round(5).tolist(), strict=True))

    @cached_property
    def precision_recall(self) -> tuple[np.ndarray, np.ndarray]:
        """Precision and recall, float64 (points,), from the lowest threshold upwards."""
        return precision_recall_curve(self.truth, self.logits, sample_weight=self.counts)[:2]

    def reliability(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """How often pixels of an alpha are hair, for `RELIABILITY_BINS` equal ranges of alpha.

        Returns:
            Mean alpha, share of hair, and share of all pixels, of each range that is not empty: float64 (ranges,).
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
        alpha, hair, share = self.reliability()
        return float(np.sum(share * np.abs(alpha - hair)))


def _bin_of(logits: torch.Tensor) -> torch.Tensor:
    """Order-preserving bin of each logit, relatively 6e-5 wide; zero is the lower edge of bin BINS / 2."""
    magnitude = (logits.float().contiguous().view(torch.int32) & 0x7FFFFFFF).clamp(LOWEST, HIGHEST)
    offset = (magnitude - LOWEST) >> FINENESS
    return torch.where(logits < 0, BINS // 2 - 1 - offset, BINS // 2 + offset)


def _logits_of(bins: np.ndarray) -> np.ndarray:
    """Logit in the middle of each bin of `_bin_of`, float64."""
    is_positive = bins >= BINS // 2
    offset = np.where(is_positive, bins - BINS // 2, BINS // 2 - 1 - bins)
    magnitude = (LOWEST + (offset << FINENESS) + (1 << (FINENESS - 1))).astype(np.int32).view(np.float32)
    return np.where(is_positive, magnitude, -magnitude).astype(np.float64)


def boundary_iou(prediction: np.ndarray, mask: np.ndarray, share: float = BOUNDARY_SHARE) -> float:
    """Boundary IoU of two bool masks (height, width); 1 when both are empty.

    IoU of the pixels of each mask that lie within `share` of the diagonal of its contour, from inside.
    B. Cheng et al., "Boundary IoU", CVPR 2021, equation 2; the picture's border counts as contour as in their code.
    """
    distance = max(1, round(share * np.hypot(*mask.shape)))

    def boundary(region: np.ndarray) -> np.ndarray:
        region = cv2.copyMakeBorder(region.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        eroded = cv2.erode(region, np.ones((3, 3), np.uint8), iterations=distance)
        return (region - eroded)[1:-1, 1:-1].astype(bool)

    ours, theirs = boundary(prediction), boundary(mask)
    union = np.count_nonzero(ours | theirs)
    return np.count_nonzero(ours & theirs) / union if union else 1.0


def _labelled_region(prediction: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bool prediction and mask (height, width) without what is not labelled: cut off around, and no hair within."""
    labelled = mask != IGNORE
    rows, columns = np.flatnonzero(labelled.any(1)), np.flatnonzero(labelled.any(0))
    if not len(rows):
        return np.zeros((1, 1), bool), np.zeros((1, 1), bool)
    region = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return (prediction & labelled)[region], mask[region] == 1


@dataclass
class MaskScores:
    """Scores of masks at the photos' own sizes: F1 and IoU pooled over pixels, Boundary IoU the mean over images."""

    true_positives: int = 0
    false_positives: int = 0
    false_negatives: int = 0
    pixels: int = 0  # labelled ones
    boundaries: list[float] = field(default_factory=list)
    per_photo: list[float] = field(default_factory=list)  # F1 of the photos with hair

    def add(self, prediction: np.ndarray, mask: np.ndarray) -> float | None:
        """Add an image.

        Args:
            prediction: bool (height, width).
            mask: the same size, bool or of {0, 1, IGNORE}.

        Returns:
            Its own F1, None without hair.
        """
        self.pixels += int(np.count_nonzero(mask != IGNORE))
        prediction, mask = _labelled_region(prediction, mask)
        counts = [int(np.count_nonzero(both)) for both in (prediction & mask, prediction & ~mask, ~prediction & mask)]
        self.true_positives += counts[0]
        self.false_positives += counts[1]
        self.false_negatives += counts[2]
        self.boundaries.append(boundary_iou(prediction, mask))
        f1, _ = f1_and_iou(*counts)
        if f1 is not None:
            self.per_photo.append(f1)
        return f1

    def scores(self) -> dict[str, float | None]:
        """F1, IoU, Boundary IoU, and the median of the photos' F1, None where no photo has hair; and the share of all
        labelled pixels that is wrongly called hair."""
        f1, iou = f1_and_iou(self.true_positives, self.false_positives, self.false_negatives)
        return {
            "f1": f1,
            "iou": iou,
            "boundary_iou": None if f1 is None else float(np.mean(self.boundaries)),
            "median_f1": float(np.median(self.per_photo)) if self.per_photo else None,
            "false_hair": self.false_positives / max(1, self.pixels),
        }


@dataclass
class BoundaryScores:
    """Boundary IoU of each image at the network's input size, padding cut off."""

    threshold: float = 0.5
    scores: list[float] = field(default_factory=list)

    def update(self, logits: torch.Tensor, masks: torch.Tensor) -> None:
        """Add images: float logits and {0, 1, IGNORE} masks, both (batch, height, width)."""
        for alpha, mask in zip(torch.sigmoid(logits).cpu(), masks.cpu(), strict=True):
            self.scores.append(boundary_iou(*_labelled_region((alpha >= self.threshold).numpy(), mask.numpy())))

    @property
    def mean(self) -> float | None:
        """The mean over images; None without any."""
        return float(np.mean(self.scores)) if self.scores else None
