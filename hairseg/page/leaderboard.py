"""The tab "Models": what the page serves side by side, by the models' own files."""

from collections.abc import Sequence
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING

import gradio as gr

from hairseg.page.models import Models
from hairseg.page.speeds import Speeds
from hairseg.paper import VARIANTS

if TYPE_CHECKING:  # they take PyTorch along, which the page starts without
    from hairseg.repository.leaderboard import ComparisonGroup, Row

BEST = '<span class="best">★</span><span class="visually-hidden"> the best of these</span>'

UNKNOWN = "-"

SCORES = {"auroc": "AUROC", "f1": "F1", "worst_f1": "F1 on the worst kind"}

KNOWN, COSTS = (
    ("Model", "Backbone", "Recipe", "Photos learnt from"),
    ("MB", "ms a photo"),
)  # columns before and after the scores

LEGEND = (
    "Scores are those of the models' own files, of photos that the networks did not learn from; the worst kind of "
    "those photos is the one with the lowest F1, with the number of its photos. MB are those of both networks' files, "
    "ms what both masks of a photo of 1 megapixel take on this machine while nobody uses the page."
)


def leaderboard() -> gr.HTML:
    """Build the tab, empty. `html_of` fills it."""
    return gr.HTML(
        "<p>Waiting for the networks.</p>",
        js_on_load="hairseg.leaderboard(element, trigger)",
        elem_id="leaderboard",
        apply_default_css=False,
    )


def html_of(models: Models, speeds: Speeds, chosen: str) -> str:
    """The table, a row for each model; where there are several, each but the chosen one has a button to choose it."""
    from hairseg.repository.leaderboard import comparison_groups, read_row

    commits = {model.name: ((model.source and model.source.commit) or "")[:7] or None for model in models}
    rows = [
        replace(read_row(model.repository, model.name, commits[model.name]), milliseconds=speeds.of(model.name))
        for model in models
    ]
    groups = comparison_groups(rows)
    bodies = "".join(_body(group, groups, chosen if len(rows) > 1 else None) for group in groups)
    return f"<table>{_head()}{bodies}</table><p>{LEGEND}</p>"


def _head() -> str:
    known, costs = (
        "".join(f'<th rowspan="2" scope="col">{title}</th>' for title in titles) for titles in (KNOWN, COSTS)
    )
    variants = "".join(f'<th colspan="{len(SCORES)}" scope="colgroup">{variant}</th>' for variant in VARIANTS)
    scores = "".join(f'<th scope="col">{title}</th>' for title in SCORES.values()) * len(VARIANTS)
    return f"<thead><tr>{known}{variants}{costs}</tr><tr>{scores}</tr></thead>"


def _body(group: "ComparisonGroup", groups: "list[ComparisonGroup]", chosen: str | None) -> str:
    columns = len(KNOWN) + len(SCORES) * len(VARIANTS) + len(COSTS)
    title = escape(group.heading("★", sum(other.photos is not None for other in groups) == 1))
    rows = "".join(_row(row, group, chosen) for row in group.rows)
    return f'<tbody><tr class="group"><th colspan="{columns}" scope="rowgroup">{title}</th></tr>{rows}</tbody>'


def _row(row: "Row", group: "ComparisonGroup", chosen: str | None) -> str:
    name = f"<b>{escape(row.name)}</b>" + (f" <small>{row.revision}</small>" if row.revision else "")
    if chosen == row.name:
        name += ' <span class="in-use">in use</span>'
    elif chosen is not None:
        name += f' <button type="button" data-model="{escape(row.name)}">Use it</button>'
    trained_on = [f"{known.trained_on:,}" if known.trained_on else None for known in row.variants.values()]
    cells = [
        ("Backbone", escape(row.backbone)),
        ("Recipe", _together([known.recipe for known in row.variants.values()])),
        ("Photos learnt from", _together(trained_on)),
        *(
            (f"{variant}: {title}", _score(row, group, variant, score))
            for variant in VARIANTS
            for score, title in SCORES.items()
        ),
        ("MB", f"{row.megabytes:.1f}"),
        ("ms a photo", "not measured yet" if row.milliseconds is None else f"{row.milliseconds:.0f}"),
    ]
    return (
        f'<tr><th scope="row">{name}</th>'
        + "".join(f'<td data-title="{title}"><span>{content}</span></td>' for title, content in cells)
        + "</tr>"
    )


def _score(row: "Row", group: "ComparisonGroup", variant: str, score: str) -> str:
    known = row.variants.get(variant)
    value = known and getattr(known, score)
    if known is None or value is None:
        return UNKNOWN
    kind = f"{known.worst_group or ''}, {known.worst_images or '?'}"
    return (
        f"{value:.4f}"
        + (BEST if group.is_best(row, variant, score) else "")
        + (f" <small>{escape(kind)}</small>" if score == "worst_f1" else "")
    )


def _together(values: Sequence[str | None]) -> str:
    """What both variants have in common once, else one after the other."""
    return escape(" / ".join(dict.fromkeys(value or UNKNOWN for value in values)))
