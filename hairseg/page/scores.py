"""The tab "How good is it?": what the files of the loaded repository hold, as tables and curves."""

import re
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any

import gradio as gr
import pandas as pd

from hairseg.images import encode_jpeg
from hairseg.page.components import save_file
from hairseg.page.decoding import USUAL
from hairseg.paper import PAPER_AUROC, VARIANT_COLOURS, VARIANTS

if TYPE_CHECKING:  # it takes PyTorch along, which the page starts without
    from hairseg.repository import ModelRepository

COLUMNS = {"auroc": "AUROC", "f1": "F1", "iou": "IoU", "mse": "MSE", "boundary_iou": "Boundary IoU"}

HISTORIES = {"auroc": "AUROC", "f1": "F1", "loss": "MSE"}

HEIGHT = 300  # of a plot, in pixels

FEW_EPOCHS = range(1, 10)  # of which a plot would mark fractions, were they numbers

HISTORY_COLOURS = {  # of curves; what was trained on is lighter, of the same hue
    "pretrained, test": VARIANT_COLOURS["pretrained"],
    "pretrained, train": "#56b4e9",
    "random, test": VARIANT_COLOURS["random"],
    "random, train": "#e69f00",
}

LONGEST, MOST = 80, 1000  # characters of a name, and entries of a list, that are shown of a stranger's file

LONGEST_CARD = 200_000  # characters

MARKUP = "<>[]|`&\\"

MALFORMED = "The scores of this repository cannot be shown: its metrics.json is not what `python evaluate.py` writes."

WHAT_SCORES_ARE = (
    "AUROC is how often a pixel of hair gets a higher value than another pixel: 0.5 is chance, 1 never wrong. F1 and "
    "IoU compare the masks with those drawn by hand, Boundary IoU along their edges alone: 1 is the same mask. MSE is "
    "the mean squared error of the values: 0 is none."
)

GROUPS = {  # key of metrics.json: what goes before the names of its groups
    "framing": "head in a scene, ",
    "hair_types": "hair ",
    "groups": "",
}


def how_good() -> list[gr.components.Component]:
    """Build the tab, empty. Returns what `scores_of` fills, in its order."""
    table = gr.Markdown("Waiting for the networks.", elem_id="scores")
    gr.HTML(legend(), elem_id="legend")
    with gr.Row():
        auroc, f1 = (history_plot(name) for name in ("auroc", "f1"))
    with gr.Row():
        loss = history_plot("loss")
        roc = line_plot("roc", "ROC on test photos", "false positive rate", "true positive rate", visible=False)
    with gr.Row():
        title = "F1 by number of training photos"
        transfer = line_plot("transfer", title, "training photos", "F1", visible=False)
        worst = gr.Image(
            label="Where it does worst: in white the hair, in magenta what was found",
            visible=False,
            interactive=False,
            format="jpeg",
            height=HEIGHT,
            buttons=["fullscreen"],
            elem_id="worst",
        )
    groups = gr.Markdown(elem_id="groups")
    with gr.Accordion("The model card", open=False):
        card = gr.Markdown(elem_id="card")
    return [table, auroc, f1, loss, roc, worst, transfer, groups, card]


def legend() -> str:
    """HTML: which curve of the training is which; a plot's own legend does not fit on a phone."""
    entries = (f'<span style="--curve: {colour}">{name}</span>' for name, colour in HISTORY_COLOURS.items())
    return f"<p>Curves of the training, by variant and photos: {' '.join(entries)}</p>"


def history_plot(name: str) -> gr.LinePlot:
    title = HISTORIES[name]
    return line_plot(
        f"history-{name}", f"{title} by epoch", "epoch", name, y_title=title, color_title="variant, photos"
    )


def line_plot(name: str, title: str, x: str, y: str, color_title: str = "variant", **options: Any) -> gr.LinePlot:
    """Curves of both variants, `color_title` over their legend, by the columns of what `scores_of` gives."""
    return gr.LinePlot(
        x=x,
        y=y,
        title=title,
        color="curve",
        color_title=color_title,
        color_map=VARIANT_COLOURS | HISTORY_COLOURS,
        height=HEIGHT,
        min_width=280,
        elem_id=name,
        **options,
    )


