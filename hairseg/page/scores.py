"""The tab "What pretraining is worth": scores, figures and model card from the files of the chosen model."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import gradio as gr
from gradio.route_utils import API_PREFIX

from hairseg.images import encode_jpeg
from hairseg.page.decoder import REGULAR
from hairseg.page.pictures import save_file
from hairseg.paper import PAPER_AUROC, VARIANTS

if TYPE_CHECKING:
    from hairseg.repository import ModelRepository
    from hairseg.repository.metrics import Metrics, PhotoType

T = TypeVar("T")

CLOSED: dict[str, Any] = {"open": False, "elem_classes": "section"}  # options of `gr.Accordion`

VARIANT_TITLES = {"pretrained": "Pretrained", "random": "From scratch"}

MAX_CARD_CHARACTERS = 200_000

NO_SCORES = "This model has no scores yet: `hairseg evaluate` writes them."

DATASETS = {
    "celebamask-hq": "portraits of celebrities",
    "celebamask-hq-hats": "portraits with hats",
    "figaro1k": "hair styles",
    "clothing-co-parsing": "street fashion",
    "lfw-parts": "photos from the news",
    "everyday": "everyday photos",
    "hair-types": "hair types",
}

FIGURES = {
    "figure4": "Training of the pretrained network",
    "figure5": "Training from scratch",
    "worst": "The worst cases: hair in white, what was found in magenta",
}

CURVES_LEGEND = (
    "Loss, F1 and AUROC after each epoch (one pass over the training photos). Training photos are usually augmented: "
    "scaled, rotated and relit at random. Test photos are not, so scores on training photos can be lower. A "
    "dotted line marks the epoch whose weights are served."
)

LEGEND = (
    "**F1** compares a mask with one drawn by hand: 100 % is the same mask. **False alarms** are pixels wrongly called "
    "hair. **AUROC** is how often a pixel of hair gets a higher value than another pixel; 50 % is chance."
)

INTERVALS = (
    "In brackets is the 95 % interval, in which the score would vary with other photos of the same type. "
    "The fewer the photos, the wider the interval."
)


def build_scores() -> list[Any]:
    """Build the empty tab.

    Returns:
        The components that show the values of `render_scores`, in the same order.
    """
    headline = gr.Markdown("The networks are being loaded.", elem_id="headline")
    with gr.Row(elem_id="transfer"):
        photos = gr.Slider(label="Training photos", visible=False, elem_id="training-photos")
        transfer = gr.Markdown(elem_id="transfer-result")
    table = gr.Markdown(elem_id="scores")
    with gr.Accordion("By type of photo, the hardest first", **CLOSED):
        groups = gr.Markdown(elem_id="groups")
    with gr.Accordion("Training curves", **CLOSED):
        gr.Markdown(CURVES_LEGEND)
        figures = gr.HTML(elem_id="figures", apply_default_css=False)
    with gr.Accordion("The model card", **CLOSED):
        card = gr.Markdown(elem_id="card")
    return [headline, photos, transfer, table, groups, figures, card]


def render_scores(repository: "ModelRepository", metrics: "Metrics") -> list[Any]:
    """Return the values of the components of `build_scores` for a model."""
    points = metrics.transfer.points() if metrics.transfer else []
    steps = gr.Slider(
        0, max(1, len(points) - 1), 0, step=1, visible=len(points) > 1, label="Training photos (move the slider)"
    )
    return [
        render_headline(metrics),
        steps,
        render_transfer(metrics, 0),
        render_test_scores(metrics),
        render_groups(metrics),
        "".join(render_figure(repository, name) for name in FIGURES),
        read_or_default(lambda: read_card(repository), "The card of this model is not text."),
    ]


def render_figure(repository: "ModelRepository", name: str) -> str:
    """Return a figure as HTML. The file is decoded like a visitor's photo, since it may be a stranger's."""
    path = repository.worst_photos if name == "worst" else repository.figure(name)
    file = read_or_default(lambda: save_file(f"{name}.jpg", encode_jpeg(REGULAR.load(path))), None)
    if file is None:
        return ""
    source = f"{API_PREFIX[1:]}/file={quote(file)}"  # relative to the page
    return f'<figure><img src="{source}" alt="{FIGURES[name]}"><figcaption>{FIGURES[name]}</figcaption></figure>'


def f1_on_whole_persons(metrics: "Metrics") -> dict[str, float] | None:
    """Return the F1 of both variants on photos of whole persons; None if not measured."""
    from hairseg.repository.photo_types import WHOLE_PERSONS  # imports PyTorch, and the page starts without it

    for photos in metrics.by_photo_type():
        if photos.name == WHOLE_PERSONS and not photos.is_labelled_by_agreement:
            f1 = {variant: score for variant in VARIANTS if (score := photos.scores(variant).f1) is not None}
            return f1 if len(f1) == len(VARIANTS) else None
    return None


def f1_captions(metrics: "Metrics") -> dict[str, str]:
    """Return the F1 on test photos by variant, as captions; empty unless both were measured."""
    f1 = {name: metrics.variants[name].f1 for name in VARIANTS if name in metrics.variants}
    captions = {name: f"F1 {format_percent(value, 0)}" for name, value in f1.items() if value is not None}
    return captions if len(captions) == len(VARIANTS) else {}


def render_headline(metrics: "Metrics") -> str:
    """Return up to three numbers and their meaning, as a Markdown table."""
    parts = []
    if persons := f1_on_whole_persons(metrics):
        parts.append(
            (
                format_percent(persons["pretrained"], 0),
                f"F1 on whole persons; {format_percent(persons['random'], 0)} from scratch",
            )
        )
    found = metrics.hairless.variants if metrics.hairless else {}
    false_alarms = {variant: format_percent(found[variant].mean, 1) for variant in VARIANTS if variant in found}
    if len(false_alarms) == len(VARIANTS):
        words = f"false alarms where there is no hair; {false_alarms['random']} from scratch"
        parts.append((false_alarms["pretrained"], words))
    if comparison := compare_photo_counts(metrics):
        parts.append(comparison)
    if not parts:
        return "" if metrics.variants else NO_SCORES
    return markdown_table([number for number, _ in parts], [[words for _, words in parts]])


def compare_photo_counts(metrics: "Metrics") -> tuple[str, str] | None:
    """Return the smallest number of photos with which pretrained runs match runs from scratch on all, and a caption.

    None if no pretrained run does, and for the short runs of versions up to 0.10.
    """
    from hairseg.repository.transfer import compare

    if metrics.transfer is None or not metrics.transfer.seeds or not (compared := compare(metrics.transfer)):
        return None
    total = f"{compared.all_photos:,} from scratch"
    if compared.better:
        scope = ", in every run" if len(metrics.transfer.seeds) > 1 else ""
        return f"{compared.better[0]:,} photos", f"with pretraining do better than {total}{scope}"
    if compared.overlapping:
        meaning = f"with pretraining may do as well as {total}: the ranges of F1 overlap"
        return f"{compared.overlapping[0]:,} photos", meaning
    return None


def render_transfer(metrics: "Metrics", step: int) -> str:
    """Return the F1 of both variants for a number of training photos, in Markdown.

    Args:
        metrics: Scores of the model.
        step: Position of the slider: an index of the numbers of photos.
    """
    from hairseg.repository.transfer import describe_experiment, summarise_transfer

    points = metrics.transfer.points() if metrics.transfer else []
    if not points or metrics.transfer is None:
        return ""
    point = points[min(int(step), len(points) - 1)]
    rows = [
        [VARIANT_TITLES[variant], format_percent(f1, 1, point.f1_range.get(variant))]
        for variant, f1 in point.f1.items()
    ]
    return (
        f"**Trained on {point.photos:,} photos:**\n\n{markdown_table(['network', 'F1'], rows)}\n\n"
        f"{summarise_transfer(metrics.transfer)}\n\n"
        f"This is a separate experiment. {describe_experiment(metrics.transfer)}"
    )


def render_test_scores(metrics: "Metrics") -> str:
    """Return the scores on test photos beside the paper's, in Markdown."""
    if not metrics.variants:
        return ""
    head = ["network", "F1", "AUROC", "AUROC in the paper"]
    rows = [
        [
            VARIANT_TITLES.get(variant, variant),
            format_percent(scores.f1, 1),
            format_percent(scores.auroc, 1),
            format_percent(PAPER_AUROC.get(variant), 1),
        ]
        for variant, scores in metrics.variants.items()
    ]
    dataset = DATASETS.get(metrics.dataset or "", metrics.dataset)
    return "\n\n".join(
        [
            f"### On {metrics.images or ''} test photos: {dataset}",
            markdown_table(head, rows),
            LEGEND,
            "Neither network was trained on these photos. Paper: B. Cesnik, *Segmentation of human hair* (2019/20).",
        ]
    )


