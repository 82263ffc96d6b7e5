"""The tab "Models": a comparison of the served models, and the files of the chosen one."""

from typing import TYPE_CHECKING, Any

import gradio as gr

from hairseg.page.registry import ModelRegistry, ServedModel
from hairseg.page.scores import CLOSED, DATASETS, VARIANT_TITLES, format_percent, markdown_table, read_or_default
from hairseg.paper import VARIANTS

if TYPE_CHECKING:
    from hairseg.repository.leaderboard import ComparisonGroup, Row
    from hairseg.repository.metrics import ScoredPhotos

UNKNOWN = "-"

LEGEND = (
    "**Backbone**: the classifier that the network is built on. **Recipe**: the training settings: `paper` as "
    "published, `modern` with stronger augmentation, `finetune` for a trained model and more types of photos. "
    "**Weights**: the size of both networks. **Engine**: what runs them. **Time**: of both networks for a "
    "small photo, measured on this server when the model was loaded.\n\n"
    "F1 and AUROC are from the models' own files, on photos that the networks were not trained on. "
    "Models are comparable only if their test photos are the same; ★ marks the best of comparable models."
)

FILE_CONTENTS = {
    "README.md": "model card",
    "config.json": "architecture, preprocessing, training settings",
    "metrics.json": "scores on test photos",
    "model.safetensors": "weights",
    "model.onnx": "the network for ONNX Runtime",
    "history.json": "scores after each epoch",
}


def build_models() -> list[gr.Markdown]:
    """Build the empty tab.

    Returns:
        The components that show the values of `render_models`, in the same order.
    """
    board = gr.Markdown("The networks are being loaded.", elem_id="leaderboard")
    with gr.Accordion("Files", **CLOSED):
        files = gr.Markdown(elem_id="files")
    return [board, files]


def render_models(models: ModelRegistry, chosen: str | None) -> list[str]:
    """Return the comparison of the models and the files of the chosen one, in Markdown."""
    from hairseg.repository.leaderboard import comparison_groups, read_row

    rows = [read_row(model.repository, model.name, _commit(model)) for model in models]
    columns = [_column(row, group, models) for group in comparison_groups(rows) for row in group.rows]
    facts = ["model", "backbone", "recipe", "training photos"]
    titles = [*facts, *_score_titles(), "weights (MB)", "engine", "time per photo (ms)", "test photos"]
    head, *lines = [[title, *(column[index] for column in columns)] for index, title in enumerate(titles)]
    model = models.find(chosen)
    return [f"{markdown_table(head, lines)}\n\n{LEGEND}", f"In use: {model}\n\n{_files(model)}"]


def _score_titles() -> list[str]:
    return [f"{score}, {VARIANT_TITLES[variant].lower()}" for variant in VARIANTS for score in ("F1", "AUROC")]


def _column(row: "Row", group: "ComparisonGroup", models: ModelRegistry) -> list[str]:
    """Return the cells of one model. Markup in them is escaped."""
    from hairseg.inference.engines import ENGINE_TITLES
    from hairseg.repository.records import sanitise

    revision = f" ({row.revision})" if row.revision else ""
    variants = row.variants.values()
    trained_on = [f"{variant.trained_on:,}" if variant.trained_on else None for variant in variants]
    scores = [_score(row, group, variant, score) for variant in VARIANTS for score in ("f1", "auroc")]
    facts = [f"{row.name}{revision}", row.backbone, _join([variant.recipe for variant in variants])]
    measured = models.measured.get(row.name)
    speed = [ENGINE_TITLES[measured.engine], f"{measured.milliseconds:,.0f}"] if measured else [UNKNOWN, UNKNOWN]
    cells = [*facts, _join(trained_on), *scores, f"{row.megabytes:.1f}", *speed, _describe(row.photos)]
    return [sanitise(cell) for cell in cells]


def _describe(photos: "ScoredPhotos | None") -> str:
    if photos is None:
        return UNKNOWN
    dataset = DATASETS.get(photos.dataset, photos.dataset)
    split = "" if photos.split == "test" else f", split {photos.split}"
    return f"{photos.images:,} {dataset}{split}, at {photos.image_size} x {photos.image_size} pixels"


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
        return [
            [sanitise(name), FILE_CONTENTS.get(name.rpartition("/")[2], "figure"), f"{size / 1e3:,.0f}"]
            for name, size in files
        ]

    found: list[list[Any]] = read_or_default(rows, [])
    return markdown_table(["file", "content", "kB"], found) if found else "Its files cannot be listed."
