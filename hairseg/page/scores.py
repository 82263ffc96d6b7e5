"""The tab "What pretraining is worth": what the files of the chosen model say, in three numbers, tables and figures."""

import re
from collections.abc import Callable, Mapping
from itertools import islice
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

T = TypeVar("T")

TITLES = {"pretrained": "Pretrained", "random": "From scratch"}

LONGEST, MOST = 80, 1000  # characters of a name and entries of a list that are shown of a stranger's file

LONGEST_CARD = 200_000  # characters

MARKUP = "<>[]|`&\\"

MALFORMED = "The scores of this model cannot be shown: its metrics.json is malformed."

NO_SCORES = "This model has no scores yet: `hairseg evaluate` writes them."

WHOLE_PERSON = "whole person"

GROUPS = {"groups": "", "hair_types": "", "framing": "head at scale "}  # key of metrics.json: prefix of its entries

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


def show_scores(repository: "ModelRepository", metrics: dict[str, Any]) -> list[Any]:
    """Return what the tab shows of a model, for the components of `build_scores`."""
    f1 = read_or(lambda: transfer_f1(metrics), {})
    steps = gr.Slider(0, max(1, len(f1) - 1), 0, step=1, visible=len(f1) > 1, label="Training photos (move the slider)")
    return [
        read_or(lambda: headline_of(metrics), MALFORMED),
        steps,
        read_or(lambda: transfer_of(metrics, 0), ""),
        read_or(lambda: table_of(metrics), MALFORMED),
        read_or(lambda: groups_of(metrics), ""),
        "".join(figure_of(repository, name) for name in FIGURES),
        read_or(lambda: card_of(repository), "The card of this model is not text."),
    ]


def figure_of(repository: "ModelRepository", name: str) -> str:
    """Return HTML of a figure. It is decoded like a visitor's photo, since it may be a stranger's file."""
    path = repository.worst if name == "worst" else repository.figure(name)
    file = read_or(lambda: save_file(f"{name}.jpg", encode_jpeg(REGULAR.load(path))), None)
    if file is None:
        return ""
    source = f"{API_PREFIX[1:]}/file={quote(file)}"  # relative to the page
    return f'<figure><img src="{source}" alt="{FIGURES[name]}"><figcaption>{FIGURES[name]}</figcaption></figure>'


def metrics_of(repository: "ModelRepository") -> dict[str, Any]:
    """Return the repository's metrics without markup; empty if it has none."""
    metrics = read_or(lambda: sanitise(repository.metrics()), {})
    return metrics if isinstance(metrics, dict) else {}


def sanitise(value: Any) -> Any:
    """Remove from a stranger's JSON what a browser would interpret as markup or could not represent.

    Example:
        >>> sanitise({"<img>": ["a|b" * 100, 10**30, None]}) == {"img": [("ab" * 100)[:LONGEST], None, None]}
        True
    """
    if isinstance(value, str):
        kept = (letter for letter in value[: 4 * LONGEST] if letter.isprintable() and letter not in MARKUP)
        return "".join(kept)[:LONGEST]
    if isinstance(value, dict):
        return {sanitise(key): sanitise(entry) for key, entry in islice(value.items(), MOST)}
    if isinstance(value, list):
        return [sanitise(entry) for entry in value[:MOST]]
    return None if isinstance(value, int) and abs(value) > 2**53 else value


def f1_on_whole_persons(metrics: Mapping[str, Any]) -> dict[str, float] | None:
    """Return the F1 of both variants on photos of whole persons, if the model was scored on such."""

    def find() -> dict[str, float] | None:
        for scored in (metrics, *metrics.get("others", [])):
            group = scored.get("groups", {}).get(WHOLE_PERSON)
            if group:
                return {variant: float(group["variants"][variant]["f1"]) for variant in VARIANTS}
        return None

    return read_or(find, None)


