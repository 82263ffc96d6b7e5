"""The page as a whole."""

import gradio as gr

from hairseg.hub.resolution import Resolved
from hairseg.page.session import PageSession
from hairseg.page.try_it import PRIVATE, try_it
from hairseg.prediction import HairPredictor
from hairseg.repository import BUNDLED

HOUR = 3600  # seconds that an upload is kept

SHIPPED = Resolved(BUNDLED)


def build_page(predictor: HairPredictor, source: Resolved = SHIPPED, notice: str | None = None) -> gr.Blocks:
    """The page.

    Args:
        predictor: both networks.
        source: where they come from; a repository on the Hub is named and linked.
        notice: something a visitor should know about them.
    """
    session = PageSession(predictor)
    with gr.Blocks(title="HairSeg", analytics_enabled=False, delete_cache=(HOUR // 4, HOUR)) as page:
        gr.Markdown(
            "# HairSeg\nWhat is transfer learning worth? One network, DeepLabV3, looks for the hair in your photo "
            "twice: trained from random weights on the left, fine-tuned from pretrained weights on the right.",
            elem_id="title",
        )
        if notice:
            gr.Markdown(f"**Note:** {notice}", elem_id="notice")
        colour, variant = try_it(session)
        with gr.Row():
            page_link = gr.Textbox(label="Link to this page", elem_id="page-link", interactive=False, buttons=["copy"])
            link = gr.Textbox(
                label="Link to this page with this colour and mask", elem_id="link", interactive=False, buttons=["copy"]
            )
            published = gr.Textbox(visible="hidden")
        gr.Markdown(
            f"Weights: {name_weights(source)}. "
            "Uploaded photos stay on the machine that serves this page and are deleted after an hour.",
            elem_id="about",
        )

        page.load(None, [colour, variant], [colour, variant], js="(...now) => hairseg.readLink(...now)", **PRIVATE)
        page.load(lambda: page.share_url or "", None, published, **PRIVATE)
        gr.on(
            [page.load, colour.change, variant.change, published.change],
            None,
            [colour, variant, published],
            [page_link, link],
            js="(...now) => hairseg.writeLinks(...now)",
            **PRIVATE,
        )
    return page


def name_weights(source: Resolved) -> str:
    """Where the networks come from, in Markdown; paths of the server stay its own."""
    if source.url:
        return f"[{source}]({source.url})"
    return "bundled with this page" if source.folder == BUNDLED else f"`{source.folder.name}`"