def render_groups(metrics: "Metrics") -> str:
    """Return the scores by type of photo in Markdown, the hardest first, photos without hair last."""
    from hairseg.repository.photo_types import AGREEMENT_NOTE

    photo_types = metrics.by_photo_type()
    if not photo_types:
        return "This model has no scores by type of photo: `hairseg evaluate` writes them."
    by_people = [found for found in photo_types if not found.is_labelled_by_agreement]
    by_agreement = [found for found in photo_types if found.is_labelled_by_agreement]
    parts = [_photo_type_table(by_people)] if by_people else []
    if any(scores.f1_interval for found in by_people for scores in found.variants.values()):
        parts.append(INTERVALS)
    if by_agreement:
        parts.append(f"### Photos labelled by networks\n\n{AGREEMENT_NOTE}\n\n{_photo_type_table(by_agreement)}")
    return "\n\n".join(parts)


def _photo_type_table(photo_types: list["PhotoType"]) -> str:
    head = ["photos", *(f"{score}, {VARIANT_TITLES[v].lower()}" for score in ("F1", "false alarms") for v in VARIANTS)]
    rows = []
    for found in photo_types:
        scores = [found.scores(variant) for variant in VARIANTS]
        f1 = [format_percent(score.f1, 1, score.f1_interval) for score in scores]
        false_alarms = [format_percent(score.false_hair, 1, score.false_hair_interval) for score in scores]
        rows.append([_label(found), *f1, *false_alarms])
    return markdown_table(head, rows)


