"""The paper's figures 3, 4 and 5, and ROC and precision-recall curves, as PNG files."""

from io import BytesIO
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hairseg.evaluation.metrics import PixelScores
from hairseg.files import write_bytes
from hairseg.paper import VARIANT_COLOURS

matplotlib.use("Agg")

COLUMNS = 4  # of worst.png

CURVE_POINTS = 2000


def draw_comparison(path: Path, rows: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> None:
    """Figure 3: random mask, photo, pretrained mask; one row per photo.

    Args:
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


def draw_history(path: Path, history: list[dict], title: str, chosen_epoch: int) -> None:
    """Figures 4 and 5: loss, F1 and AUROC per epoch, on training and test photos.

    Args:
        history: records of history.json.
        chosen_epoch: the epoch whose weights are kept, marked by a line.
    """
    figure = Figure(figsize=(10, 3), layout="constrained")
    figure.suptitle(title, fontsize=11)
    epochs = [record["epoch"] for record in history]
    labels = {"loss": "loss (MSE)", "f1": "F1", "auroc": "AUROC"}
    for axis, (score, label) in zip(figure.subplots(1, 3), labels.items(), strict=True):
        for split, colour in (("train", "#1d4ed8"), ("test", "#c2410c")):
            values = [np.nan if record[split][score] is None else record[split][score] for record in history]
            axis.plot(epochs, values, marker="o", markersize=3, color=colour, label=split)
        axis.axvline(chosen_epoch, color="0.6", linestyle=":", label="kept")
        axis.set(xlabel="epoch", title=label)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    _save(figure, path)


def draw_roc(path: Path, scores: dict[str, PixelScores]) -> None:
    """ROC curve of each variant, pooled over pixels."""
    figure = Figure(figsize=(4.5, 4.2), layout="constrained")
    axis = figure.subplots()
    for variant, pixels in scores.items():
        axis.plot(*_thin(*pixels.roc), color=VARIANT_COLOURS[variant], label=f"{variant}, AUROC {pixels.auroc:.4f}")
    axis.plot([0, 1], [0, 1], color="0.7", linestyle=":")
    axis.set(xlabel="false positive rate", ylabel="true positive rate", title="ROC over pixels")
    axis.legend(loc="lower right", fontsize=9)
    _save(figure, path)


def draw_precision_recall(path: Path, scores: dict[str, PixelScores], threshold: float) -> None:
    """Precision-recall curve of each variant, pooled over pixels, with its F1 at that threshold of alpha."""
    figure = Figure(figsize=(4.5, 4.2), layout="constrained")
    axis = figure.subplots()
    for variant, pixels in scores.items():
        precision, recall = _thin(*pixels.precision_recall)
        axis.plot(recall, precision, color=VARIANT_COLOURS[variant], label=f"{variant}, F1 {pixels.f1(threshold):.4f}")
    axis.set(xlabel="recall", ylabel="precision", title="Precision and recall over pixels", ylim=(0, 1.02))
    axis.legend(loc="lower left", fontsize=9)
    _save(figure, path)


def draw_reliability(path: Path, scores: dict[str, PixelScores]) -> None:
    """Share of hair among the pixels of an alpha, and share of pixels that have that alpha."""
    figure = Figure(figsize=(4.5, 4.8), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    for variant, pixels in scores.items():
        alpha, hair, share = pixels.reliability()
        upper.plot(
            alpha,
            hair,
            marker="o",
            markersize=3,
            color=VARIANT_COLOURS[variant],
            label=f"{variant}, ECE {pixels.calibration_error:.4f}",
        )
        lower.plot(alpha, share, marker="o", markersize=3, color=VARIANT_COLOURS[variant])
    upper.plot([0, 1], [0, 1], color="0.7", linestyle=":")
    upper.set(ylabel="share of hair", title="Reliability of alpha")
    upper.legend(loc="upper left", fontsize=9)
    lower.set(xlabel="alpha", ylabel="share of pixels", yscale="log")
    _save(figure, path)


def draw_worst(path: Path, rows: list[tuple[str, np.ndarray, np.ndarray, np.ndarray]]) -> None:
    """Photos with the true hair's contour in white and the found hair's in magenta.

    Args:
        rows: (title, uint8 RGB photo, true mask, found mask), the last three of one height and width.
    """
    lines = -(-len(rows) // COLUMNS)
    figure = Figure(figsize=(2.6 * COLUMNS, 2.8 * lines), layout="constrained")
    figure.suptitle("white: true hair, magenta: found", fontsize=10)
    for axis in figure.subplots(lines, COLUMNS, squeeze=False).flat:
        axis.set_axis_off()
    for axis, (title, photo, mask, found) in zip(figure.axes, rows, strict=False):
        axis.imshow(photo)
        for region, colour in ((mask, "white"), (found, "magenta")):
            if region.any() and not region.all():
                axis.contour(region, [0.5], colors=colour, linewidths=1)
        axis.set_title(title, fontsize=8)
    _save(figure, path)


def _thin(*curves: np.ndarray) -> tuple[np.ndarray, ...]:
    """At most `CURVE_POINTS` of each curve, evenly along it, both ends kept."""
    kept = np.unique(np.linspace(0, len(curves[0]) - 1, CURVE_POINTS).astype(int))
    return tuple(curve[kept] for curve in curves)


def _save(figure: Figure, path: Path) -> None:
    png = BytesIO()
    figure.savefig(png, format="png", dpi=110)
    write_bytes(path, png.getvalue())
