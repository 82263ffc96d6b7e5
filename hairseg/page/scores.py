"""The tab "What pretraining is worth": what the files of the chosen model say, in three numbers, tables and figures."""

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

TITLES = {"pretrained": "Pretrained", "random": "From scratch"}

LONGEST_CARD = 200_000  # characters

NO_SCORES = "This model has no scores yet: `hairseg evaluate` writes them."

WHOLE_PERSON = "whole person"

DATASETS = {
    "celebamask-hq": "portraits of celebrities",
    "celebamask-hq-hats": "portraits with hats",
    "figaro1k": "hair styles",
    "clothing-co-parsing": "street fashion",
}

FIGURES = {
    "figure4": "Training of the pretrained network",
    "figure5": "Training from scratch",
    "worst": "The worst cases: hair in white, what was found in magenta",
}

EXPLANATION = (
    "**F1** compares a mask with one drawn by hand: 100 % is the same mask. **False alarms** are pixels wrongly called "
    "hair. **AUROC** is how often a pixel of hair gets a higher value than another pixel; 50 % is chance."
)


def build_scores() -> list[Any]:
    """Build the tab, empty. Returns the components that `show_scores` fills, in its order."""
    headline = gr.Markdown("The networks are being loaded.", elem_id="headline")
    with gr.Row(elem_id="transfer"):
        photos = gr.Slider(label="Training photos", visible=False, elem_id="training-photos")
        transfer = gr.Markdown(elem_id="transfer-result")
    table = gr.Markdown(elem_id="scores")
    groups = gr.Markdown(elem_id="groups")
    figures = gr.HTML(elem_id="figures", apply_default_css=False)
    with gr.Accordion("The model card", open=False):
        card = gr.Markdown(elem_id="card")
    return [headline, photos, transfer, table, groups, figures, card]


def show_scores(repository: "ModelRepository", metrics: "Metrics") -> list[Any]:
    """Return what the tab shows of a model, for the components of `build_scores`."""
    f1 = transfer_f1(metrics)
    steps = gr.Slider(0, max(1, len(f1) - 1), 0, step=1, visible=len(f1) > 1, label="Training photos (move the slider)")
    return [
        headline_of(metrics),
        steps,
        transfer_of(metrics, 0),
        table_of(metrics),
        groups_of(metrics),
        "".join(figure_of(repository, name) for name in FIGURES),
        read_or(lambda: card_of(repository), "The card of this model is not text."),
    ]


def figure_of(repository: "ModelRepository", name: str) -> str:
    """Return HTML of a figure. It is decoded like a visitor's photo, since it may be a stranger's file."""
    path = repository.worst_photos if name == "worst" else repository.figure(name)
    file = read_or(lambda: save_file(f"{name}.jpg", encode_jpeg(REGULAR.load(path))), None)
    if file is None:
        return ""
    source = f"{API_PREFIX[1:]}/file={quote(file)}"  # relative to the page
    return f'<figure><img src="{source}" alt="{FIGURES[name]}"><figcaption>{FIGURES[name]}</figcaption></figure>'


def f1_on_whole_persons(metrics: "Metrics") -> dict[str, float] | None:
    """Return the F1 of both variants on photos of whole persons, if the model was scored on such."""
    for scored in (metrics, *metrics.others):
        if WHOLE_PERSON in scored.groups:
            scores = scored.groups[WHOLE_PERSON].variants
            f1 = {variant: scores[variant].f1 for variant in VARIANTS if variant in scores}
            found = {variant: value for variant, value in f1.items() if value is not None}
            return found if len(found) == len(VARIANTS) else None
    return None


def f1_captions(metrics: "Metrics") -> dict[str, str]:
    """Return the F1 on test photos by variant, for captions; empty unless both are known."""
    f1 = {name: metrics.variants[name].f1 for name in VARIANTS if name in metrics.variants}
    captions = {name: f"F1 {percent(value, 0)} on test photos" for name, value in f1.items() if value is not None}
    return captions if len(captions) == len(VARIANTS) else {}


def headline_of(metrics: "Metrics") -> str:
    """Return up to three numbers in Markdown."""
    parts = []
    persons = f1_on_whole_persons(metrics)
    if persons:
        parts.append(
            (percent(persons["pretrained"], 0), f"F1 on whole persons; {percent(persons['random'], 0)} from scratch")
        )
    found = metrics.hairless.variants if metrics.hairless else {}
    false = {variant: percent(found[variant].mean, 1) for variant in VARIANTS if variant in found}
    if len(false) == len(VARIANTS):
        parts.append((false["pretrained"], f"false alarms where there is no hair; {false['random']} from scratch"))
    saved = photos_saved(metrics)
    if saved:
        parts.append(saved)
    if not parts:
        return "" if metrics.variants else NO_SCORES
    return markdown_table([number for number, _ in parts], [[words for _, words in parts]])


