"""The paper's figures 3, 4 and 5, curves over pixels, and the worst photos, as PNG files."""

import math
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hairseg.evaluation.metrics import PixelScores
from hairseg.files import write_bytes
from hairseg.paper import VARIANT_COLOURS
from hairseg.repository.metrics import EpochRecord

matplotlib.use("Agg")

WORST_COLUMNS = 4

MAX_CURVE_POINTS = 2000

SPLIT_COLOURS = {"train": "#1d4ed8", "test": "#c2410c"}


def draw_comparison(path: Path, rows: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> None:
    """Draw figure 3: random mask, photo, pretrained mask, one row per photo.

    Args:
        path: of the PNG file.
        rows: (random alpha, photo, pretrained alpha); alphas float in [0, 1], (height, width), photos uint8 RGB.
    """
    figure = Figure(figsize=(6, 2.05 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), 3, squeeze=False)
    for axis, title in zip(axes[0], ("random init", "photo", "pretrained"), strict=True):
        axis.set_title(title, fontsize=10)
    for row, pictures in zip(axes, rows, strict=True):
        for axis, picture in zip(row, pictures, strict=True):
            axis.imshow(picture, cmap="gray", vmin=0, vmax=1 if picture.ndim == 2 else None)
            axis.set_axis_off()
    _save(figure, path)


def draw_history(path: Path, history: Sequence[EpochRecord], title: str, chosen_epoch: int) -> None:
    """Draw figure 4 or 5: loss, F1 and AUROC per epoch, on training and test photos.

    Args:
        path: of the PNG file.
        history: one record per epoch.
        title: of the figure.
        chosen_epoch: the epoch whose weights are kept, marked by a line.
    """
    figure = Figure(figsize=(10, 3), layout="constrained")
    figure.suptitle(title, fontsize=11)
    epochs = [record["epoch"] for record in history]
    labels = {"loss": "loss (MSE)", "f1": "F1", "auroc": "AUROC"}
    for axis, (score, label) in zip(figure.subplots(1, 3), labels.items(), strict=True):
        for split, colour in SPLIT_COLOURS.items():
            scores = [record[split][score] for record in history]
            values = [np.nan if value is None else value for value in scores]
            axis.plot(epochs, values, marker="o", markersize=3, color=colour, label=split)
        axis.axvline(chosen_epoch, color="0.6", linestyle=":", label="kept")
        axis.set(xlabel="epoch", title=label)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    _save(figure, path)


def draw_roc(path: Path, scores: dict[str, PixelScores]) -> None:
    """Draw the ROC curve of each variant, pooled over pixels."""
    figure = Figure(figsize=(4.5, 4.2), layout="constrained")
    axis = figure.subplots()
    for variant, pixels in scores.items():
        axis.plot(*_thin(*pixels.roc), color=VARIANT_COLOURS[variant], label=f"{variant}, AUROC {pixels.auroc:.4f}")
    axis.plot([0, 1], [0, 1], color="0.7", linestyle=":")
    axis.set(xlabel="false positive rate", ylabel="true positive rate", title="ROC over pixels")
    axis.legend(loc="lower right", fontsize=9)
    _save(figure, path)


def draw_precision_recall(path: Path, scores: dict[str, PixelScores], threshold: float) -> None:
    """Draw the precision-recall curve of each variant, pooled over pixels, with its F1 at a threshold of alpha."""
    figure = Figure(figsize=(4.5, 4.2), layout="constrained")
    axis = figure.subplots()
    for variant, pixels in scores.items():
        precision, recall = _thin(*pixels.precision_recall)
        axis.plot(recall, precision, color=VARIANT_COLOURS[variant], label=f"{variant}, F1 {pixels.f1(threshold):.4f}")
    axis.set(xlabel="recall", ylabel="precision", title="Precision and recall over pixels", ylim=(0, 1.02))
    axis.legend(loc="lower left", fontsize=9)
    _save(figure, path)


def draw_reliability(path: Path, scores: dict[str, PixelScores]) -> None:
    """Draw the fraction of hair by alpha, and the fraction of pixels with that alpha."""
    figure = Figure(figsize=(4.5, 4.8), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    for variant, pixels in scores.items():
        alpha, hair, fraction = pixels.reliability()
        upper.plot(
            alpha,
            hair,
            marker="o",
            markersize=3,
            color=VARIANT_COLOURS[variant],
            label=f"{variant}, ECE {pixels.calibration_error:.4f}",
        )
        lower.plot(alpha, fraction, marker="o", markersize=3, color=VARIANT_COLOURS[variant])
    upper.plot([0, 1], [0, 1], color="0.7", linestyle=":")
    upper.set(ylabel="fraction of hair", title="Reliability of alpha")
    upper.legend(loc="upper left", fontsize=9)
    lower.set(xlabel="alpha", ylabel="fraction of pixels", yscale="log")
    _save(figure, path)


def draw_worst(path: Path, rows: Sequence[tuple[str, np.ndarray, np.ndarray, np.ndarray]]) -> None:
    """Draw photos with the contour of true hair in white and that of predicted hair in magenta.

    Args:
        path: of the PNG file.
        rows: (title, uint8 RGB photo, true mask, predicted mask), all of one height and width.
    """
    lines = math.ceil(len(rows) / WORST_COLUMNS)
    figure = Figure(figsize=(2.6 * WORST_COLUMNS, 2.8 * lines), layout="constrained")
    figure.suptitle("white: true hair, magenta: predicted", fontsize=10)
    for axis in figure.subplots(lines, WORST_COLUMNS, squeeze=False).flat:
        axis.set_axis_off()
    for axis, (title, photo, mask, prediction) in zip(figure.axes, rows, strict=False):
        axis.imshow(photo)
        for region, colour in ((mask, "white"), (prediction, "magenta")):
            if region.any() and not region.all():
                axis.contour(region, [0.5], colors=colour, linewidths=1)
        axis.set_title(title, fontsize=8)
    _save(figure, path)


def _thin(*curves: np.ndarray) -> tuple[np.ndarray, ...]:
    """Keep at most `MAX_CURVE_POINTS` of each curve, evenly spaced, both ends included."""
    kept = np.unique(np.linspace(0, len(curves[0]) - 1, MAX_CURVE_POINTS).astype(int))
    return tuple(curve[kept] for curve in curves)


def _save(figure: Figure, path: Path) -> None:
    png = BytesIO()
    figure.savefig(png, format="png", dpi=110)
    write_bytes(path, png.getvalue())
