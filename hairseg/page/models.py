"""The tab "Models": a comparison of the served models, and the files of the chosen one."""

from typing import TYPE_CHECKING, Any

import gradio as gr

from hairseg.page.registry import ModelRegistry, ServedModel
from hairseg.page.scores import VARIANT_TITLES, format_percent, markdown_table, read_or_default
from hairseg.paper import VARIANTS

if TYPE_CHECKING:
    from hairseg.repository.leaderboard import ComparisonGroup, Row

UNKNOWN = "-"

TIME_TITLE = "time per photo (ms)"

LEGEND = (
    "F1 and AUROC are those of the models' own files, on photos that the networks were not trained on. Models are "
    "comparable only if their test photos are the same. ★ marks the best of comparable models. "
    "The time is that of both networks for a small photo, measured when the model was loaded."
)


def build_models() -> gr.Markdown:
    """Build the empty tab, which shows the value of `render_models`."""
    return gr.Markdown("The networks are being loaded.", elem_id="leaderboard")


def render_models(models: ModelRegistry, chosen: str | None) -> str:
    """Return the comparison of the models and the files of the chosen one, in Markdown."""
    from hairseg.repository.leaderboard import comparison_groups, read_row

    rows = [read_row(model.repository, model.name, _commit(model)) for model in models]
    columns = [_column(row, group, models) for group in comparison_groups(rows) for row in group.rows]
    titles = ["model", "backbone", "recipe", "training photos", *_score_titles(), "MB", TIME_TITLE, "test photos"]
    head, *lines = [[title, *(column[index] for column in columns)] for index, title in enumerate(titles)]
    model = models.find(chosen)
    return f"{markdown_table(head, lines)}\n\n{LEGEND}\n\n### In use: {model}\n\n{_files(model)}"


def _score_titles() -> list[str]:
    return [f"{score}, {VARIANT_TITLES[variant].lower()}" for variant in VARIANTS for score in ("F1", "AUROC")]


def _column(row: "Row", group: "ComparisonGroup", models: ModelRegistry) -> list[str]:
    """Return the cells of one model. Markup in them is escaped."""
    from hairseg.repository.records import sanitise

    revision = f" ({row.revision})" if row.revision else ""
    variants = row.variants.values()
    trained_on = [f"{variant.trained_on:,}" if variant.trained_on else None for variant in variants]
    scores = [_score(row, group, variant, score) for variant in VARIANTS for score in ("f1", "auroc")]
    facts = [f"{row.name}{revision}", row.backbone, _join([variant.recipe for variant in variants])]
    milliseconds = models.milliseconds_per_photo.get(row.name)
    speed = UNKNOWN if milliseconds is None else f"{milliseconds:.0f}"
    cells = [*facts, _join(trained_on), *scores, f"{row.megabytes:.1f}", speed, str(row.photos or UNKNOWN)]
    return [sanitise(cell) for cell in cells]


def _score(row: "Row", group: "ComparisonGroup", variant: str, score: str) -> str:
    value = row.score(variant, score)
    if value is None:
        return UNKNOWN
    return format_percent(value, 1) + (" ★" if group.is_best(row, variant, score) else "")


def _join(values: list[str | None]) -> str:
    """Join the values of both variants; equal values are listed once."""
    return " / ".join(dict.fromkeys(value or UNKNOWN for value in values))


def _commit(model: ServedModel) -> str | None:
    return ((model.source and model.source.commit) or "")[:7] or None


def _files(model: ServedModel) -> str:
    from hairseg.repository.records import sanitise

    def rows() -> list[list[str]]:
        folder = model.repository.folder
        files = [(name, (folder / name).stat().st_size) for name in model.repository.files()]
        return [[sanitise(name), f"{size / 1e6:.2f}"] for name, size in files]

    found: list[list[Any]] = read_or_default(rows, [])
    return markdown_table(["file", "MB"], found) if found else "Its files cannot be listed."
