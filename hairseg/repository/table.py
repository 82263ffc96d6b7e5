"""Model repositories side by side as text and as JSON."""

from collections.abc import Iterable
from dataclasses import asdict

from hairseg.repository.leaderboard import COMPARED, Group, Row, groups_of, score_of

NUMBERS = ["photos", "AUROC ", "F1 ", "worst ", "MB", "ms"]  # titles of columns of them; a star may follow a score

HEAD = ["model", "revision", "backbone", "variant", "recipe", *NUMBERS[:4], "group, photos", *NUMBERS[4:]]


def table(rows: Iterable[Row]) -> str:
    """The rows as lines of text, a line for each variant, with a star behind what is best in its group."""
    groups = groups_of(rows)
    parts = []
    for group in groups:
        lines = [HEAD]
        for row in group.rows:
            of_row = [row.name, row.revision or "-", row.backbone]
            size, speed = f"{row.megabytes:.1f}", "-" if row.milliseconds is None else f"{row.milliseconds:.0f}"
            for variant, known in row.variants.items():
                scores = [
                    _cell(score_of(row, variant, score)) + ("*" if group.is_best(row, variant, score) else " ")
                    for score in COMPARED
                ]
                kind = f"{known.worst_group}, {known.worst_images or '?'}" if known.worst_group else "-"
                trained = [variant, known.recipe or "-", str(known.trained_on or "-")]
                lines.append([*of_row, *trained, *scores, kind, size, speed])
                of_row, size, speed = ["", "", ""], "", ""
        parts.append("\n".join([heading(group, groups, "*"), *_aligned(lines)]))
    return "\n\n".join(parts)


def heading(group: Group, groups: list[Group], mark: str) -> str:
    """What a group's scores are of, and whether they can be compared; the mark is that of the best."""
    if group.photos is None:
        return "no scores: evaluate.py makes them"
    if group.is_compared:
        return f"{group.photos}; {mark} the best of them"
    has_others = any(other.photos for other in groups if other is not group)
    return f"not comparable with the others: {group.photos}" if has_others else str(group.photos)


def as_json(rows: Iterable[Row]) -> list[dict]:
    """The rows as JSON holds them: with what they can be compared, and where they are the best of those."""
    return [
        asdict(row)
        | {
            "compared_with": [other.name for other in group.rows if group.is_compared and other is not row],
            "best": [
                f"{variant}.{score}"
                for variant in row.variants
                for score in COMPARED
                if group.is_best(row, variant, score)
            ],
        }
        for group in groups_of(rows)
        for row in group.rows
    ]


def _aligned(lines: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if title in NUMBERS else cell.ljust(width)
            for cell, width, title in zip(line, widths, HEAD, strict=True)
        ).rstrip()
        for line in lines
    ]


def _cell(score: float | None) -> str:
    return "-" if score is None else f"{score:.4f}"