def photos_saved(metrics: "Metrics") -> tuple[str, str] | None:
    """Return how many photos pretrained reach what all photos from scratch do."""
    f1 = transfer_f1(metrics)
    if not f1:
        return None
    most = max(f1)
    enough = next((photos for photos in sorted(f1) if f1[photos]["pretrained"] >= f1[most]["random"]), None)
    if enough is None:
        return None
    return f"{enough} photos", f"are enough, pretrained, for more than {most:,} from scratch, at equal training time"


def transfer_f1(metrics: "Metrics") -> dict[int, dict[str, float]]:
    """Return the F1 of both variants by number of training photos, in ascending order; empty if not measured."""
    f1 = metrics.transfer.f1 if metrics.transfer else {}
    by_photos: dict[int, dict[str, float]] = {}
    for variant in VARIANTS:
        for photos, score in f1.get(variant, {}).items():
            if score is not None and photos.isdecimal() and len(photos) < 10:
                by_photos.setdefault(int(photos), {})[variant] = score
    return {photos: by_photos[photos] for photos in sorted(by_photos) if len(by_photos[photos]) == len(VARIANTS)}


def transfer_of(metrics: "Metrics", step: int) -> str:
    """Return what both networks reach with a number of training photos, and why it differs from the table."""
    f1, about = transfer_f1(metrics), metrics.transfer
    if not f1 or about is None:
        return ""
    photos = list(f1)[min(int(step), len(f1) - 1)]
    rows = [[TITLES[variant], percent(f1[photos][variant], 1)] for variant in VARIANTS]
    frames, side = about.frames or 0, about.image_size or 0
    return (
        f"**Trained on {photos:,} photos:**\n\n{markdown_table(['network', 'F1'], rows)}\n\n"
        f"A short experiment of its own: every network saw {frames:,} pictures of {side} "
        "pixels during training, fewer than the served ones. So its F1 is lower than in the table below."
    )


def table_of(metrics: "Metrics") -> str:
    """Return the scores on test photos beside the paper's, in Markdown."""
    if not metrics.variants:
        return ""
    head = ["network", "F1", "AUROC", "AUROC in the paper"]
    rows = [
        [
            TITLES.get(variant, variant),
            percent(scores.f1, 1),
            percent(scores.auroc, 1),
            percent(PAPER_AUROC.get(variant), 1),
        ]
        for variant, scores in metrics.variants.items()
    ]
    dataset = DATASETS.get(metrics.dataset or "", metrics.dataset)
    return "\n\n".join(
        [
            f"### On {metrics.images or ''} test photos: {dataset}",
            markdown_table(head, rows),
            EXPLANATION,
            "Neither network was trained on these photos. Paper: B. Cesnik, *Segmentation of human hair* (2019/20).",
        ]
    )


def groups_of(metrics: "Metrics") -> str:
    """Return the scores by type of photo in Markdown, the hardest first, photos without hair last."""
    rows = [
        [
            _label(found),
            *(percent(found.f1.get(variant), 1) for variant in VARIANTS),
            *(percent(found.false_hair.get(variant), 1) for variant in VARIANTS),
        ]
        for found in metrics.by_photo_type()
    ]
    if not rows:
        return ""
    head = ["photos", *(f"{score}, {TITLES[v].lower()}" for score in ("F1", "false alarms") for v in VARIANTS)]
    return f"### By type of photo, the hardest first\n\n{markdown_table(head, rows)}"


def _label(photos: "PhotoType") -> str:
    dataset = DATASETS.get(photos.dataset or "", photos.dataset)
    count = f" ({photos.images} photo{'s' if photos.images > 1 else ''})" if photos.images else ""
    return ", ".join(part for part in (photos.name, dataset) if part) + count


def card_of(repository: "ModelRepository") -> str:
    """Return the card without metadata, HTML, and pictures, which a page does not serve."""
    if not repository.card.is_file():
        return "This model has no card."
    text = repository.card.read_text(encoding="utf-8")[:LONGEST_CARD]
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    text = re.sub(r"!\[[^]]{0,300}\]\([^)]{0,300}\)\s*|<!--.{0,300}?-->", "", text).replace("![", "[")
    text = re.sub(r"(`{3}|~{3})\s*mermaid", r"\1", text, flags=re.IGNORECASE)
    return re.sub(r"<(?=[a-z/!?])", "< ", text, flags=re.IGNORECASE)


def read_or(read: Callable[[], T], default: T) -> T:
    """Return what `read` returns, or the default: strangers' files may hold anything."""
    try:
        return read()
    except Exception:
        return default


def percent(fraction: float | None, digits: int) -> str:
    """Format a fraction.

    Example:
        >>> percent(0.8822, 0), percent(None, 1)
        ('88 %', '')
    """
    return "" if fraction is None else f"{100 * fraction:.{digits}f} %"


def markdown_table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
