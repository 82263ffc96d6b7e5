"""The tab "How good is it?": what the files of the loaded repository hold, as tables and curves."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gradio as gr
import pandas as pd

from hairseg.images import encode_jpeg
from hairseg.page.components import save_file
from hairseg.page.decoding import USUAL
from hairseg.paper import PAPER_AUROC, VARIANT_COLOURS, VARIANTS

if TYPE_CHECKING:  # it takes PyTorch along, which the page starts without
    from hairseg.repository import ModelRepository
    from hairseg.repository.metrics import Metrics

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

LONGEST_CARD = 200_000  # characters

MAX_EPOCHS = 1000

WHAT_SCORES_ARE = (
    "AUROC is how often a pixel of hair gets a higher value than another pixel: 0.5 is chance, 1 never wrong. F1 and "
    "IoU compare the masks with those drawn by hand, Boundary IoU along their edges alone: 1 is the same mask. MSE is "
    "the mean squared error of the values: 0 is none."
)


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


def metrics_of(repository: "ModelRepository") -> "Metrics":
    """The repository's scores; none where its metrics.json cannot be read."""
    from hairseg.repository.metrics import Metrics

    return read_or(repository.metrics, Metrics())


def scores_of(repository: "ModelRepository", metrics: "Metrics") -> list[Any]:
    """What the tab shows of a model repository and its scores: values for the components of `how_good`."""
    history = read_or(lambda: history_of(repository), history_table([]))
    roc, transfer = roc_of(metrics), transfer_of(metrics)
    worst = read_or(lambda: save_file("worst.jpg", encode_jpeg(USUAL.load(repository.worst_photos))), None)
    return [
        tables_of(metrics),
        *([history] * len(HISTORIES)),
        gr.LinePlot(roc, visible=not roc.empty),
        gr.Image(worst, visible=worst is not None),
        gr.LinePlot(transfer, visible=not transfer.empty),
        groups_of(metrics),
        read_or(lambda: card_of(repository), "The card of this repository is no text."),
    ]


def aurocs_of(metrics: "Metrics") -> dict[str, str]:
    """AUROC on test photos by variant, for captions."""
    return {
        name: f"{scores.auroc:.4f}" for name, scores in metrics.variants.items() if name in VARIANTS and scores.auroc
    }


def tables_of(metrics: "Metrics") -> str:
    """Markdown: the scores beside the paper's."""
    if not metrics.variants or not metrics.photos:
        return "This repository has no scores: `python evaluate.py` makes them."
    head = ["variant", *COLUMNS.values(), "AUROC in the paper"]
    rows = [
        [variant, *(number(getattr(scores, name)) for name in COLUMNS), f"{PAPER_AUROC[variant]:.6f}"]
        for variant, scores in metrics.variants.items()
        if variant in VARIANTS
    ]
    parts = [
        f"On the {metrics.images} photos of {metrics.dataset}'s {metrics.split} split, which neither network "
        f"learnt from, at {metrics.image_size} x {metrics.image_size}, all pixels pooled:",
        markdown_table(head, rows),
        WHAT_SCORES_ARE,
        "The paper's figures are those of B. Cesnik, *Segmentation of human hair* (2019/20), on its own test photos.",
    ]
    if metrics.hairless:
        shares = metrics.hairless.variants
        called = ", ".join(f"{percent(share.mean)} ({variant})" for variant, share in shares.items())
        parts.append(f"In {metrics.hairless.images} scenes without people, {called} of the pixels are called hair.")
    return "\n\n".join(parts)


def groups_of(metrics: "Metrics") -> str:
    """Markdown: every type of photo that the repository has been scored by, the worst first."""
    rows = [
        [
            found.label,
            *(number(found.f1.get(variant)) for variant in VARIANTS),
            *(percent(found.false_hair.get(variant)) for variant in VARIANTS),
        ]
        for found in metrics.by_photo_type()
    ]
    if not rows:
        return ""
    title = "**By type of photo**, the worst first, at full resolution; false hair: pixels wrongly called hair."
    head = ["photos", *(f"{score}, {variant}" for score in ("F1", "false hair") for variant in VARIANTS)]
    return f"{title}\n\n{markdown_table(head, rows)}"


def history_of(repository: "ModelRepository") -> pd.DataFrame:
    """A row per variant, split and epoch."""
    rows = [
        {
            "curve": f"{variant}, {split}",
            "epoch": epoch["epoch"],
            **{name: epoch[split][name] for name in HISTORIES},
        }
        for variant in VARIANTS
        for epoch in read_or(lambda variant=variant: repository.history(variant), [])[:MAX_EPOCHS]
        for split in ("train", "test")
    ]
    return history_table(rows)


def history_table(rows: list[dict]) -> pd.DataFrame:
    names = ("epoch", *HISTORIES)
    table = pd.DataFrame(rows, columns=["curve", *names]).astype(dict.fromkeys(names, float))
    epochs = table["epoch"].tolist()
    return table.assign(epoch=[f"{epoch:.0f}" for epoch in epochs]) if max(epochs, default=0) in FEW_EPOCHS else table


def roc_of(metrics: "Metrics") -> pd.DataFrame:
    columns = ["false positive rate", "true positive rate"]
    curves = [
        pd.DataFrame(zip(roc.false_positive_rate, roc.true_positive_rate, strict=False), columns=columns).assign(
            curve=variant
        )
        for variant, roc in metrics.roc.items()
    ]
    return pd.concat(curves) if curves else pd.DataFrame(columns=[*columns, "curve"])


def transfer_of(metrics: "Metrics") -> pd.DataFrame:
    """A row per variant and number of training photos."""
    rows = [
        {"training photos": int(photos), "F1": f1, "curve": variant}
        for variant, scores in (metrics.transfer.f1 if metrics.transfer else {}).items()
        for photos, f1 in scores.items()
        if photos.isdecimal() and len(photos) < 10
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
