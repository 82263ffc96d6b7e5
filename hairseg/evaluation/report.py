"""The scores of a repository as lines of text."""

from hairseg.paper import PAPER_AUROC


def table(metrics: dict) -> str:
    """The scores as lines of text, the paper's AUROC beside ours."""
    size = metrics["image_size"]
    lines = [
        f"{metrics['dataset']}, split {metrics['split']}, {metrics['images']} photos at {size} x {size}",
        f"{'variant':<12}{'AUROC':>8}{'paper':>8}{'F1':>8}{'IoU':>8}{'MSE':>8}{'Boundary IoU':>14}{'ECE':>8}",
    ]
    for variant, scores in metrics["variants"].items():
        auroc = f"{scores['auroc']:>8.4f}" if scores["auroc"] is not None else f"{'-':>8}"
        lines.append(
            f"{variant:<12}{auroc}{PAPER_AUROC[variant]:>8.4f}{scores['f1']:>8.4f}{scores['iou']:>8.4f}"
            f"{scores['mse']:>8.4f}{scores['boundary_iou']:>14.4f}{scores['calibration_error']:>8.4f}"
        )
    lines.append("paper: AUROC on its own 600 test photos of CelebAMask-HQ, DeepLabV3-ResNet101")

    parts = {
        "own size": metrics["own_size"],
        "own size, edges not refined": {
            variant: scores["unrefined"] for variant, scores in metrics["own_size"].items()
        },
    }
    parts |= {
        f"{kind}, {part['images']} photos": part["variants"] for kind, part in metrics.get("hair_types", {}).items()
    }
    parts |= {
        f"{group}, {part['images']} photos": part["variants"] for group, part in metrics.get("groups", {}).items()
    }
    parts |= {f"photo {part} of a scene": variants for part, variants in metrics.get("framing", {}).items()}
    lines += ["", f"{'':<28}{'variant':<12}{'F1':>8}{'IoU':>8}{'Boundary IoU':>14}"]
    for title, variants in parts.items():
        for variant, scores in variants.items():
            lines.append(
                f"{title:<28}{variant:<12}{scores['f1']:>8.4f}{scores['iou']:>8.4f}{scores['boundary_iou']:>14.4f}"
            )
            title = ""
    if "hairless" in metrics:
        lines += ["", f"called hair in {metrics['hairless']['images']} scenes without people:"]
        lines += [
            f"{variant:<12}{shares['mean']:.3%} of the pixels, {shares['worst']:.1%} in the worst scene"
            for variant, shares in metrics["hairless"]["variants"].items()
        ]
        for kind, part in metrics["hairless"].get("kinds", {}).items():
            shares = ", ".join(f"{variant} {shares['mean']:.3%}" for variant, shares in part["variants"].items())
            lines.append(f"{kind}, {part['images']}: {shares}")
    return "\n".join(lines)