def metrics_of(repository: "ModelRepository") -> dict:
    """The repository's scores, `harmless`; none where it has no metrics.json."""
    metrics = read_or(lambda: harmless(repository.metrics()), {})
    return metrics if isinstance(metrics, dict) else {}


def harmless(value: Any) -> Any:
    """What a stranger's JSON holds, without what a browser would take for markup or could not be told.

    Example:
        >>> harmless({"<img>": ["a|b" * 100, 10**30, None]}) == {"img": [("ab" * 100)[:LONGEST], None, None]}
        True
    """
    if isinstance(value, str):
        shown = (letter for letter in value[: 4 * LONGEST] if letter.isprintable() and letter not in MARKUP)
        return "".join(shown)[:LONGEST]
    if isinstance(value, dict):
        return {harmless(key): harmless(of_key) for key, of_key in islice(value.items(), MOST)}
    if isinstance(value, list):
        return [harmless(of_list) for of_list in value[:: -(-len(value) // MOST) or 1]]
    return None if isinstance(value, int) and abs(value) > 2**53 else value


def scores_of(repository: "ModelRepository", metrics: dict) -> list[Any]:
    """What the tab shows of a model repository and its scores: values for the components of `how_good`."""
    history = read_or(lambda: history_of(repository), history_table([]))
    roc, transfer = read_or(lambda: roc_of(metrics), roc_of({})), read_or(lambda: transfer_of(metrics), transfer_of({}))
    worst = read_or(lambda: save_file("worst.jpg", encode_jpeg(USUAL.load(repository.worst))), None)
    return [
        read_or(lambda: tables_of(metrics), MALFORMED),
        *([history] * len(HISTORIES)),
        gr.LinePlot(roc, visible=not roc.empty),
        gr.Image(worst, visible=worst is not None),
        gr.LinePlot(transfer, visible=not transfer.empty),
        read_or(lambda: groups_of(metrics), ""),
        read_or(lambda: card_of(repository), "The card of this repository is no text."),
    ]


def aurocs_of(metrics: dict) -> dict[str, str]:
    """AUROC on test photos by variant, for captions."""
    scores = metrics.get("variants", {})
    return read_or(
        lambda: {name: f"{scores[name]['auroc']:.4f}" for name in VARIANTS if scores.get(name, {}).get("auroc")}, {}
    )


def tables_of(metrics: dict) -> str:
    """Markdown: the scores beside the paper's."""
    if not metrics.get("variants"):
        return "This repository has no scores: `python evaluate.py` makes them."
    head = ["variant", *COLUMNS.values(), "AUROC in the paper"]
    rows = [
        [variant, *(number(scores.get(name)) for name in COLUMNS), f"{PAPER_AUROC[variant]:.6f}"]
        for variant, scores in metrics["variants"].items()
    ]
    parts = [
        f"On the {metrics['images']} photos of {metrics['dataset']}'s {metrics['split']} split, which neither network "
        f"learnt from, at {metrics['image_size']} x {metrics['image_size']}, all pixels pooled:",
        markdown_table(head, rows),
        WHAT_SCORES_ARE,
        "The paper's figures are those of B. Cesnik, *Segmentation of human hair* (2019/20), on its own test photos.",
    ]
    if metrics.get("hairless"):
        shares = metrics["hairless"]["variants"]
        called = ", ".join(f"{percent(share['mean'])} ({variant})" for variant, share in shares.items())
        scenes = metrics["hairless"]["images"]
        parts.append(f"In {scenes} scenes without people, {called} of the pixels are called hair.")
    return "\n\n".join(parts)


def groups_of(metrics: dict) -> str:
    """Markdown: every kind of photo that the repository has been scored by, the worst of the pretrained variant first.

    Photos without any hair come last: they have no F1, only hair that was found where there is none.
    """
    kinds = []  # each: its name, with its data set, and scores by variant
    for scored in (metrics, *metrics.get("others", [])):
        for key, prefix in GROUPS.items():
            for name, group in (scored.get(key) or {}).items():
                kinds.append((f"{prefix}{name} ({scored['dataset']})", group.get("variants", group)))
    for folder, group in metrics.get("hairless", {}).get("kinds", {}).items():
        shares = {variant: {"false_hair": share["mean"]} for variant, share in group["variants"].items()}
        kinds.append((f"nobody: {folder}", shares))

    def scores(kind: tuple, score: str) -> list[float | None]:
        return [kind[1].get(variant, {}).get(score) for variant in VARIANTS]

    def badness(kind: tuple) -> tuple:
        f1 = [value for value in scores(kind, "f1") if value is not None]
        return (0, f1[0]) if f1 else (1, *(-(value or 0) for value in scores(kind, "false_hair")))

    rows = [
        [kind[0], *map(number, scores(kind, "f1")), *map(percent, scores(kind, "false_hair"))]
        for kind in sorted(kinds, key=badness)
        if any(value is not None for score in ("f1", "false_hair") for value in scores(kind, score))
    ]
    if not rows:
        return ""
    title = "**By kind of photo**, the worst first, at the photos' own sizes; false hair: pixels wrongly called hair."
    head = ["photos", *(f"{score}, {variant}" for score in ("F1", "false hair") for variant in VARIANTS)]
    return f"{title}\n\n{markdown_table(head, rows)}"


def history_of(repository: "ModelRepository") -> pd.DataFrame:
    """A row per variant, split and epoch."""
    rows = [
        {
            "curve": f"{variant}, {split}",
            "epoch": epoch["epoch"],
            **{name: epoch[split].get(name) for name in HISTORIES},
        }
        for variant in VARIANTS
        for epoch in read_or(lambda variant=variant: harmless(repository.history(variant)), [])
        for split in ("train", "test")
        if epoch.get(split)
    ]
    return history_table(rows)


def history_table(rows: list[dict]) -> pd.DataFrame:
    names = ("epoch", *HISTORIES)
    table = pd.DataFrame(rows, columns=["curve", *names]).astype(dict.fromkeys(names, float))
    epochs = table["epoch"].tolist()
    return table.assign(epoch=[f"{epoch:.0f}" for epoch in epochs]) if max(epochs, default=0) in FEW_EPOCHS else table


def roc_of(metrics: dict) -> pd.DataFrame:
    columns = {"false_positive_rate": "false positive rate", "true_positive_rate": "true positive rate"}
    curves = [
        pd.DataFrame({columns[name]: values for name, values in points.items()}, dtype=float).assign(curve=variant)
        for variant, points in metrics.get("roc", {}).items()
    ]
    return pd.concat(curves) if curves else pd.DataFrame(columns=[*columns.values(), "curve"])


def transfer_of(metrics: dict) -> pd.DataFrame:
    """A row per variant and number of training photos."""
    rows = [
        {"training photos": harmless(int(photos)), "F1": None if f1 is None else float(f1), "curve": variant}
        for variant, scores in metrics.get("transfer", {}).get("f1", {}).items()
        for photos, f1 in scores.items()
    ]
    return pd.DataFrame(rows, columns=["training photos", "F1", "curve"])


def card_of(repository: "ModelRepository") -> str:
    """The card's text without its metadata, its pictures, whose files a page does not serve, and HTML."""
    if not repository.card.is_file():
        return "This repository has no card."
    text = repository.card.read_text(encoding="utf-8")[:LONGEST_CARD]
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    text = re.sub(r"!\[[^]]{0,300}\]\([^)]{0,300}\)\s*|<!--.{0,300}?-->", "", text).replace("![", "[")
    text = re.sub(r"(`{3}|~{3})\s*mermaid", r"\1", text, flags=re.IGNORECASE)
    return re.sub(r"<(?=[a-z/!?])", "< ", text, flags=re.IGNORECASE)


def read_or(read: Callable[[], Any], default: Any) -> Any:
    """What a file of the repository holds, or what is made of it; the default where it is missing or malformed."""
    try:
        return read()
    except Exception:  # strangers' files hold anything
        return default


def number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2f} %"


def markdown_table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