def _label(photos: "PhotoType") -> str:
    """Return the type of photo, its data set if there is only one, and the number of photos."""
    dataset = DATASETS.get(photos.datasets[0], photos.datasets[0]) if len(photos.datasets) == 1 else None
    count = f" ({photos.images} photo{'s' if photos.images > 1 else ''})" if photos.images else ""
    return ", ".join(part for part in (photos.name, dataset) if part) + count


def read_card(repository: "ModelRepository") -> str:
    """Return the model card without metadata, HTML and pictures, which the page does not serve."""
    if not repository.card.is_file():
        return "This model has no card."
    text = repository.card.read_text(encoding="utf-8")[:MAX_CARD_CHARACTERS]
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    text = re.sub(r"!\[[^]]{0,300}\]\([^)]{0,300}\)\s*|<!--.{0,300}?-->", "", text).replace("![", "[")
    text = re.sub(r"(`{3}|~{3})\s*mermaid", r"\1", text, flags=re.IGNORECASE)
    return re.sub(r"<(?=[a-z/!?])", "< ", text, flags=re.IGNORECASE)


def read_or_default(read: Callable[[], T], default: T) -> T:
    """Return what `read` returns, or the default if it fails: strangers' files may contain anything."""
    try:
        return read()
    except Exception:
        return default


def format_percent(fraction: float | None, digits: int, interval: tuple[float, float] | None = None) -> str:
    """Format a fraction, and its interval if it has one.

    Example:
        >>> format_percent(0.8822, 0), format_percent(0.8822, 1, (0.87, 0.8961)), format_percent(None, 1)
        ('88 %', '88.2 % (87.0 to 89.6)', '')
    """
    if fraction is None:
        return ""
    low_to_high = " to ".join(f"{100 * bound:.{digits}f}" for bound in interval or ())
    return f"{100 * fraction:.{digits}f} %" + (f" ({low_to_high})" if interval else "")


def markdown_table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