def f1_captions(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Return the F1 on test photos by variant, for captions."""
    scores = metrics.get("variants", {})
    return read_or(lambda: {name: f"F1 {percent(scores[name]['f1'], 0)} on test photos" for name in VARIANTS}, {})


def headline_of(metrics: Mapping[str, Any]) -> str:
    """Return three numbers in Markdown."""
    parts = []
    persons = f1_on_whole_persons(metrics)
    if persons:
        parts.append(
            (percent(persons["pretrained"], 0), f"F1 on whole persons; {percent(persons['random'], 0)} from scratch")
        )
    hairless = metrics.get("hairless", {}).get("variants")
    if hairless:
        false = {variant: percent(hairless[variant]["mean"], 1) for variant in VARIANTS}
        parts.append((false["pretrained"], f"false alarms where there is no hair; {false['random']} from scratch"))
    saved = read_or(lambda: photos_saved(metrics), None)
    if saved:
        parts.append(saved)
    if not parts:
        return NO_SCORES if not metrics.get("variants") else ""
    return markdown_table([number for number, _ in parts], [[words for _, words in parts]])


def photos_saved(metrics: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return how many photos pretrained reach what all photos from scratch do."""
    f1 = transfer_f1(metrics)
    if not f1:
        return None
    most = max(f1)
    enough = next((photos for photos in sorted(f1) if f1[photos]["pretrained"] >= f1[most]["random"]), None)
    if enough is None:
        return None
    return f"{enough} photos", f"are enough, pretrained, for more than {most:,} from scratch, at equal training time"


def transfer_f1(metrics: Mapping[str, Any]) -> dict[int, dict[str, float]]:
    """Return the F1 of both variants by number of training photos."""
    f1 = metrics["transfer"]["f1"]
    photos = sorted(set(map(int, f1["pretrained"])) & set(map(int, f1["random"])))
    return {number: {variant: float(f1[variant][str(number)]) for variant in VARIANTS} for number in photos}


def transfer_of(metrics: Mapping[str, Any], step: int) -> str:
    """Return what both networks reach with a number of training photos, and why it differs from the table."""
    f1 = transfer_f1(metrics)
    photos = sorted(f1)[int(step)]
    rows = [[TITLES[variant], percent(f1[photos][variant], 1)] for variant in VARIANTS]
    about = metrics["transfer"]
    return (
        f"**Trained on {photos:,} photos:**\n\n{markdown_table(['network', 'F1'], rows)}\n\n"
        f"A short experiment of its own: every network saw {about['frames']:,} pictures of {about['image_size']} "
        "pixels during training, fewer than the served ones. So its F1 is lower than in the table below."
    )


def table_of(metrics: Mapping[str, Any]) -> str:
    """Return the scores on test photos beside the paper's, in Markdown."""
    if not metrics.get("variants"):
        return ""
    head = ["network", "F1", "AUROC", "AUROC in the paper"]
    rows = [
        [
            TITLES.get(variant, str(variant)),
            percent(scores.get("f1"), 1),
            percent(scores.get("auroc"), 1),
            percent(PAPER_AUROC.get(variant), 1),
        ]
        for variant, scores in metrics["variants"].items()
    ]
    dataset = DATASETS.get(metrics["dataset"], metrics["dataset"])
    return "\n\n".join(
        [
            f"### On {metrics['images']} test photos: {dataset}",
            markdown_table(head, rows),
            EXPLANATION,
            "Neither network was trained on these photos. Paper: B. Cesnik, *Segmentation of human hair* (2019/20).",
        ]
    )


def groups_of(metrics: Mapping[str, Any]) -> str:
    """Return the scores by type of photo in Markdown, the hardest first, photos without hair last."""
    rows: list[tuple[tuple[int, float], list[str]]] = []
    for scored in (metrics, *metrics.get("others", [])):
        dataset = DATASETS.get(scored["dataset"], scored["dataset"])
        for key, prefix in GROUPS.items():
            for name, group in (scored.get(key) or {}).items():
                variants = group.get("variants", group)
                f1 = {variant: variants.get(variant, {}).get("f1") for variant in VARIANTS}
                false = {variant: variants.get(variant, {}).get("false_hair") for variant in VARIANTS}
                if f1["pretrained"] is None and false["pretrained"] is None:
                    continue
                order = (0, f1["pretrained"]) if f1["pretrained"] is not None else (1, -(false["pretrained"] or 0))
                count = group.get("images")
                label = f"{prefix}{name}, {dataset}" + (f" ({count} photos)" if count else "")
                rows.append(
                    (order, [label, *(percent(f1[v], 1) for v in VARIANTS), *(percent(false[v], 1) for v in VARIANTS)])
                )
    for name, group in (metrics.get("hairless", {}).get("kinds") or {}).items():
        false = {variant: group["variants"][variant]["mean"] for variant in VARIANTS}
        rows.append(
            ((1, -false["pretrained"]), [f"no people: {name}", "", "", *(percent(false[v], 1) for v in VARIANTS)])
        )
    if not rows:
        return ""
    head = ["photos", *(f"{score}, {TITLES[v].lower()}" for score in ("F1", "false alarms") for v in VARIANTS)]
    table = markdown_table(head, [cells for _, cells in sorted(rows, key=lambda row: row[0])])
    return f"### By type of photo, the hardest first\n\n{table}"


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
