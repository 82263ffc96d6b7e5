"""The scores of a repository as lines of text."""

from hairseg.paper import PAPER_AUROC

SCORES = ("f1", "iou", "boundary_iou")


def table(metrics: dict) -> str:
    """The scores of metrics.json as lines of text, the paper's AUROC beside ours."""
    size = metrics["image_size"]
    lines = [
        f"{metrics['dataset']}, split {metrics['split']}, {metrics['images']} photos at {size} x {size}",
        f"{'variant':<12}{'AUROC':>8}{'paper':>8}{'F1':>8}{'IoU':>8}{'MSE':>8}{'Boundary IoU':>14}{'ECE':>8}",
    ]
    for variant, scores in metrics["variants"].items():
        values = scores["auroc"], PAPER_AUROC[variant], scores["f1"], scores["iou"], scores["mse"]
        lines.append(
            f"{variant:<12}{''.join(map(_cell, values))}{_cell(scores['boundary_iou'], 14)}"
            f"{_cell(scores['calibration_error'])}"
        )
    lines.append("paper: AUROC on its own 600 test photos of CelebAMask-HQ, DeepLabV3-ResNet101")

    groups = {
        "own size": metrics["own_size"],
        "own size, edges not refined": {
            variant: scores["unrefined"] for variant, scores in metrics["own_size"].items()
        },
    }
    groups |= {
        f"{kind}, {of_type['images']} photos": of_type["variants"]
        for kind, of_type in metrics.get("hair_types", {}).items()
    }
    groups |= {
        f"{group}, {of_group['images']} photos": of_group["variants"]
        for group, of_group in metrics.get("groups", {}).items()
    }
    groups |= {f"photo {share} of a scene": variants for share, variants in metrics.get("framing", {}).items()}
    lines += ["", f"{'':<28}{'variant':<12}{'F1':>8}{'IoU':>8}{'Boundary IoU':>14}"]
    for title, variants in groups.items():
        for variant, scores in variants.items():
            f1, iou, boundary_iou = (scores[name] for name in SCORES)
            lines.append(f"{title:<28}{variant:<12}{_cell(f1)}{_cell(iou)}{_cell(boundary_iou, 14)}")
            title = ""
    if "hairless" in metrics:
        lines += ["", f"called hair in {metrics['hairless']['images']} scenes without people:"]
        lines += [
            f"{variant:<12}{shares['mean']:.3%} of the pixels, {shares['worst']:.1%} in the worst scene"
            for variant, shares in metrics["hairless"]["variants"].items()
        ]
        for kind, of_kind in metrics["hairless"].get("kinds", {}).items():
            shares = ", ".join(f"{variant} {shares['mean']:.3%}" for variant, shares in of_kind["variants"].items())
            lines.append(f"{kind}, {of_kind['images']}: {shares}")
    return "\n".join(lines)


def _cell(score: float | None, width: int = 8) -> str:
    return f"{'-' if score is None else format(score, '.4f'):>{width}}"
