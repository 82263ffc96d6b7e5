"""Scores of a repository as text."""

from textwrap import fill

from hairseg.paper import PAPER_AUROC
from hairseg.repository.leaderboard import format_percentage, format_score, format_table
from hairseg.repository.metrics import DatasetMetrics, Metrics, PhotoType
from hairseg.repository.photo_types import AGREEMENT_NOTE

VARIANT_COLUMNS = ("variant", "AUROC", "paper", "F1", "IoU", "MSE", "Boundary IoU", "ECE")

FULL_RESOLUTION_COLUMNS = ("full resolution", "variant", "F1", "IoU", "Boundary IoU")


def format_report(metrics: Metrics) -> str:
    """Format the scores on every data set as text, the paper's AUROC beside ours."""
    parts = [_format_dataset(scored) for scored in (metrics, *metrics.others)]
    photo_types, variants = metrics.by_photo_type(), list(metrics.variants)
    if by_people := [found for found in photo_types if not found.is_labelled_by_agreement]:
        parts.append(_format_photo_types(by_people, variants))
    if metrics.hairless:
        false_hair = [
            f"{variant} {format_percentage(found.mean)}, in the worst {format_percentage(found.worst)}"
            for variant, found in metrics.hairless.variants.items()
        ]
        parts.append(
            f"pixels labelled as hair in {metrics.hairless.images} photos without people: {'; '.join(false_hair)}"
        )
    if by_agreement := [found for found in photo_types if found.is_labelled_by_agreement]:
        parts.append(f"{fill(AGREEMENT_NOTE, 120)}\n{_format_photo_types(by_agreement, variants)}")
    return "\n\n".join(parts)


def _format_dataset(metrics: DatasetMetrics) -> str:
    variants = []
    for variant, found in metrics.variants.items():
        scores = (found.auroc, PAPER_AUROC[variant], found.f1, found.iou, found.mse)
        variants.append([variant, *map(format_score, (*scores, found.boundary_iou, found.calibration_error))])
    full_resolution = [
        [title, variant, *map(format_score, (found.f1, found.iou, found.boundary_iou))]
        for variant, scores in metrics.full_resolution.items()
        for title, found in (("refined", scores), ("not refined", scores.unrefined))
    ]
    return "\n".join(
        (
            str(metrics.photos),
            format_table(VARIANT_COLUMNS, variants, VARIANT_COLUMNS[1:]),
            "paper: AUROC on its own 600 test photos of CelebAMask-HQ, DeepLabV3-ResNet101",
            "",
            format_table(FULL_RESOLUTION_COLUMNS, full_resolution, FULL_RESOLUTION_COLUMNS[2:]),
        )
    )


def _format_photo_types(photo_types: list[PhotoType], variants: list[str]) -> str:
    columns = [f"{score}, {variant}" for score in ("F1", "false hair") for variant in variants]
    lines = []
    for found in photo_types:
        scores = [found.scores(variant) for variant in variants]
        f1 = [format_score(score.f1, score.f1_interval) for score in scores]
        false_hair = [format_percentage(score.false_hair, score.false_hair_interval) for score in scores]
        lines.append([found.label, ", ".join(found.datasets), *f1, *false_hair])
    return format_table(("type of photo, the worst first", "data sets", *columns), lines, columns)
