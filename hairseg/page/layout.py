"""The page as a whole: its tabs, its links, and what stays the same on all of them."""

from concurrent.futures import Future
from typing import TYPE_CHECKING

import gradio as gr

from hairseg.page.endpoints import add_endpoints
from hairseg.page.scores import aurocs_of, how_good, metrics_of, scores_of
from hairseg.page.session import PageSession
from hairseg.page.try_it import PRIVATE, markup, try_it
from hairseg.page.use_elsewhere import use_elsewhere

if TYPE_CHECKING:
    from hairseg.hub.resolution import Resolved
    from hairseg.prediction import HairPredictor

WAITING = 500  # events in the queue; whoever comes when it is full is told so


def build_page(
    predictor: "HairPredictor | Future[HairPredictor] | PageSession",
    source: "Resolved | None" = None,
    notice: str | None = None,
) -> gr.Blocks:
    """The page.

    Args:
        predictor: both networks; as a future while they are being loaded, which the page says; or a session with them.
        source: where they come from; a repository on the Hub is named and linked. None: bundled with the code.
        notice: something a visitor should know about them.
    """
    session = predictor if isinstance(predictor, PageSession) else PageSession(predictor)
    with gr.Blocks(title="HairSeg", analytics_enabled=False, fill_width=True) as page:
        gr.Markdown(
            "# HairSeg\nHair masks with and without pretraining, and your hair in another colour.", elem_id="title"
        )
        if notice:
            gr.Markdown(f"**Note:** {notice}", elem_id="notice")
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab("Try it", id="try"):
                colour, variant, strength = try_it(session)
            with gr.Tab("How good is it?", id="scores"):
                scores = how_good()
            with gr.Tab("Use it elsewhere", id="elsewhere"):
                page_link, link = use_elsewhere(source)
        gr.Markdown(
            f"Weights: {name_weights(source)}. Photos stay on the machine that serves this page and are deleted after "
            "an hour; your browser keeps nothing of them.",
            elem_id="about",
        )
        add_endpoints(session)

        def when_loaded() -> list:
            from hairseg.repository import ModelRepository  # it takes PyTorch along, which the page starts without

            repository = ModelRepository(session.predictor.folder)
            metrics = metrics_of(repository)
            return [{"scores": aurocs_of(metrics)}, *scores_of(repository, metrics)]

        networks = markup("networks", "networks")
        page.load(when_loaded, None, [networks, *scores], concurrency_limit=None, show_progress="hidden", **PRIVATE)
        chosen = [colour, variant, strength]
        page.load(None, chosen, chosen, js="(...now) => hairseg.readLink(...now)", **PRIVATE)
        published = gr.Textbox(visible="hidden")
        page.load(lambda: page.share_url or "", None, published, **PRIVATE)
        gr.on(
            [page.load, published.change, *(component.change for component in chosen)],
            None,
            [*chosen, published],
            [page_link, link],
            js="(...now) => hairseg.writeLinks(...now)",
            **PRIVATE,
        )
    return page.queue(max_size=WAITING)


def name_weights(source: "Resolved | None") -> str:
    """Where the networks come from, in Markdown; paths of the server stay its own."""
    if source is None:
        return "bundled with this page"
    return f"[{source}]({source.url})" if source.url else f"`{source.folder.name}`"
