"""Score a model repository on the photos of a data set: metrics.json, figure 3, and the curves."""

from pathlib import Path

from hairseg.datasets import Pair, load_pair
from hairseg.figures import PAPER_AUROC, draw_comparison, draw_precision_recall, draw_roc
from hairseg.metrics import BoundaryScores, PixelCounts, score
from hairseg.prediction import HairPredictor
from hairseg.repository import write_json
from hairseg.training import Split

FIGURE3_PHOTOS = 4


def evaluate(predictor: HairPredictor, dataset: str, split: str, pairs: list[Pair], arrays: Split, output: Path) -> dict:
    """Score every variant and write metrics.json and figures below `output`.

    Pixels of all images are pooled, at the network's input size; Boundary IoU is the mean over images.

    Args:
        dataset, split: what the scores are called.
        pairs: the photos scored.
        arrays: the same photos as `datasets.load_arrays` gives them.

    Returns:
        The contents of metrics.json.
    """
    threshold, preset = predictor.config.threshold, predictor.config.preset
    counts, scores = {}, {}
    for variant, network in predictor.networks.items():
        pixels, boundaries = PixelCounts(), BoundaryScores(threshold)
        score(network, arrays.photos, arrays.masks, preset, [pixels, boundaries])
        counts[variant] = pixels
        scores[variant] = {
            "auroc": pixels.auroc, "f1": pixels.f1(threshold), "iou": pixels.iou(threshold), "mse": pixels.mse,
            "boundary_iou": boundaries.mean,
        }
    metrics = {
        "dataset": dataset, "split": split, "images": len(pairs), "image_size": preset.image_size, "variants": scores,
    }
    write_json(output / "metrics.json", metrics)

    figures = output / "figures"
    with_both_classes = {variant: pixels for variant, pixels in counts.items() if pixels.auroc is not None}
    if with_both_classes:
        draw_roc(figures / "roc.png", with_both_classes)
        draw_precision_recall(figures / "precision_recall.png", with_both_classes)
    if counts.keys() == {"pretrained", "random"}:
        rows = []
        for pair in pairs[:: max(1, len(pairs) // FIGURE3_PHOTOS)][:FIGURE3_PHOTOS]:
            photo, _ = load_pair(pair, dataset)
            alphas = predictor.alphas(photo)
            rows.append((alphas["random"], photo, alphas["pretrained"]))
        draw_comparison(figures / "figure3.png", rows)
    return metrics


def table(metrics: dict) -> str:
    """The scores as lines of text, the paper's AUROC beside ours."""
    size = metrics["image_size"]
    lines = [
        f"{metrics['dataset']}, split {metrics['split']}, {metrics['images']} photos at {size} x {size}",
        f"{'variant':<12}{'AUROC':>8}{'paper':>8}{'F1':>8}{'IoU':>8}{'MSE':>8}{'Boundary IoU':>14}",
    ]
    for variant, scores in metrics["variants"].items():
        auroc = f"{scores['auroc']:>8.4f}" if scores["auroc"] is not None else f"{'-':>8}"
        lines.append(
            f"{variant:<12}{auroc}{PAPER_AUROC[variant]:>8.4f}{scores['f1']:>8.4f}{scores['iou']:>8.4f}"
            f"{scores['mse']:>8.4f}{scores['boundary_iou']:>14.4f}"
        )
    lines.append("paper: AUROC on its own 600 test photos of CelebAMask-HQ, DeepLabV3-ResNet101")
    return "\n".join(lines)
