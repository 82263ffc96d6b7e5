"""Counts first, then scores: AUROC, F1, IoU, MSE, Boundary IoU, and the curves behind them."""

from dataclasses import dataclass, field
from functools import cache

import cv2
import numpy as np
import torch

from hairseg.networks.preset import IGNORE

# Magnitudes of logits from 2^-16 to 2^8, each octave in 2^14 bins; in float32 an octave is 2^23 consecutive integers.
LOWEST, HIGHEST, FINENESS = (127 - 16) << 23, ((127 + 8) << 23) - 1, 9

BINS = 2 * (24 << 14)

BOUNDARY_SHARE = 0.02  # of the picture's diagonal


def _bin_of(logits: torch.Tensor) -> torch.Tensor:
    """Order-preserving bin of each logit, relatively 6e-5 wide; zero is the lower edge of bin BINS / 2."""
    magnitude = (logits.float().contiguous().view(torch.int32) & 0x7FFFFFFF).clamp(LOWEST, HIGHEST)
    offset = (magnitude - LOWEST) >> FINENESS
    return torch.where(logits < 0, BINS // 2 - 1 - offset, BINS // 2 + offset)


def f1_score(true_positives: int, false_positives: int, false_negatives: int) -> float:
    """F1, the Dice coefficient; 1 when there is no hair and none was found."""
    denominator = 2 * true_positives + false_positives + false_negatives
    return 2 * true_positives / denominator if denominator else 1.0


def iou_score(true_positives: int, false_positives: int, false_negatives: int) -> float:
    """Intersection over union, the Jaccard index; 1 when there is no hair and none was found."""
    union = true_positives + false_positives + false_negatives
    return true_positives / union if union else 1.0


@dataclass
class PixelCounts:
    """Histogram of logits per class, pooled over any number of pixels in 13 MB, from which every score follows.

    It lies on one device and is added to without waiting for it, so that a GPU never idles over its scores. Curves and
    AUROC differ from those of the single pixels by the ties within a bin, less than 1e-4 in AUROC.
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

    @property
    def pixels(self) -> int:
        return int(self.histogram.sum())

    @property
    def mse(self) -> float:
        """Mean squared error of the sigmoid, the paper's loss."""
        return float(self.squared_error) / self.pixels

    def confusion(self, threshold: float = 0.5) -> tuple[int, int, int]:
        """True positives, false positives and false negatives when alpha >= threshold is hair."""
        first = int(_bin_of(torch.logit(torch.tensor([threshold])))[0])
        false_positives, true_positives = (int(n) for n in self.histogram[:, first:].sum(1))
        return true_positives, false_positives, int(self.histogram[1].sum()) - true_positives

    def f1(self, threshold: float = 0.5) -> float:
        return f1_score(*self.confusion(threshold))

    def iou(self, threshold: float = 0.5) -> float:
        return iou_score(*self.confusion(threshold))

    def curve(self) -> tuple[np.ndarray, np.ndarray]:
        """Cumulative false and true positives, float64 (points,), from the highest threshold (0, 0) downwards."""
        counts = self.histogram.cpu().numpy()
        counts = counts[:, counts.any(axis=0)][:, ::-1]
        cumulative = np.cumsum(np.concatenate([np.zeros((2, 1)), counts], axis=1), axis=1)
        return cumulative[0], cumulative[1]

    @property
    def auroc(self) -> float | None:
        """Area under the ROC curve, ties counted half; None unless there are both hair and other pixels."""
        false_positives, true_positives = self.curve()
        if not false_positives[-1] or not true_positives[-1]:
            return None
        return float(np.trapezoid(true_positives / true_positives[-1], false_positives / false_positives[-1]))

    def roc_points(self, limit: int = 200) -> dict[str, list[float]]:
        """At most so many points of the ROC curve, evenly spaced along it, both ends among them; rates rounded to 1e-5."""
        false_positives, true_positives = self.curve()
        rates = np.stack([false_positives / false_positives[-1], true_positives / true_positives[-1]])
        way = np.concatenate([[0], np.abs(np.diff(rates)).sum(0).cumsum()])
        chosen = np.unique(np.searchsorted(way, np.linspace(0, way[-1], limit)).clip(max=len(way) - 1))
        names = "false_positive_rate", "true_positive_rate"
        return dict(zip(names, rates[:, chosen].round(5).tolist(), strict=True))

    def reliability(self, bins: int = 15) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """How often pixels of some alpha are hair, for equal ranges of alpha.

        Returns:
            Mean alpha and share of hair (nan where a range is empty), and the range's share of all pixels: float64 (bins,).
        """
        counts = self.histogram.cpu().numpy().astype(np.float64)
        alphas = _alphas_of_bins()
        ranges = np.minimum((alphas * bins).astype(int), bins - 1)
        total = np.bincount(ranges, counts.sum(0), bins)
        with np.errstate(invalid="ignore"):
            confidence = np.bincount(ranges, counts.sum(0) * alphas, bins) / total
            return confidence, np.bincount(ranges, counts[1], bins) / total, total / total.sum()

    @property
    def calibration_error(self) -> float:
        """Expected calibration error of alpha as the probability of hair (C. Guo et al., arXiv 1706.04599, equation 3)."""
        confidence, frequency, share = self.reliability()
        return float(np.nansum(share * np.abs(confidence - frequency)))


@cache
def _alphas_of_bins() -> np.ndarray:
    """Alpha in the middle of each bin of `_bin_of`, float64 (BINS,)."""
    bits = LOWEST + (np.arange(BINS // 2, dtype=np.int32) << FINENESS) + (1 << (FINENESS - 1))
    magnitudes = bits.view(np.float32).astype(np.float64)
    return 1 / (1 + np.exp(-np.concatenate([-magnitudes[::-1], magnitudes])))


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


def _labelled_part(prediction: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bool prediction and mask (height, width) without what is not labelled: cut off around, and no hair within."""
    labelled = mask != IGNORE
    rows, columns = np.flatnonzero(labelled.any(1)), np.flatnonzero(labelled.any(0))
    if not len(rows):
        return np.zeros((1, 1), bool), np.zeros((1, 1), bool)
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return (prediction & labelled)[part], mask[part] == 1


@dataclass
class MaskScores:
    """Scores of masks at the photos' own sizes: F1 and IoU pooled over pixels, Boundary IoU the mean over images."""

    true_positives: int = 0
    false_positives: int = 0
    false_negatives: int = 0
    pixels: int = 0  # labelled ones
    boundaries: list[float] = field(default_factory=list)
    per_photo: list[float] = field(default_factory=list)  # F1 of the photos with hair

    def add(self, prediction: np.ndarray, mask: np.ndarray) -> float:
        """Add an image: bool prediction and mask, bool or of {0, 1, IGNORE}, (height, width) each. Returns its own F1."""
        labelled = np.count_nonzero(mask != IGNORE)
        prediction, mask = _labelled_part(prediction, mask)
        counts = [int(np.count_nonzero(both)) for both in (prediction & mask, prediction & ~mask, ~prediction & mask)]
        self.true_positives += counts[0]
        self.false_positives += counts[1]
        self.false_negatives += counts[2]
        self.pixels += int(labelled)
        self.boundaries.append(boundary_iou(prediction, mask))
        own = f1_score(*counts)
        if mask.any():
            self.per_photo.append(own)
        return own

    def scores(self) -> dict[str, float | None]:
        """F1, IoU and Boundary IoU; the median of the photos' F1 (None where no photo has hair); and the share of all
        labelled pixels that is wrongly called hair."""
        counts = self.true_positives, self.false_positives, self.false_negatives
        return {
            "f1": f1_score(*counts),
            "iou": iou_score(*counts),
            "boundary_iou": float(np.mean(self.boundaries)),
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
        for alpha, mask in zip(torch.sigmoid(logits).cpu(), masks.cpu()):
            self.scores.append(boundary_iou(*_labelled_part((alpha >= self.threshold).numpy(), mask.numpy())))

    @property
    def mean(self) -> float:
        return float(np.mean(self.scores))
