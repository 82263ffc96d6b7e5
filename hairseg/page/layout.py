"""The page as a whole: its tabs, its links, and what stays the same on all of them."""

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import gradio as gr
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from gradio import route_utils, routes
from starlette.middleware import Middleware

from hairseg.errors import InputError
from hairseg.page.components import NOT_UPLOADED, Dropdown, mistakes_as_errors
from hairseg.page.endpoints import add_endpoints
from hairseg.page.leaderboard import html_of, leaderboard
from hairseg.page.live import live
from hairseg.page.models import Model, Models
from hairseg.page.request_size import BoundedRequests, FilesAlone, ShortNames
from hairseg.page.routes import NOT_SENT_BY_BROWSERS, OwnRoutes
from hairseg.page.scores import aurocs_of, how_good, metrics_of, scores_of
from hairseg.page.session import PageSession
from hairseg.page.try_it import PRIVATE, markup, try_it
from hairseg.page.use_elsewhere import examples_of, use_elsewhere

if TYPE_CHECKING:
    from hairseg.inference.predictor import HairPredictor

WAITING = 500  # events in the queue; whoever comes when it is full is told so


class Page(gr.Blocks):
    """Gradio's, where a call over HTTP may leave out the last values, as one by gradio_client may.

    What Gradio and FastAPI stumble over, odd payloads for files, say, is answered with a sentence, and so is a request
    that is too long.
    """

    def validate_inputs(self, block_fn: Any, inputs: list) -> None:
        inputs += [component.value for component in block_fn.inputs[len(inputs) :]]

    async def preprocess_data(self, block_fn: Any, inputs: list, *args: Any, **options: Any) -> Any:
        if names_addresses(inputs):
            raise gr.Error(NOT_UPLOADED, print_exception=False)
        if block_fn.fn is None:  # the browser does these alone
            raise gr.Error(NOT_SENT_BY_BROWSERS, print_exception=False)
        try:
            return await super().preprocess_data(block_fn, inputs, *args, **options)
        except gr.Error:
            raise
        except Exception:
            raise gr.Error(NOT_SENT_BY_BROWSERS, print_exception=False) from None

    def queue(self, *args: Any, **options: Any) -> Any:
        super().queue(*args, **options)
        tell = self._queue.send_message

        def tell_whoever_is_there(event: Any, event_message: Any) -> None:
            with suppress(KeyError):  # a visitor without a place for messages, which would end the queue for everybody
                tell(event, event_message)

        self._queue.send_message = tell_whoever_is_there
        return self

    def launch(self, *args: Any, app_kwargs: dict[str, Any] | None = None, **options: Any) -> Any:
        # FastAPI's own answer repeats what was sent, and fails where that holds numbers or letters that JSON has not.
        handlers = {RequestValidationError: lambda *_: JSONResponse({"error": NOT_SENT_BY_BROWSERS}, 422)}
        route_utils.GradioMultiPartParser = FilesAlone  # pyright: ignore[reportAttributeAccessIssue]
        routes.StateHolder = ShortNames  # pyright: ignore[reportAttributeAccessIssue]
        given = dict(app_kwargs or {})
        middleware = [Middleware(OwnRoutes), Middleware(BoundedRequests), *given.pop("middleware", [])]
        own = {"exception_handlers": handlers, "middleware": middleware, **given}
        return super().launch(*args, app_kwargs=own, **options)


def names_addresses(values: list) -> bool:
    """Whether a file among the values of a call is one that lies elsewhere: Gradio would fetch it for anybody."""
    waiting: list[Any] = [values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            places = (str(value.get(key) or "").strip().lower() for key in ("path", "url"))
            if "meta" in value and any(place.startswith(("http:", "https:")) for place in places):
                return True
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return False


def build_page(
    session: "PageSession | Models | HairPredictor",
    notices: Sequence[str] = (),
) -> gr.Blocks:
    """The page.

    Args:
        session: with the models that it serves; or these; or the networks of the only one. They may still have to be
            loaded, which the page says.
        notices: what a visitor should know about them, a sentence each.
    """
    session = session if isinstance(session, PageSession) else PageSession(session)
    models, several = session.models, len(session.models.names) > 1
    with Page(title="HairSeg", analytics_enabled=False, fill_width=True) as page:
        with gr.Row(elem_id="head"):
            gr.Markdown(
                "# HairSeg\nHair masks with and without pretraining, and your hair in another colour.", elem_id="title"
            )
            model = Dropdown(
                models.names,
                label="Model",
                filterable=False,
                visible=several or "hidden",
                elem_id="model",
                min_width=180,
            )
        if notices:
            gr.Markdown("\n\n".join(f"**Note:** {notice}" for notice in notices), elem_id="notice")
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab("Try it", id="try"):
                linked = try_it(session)
            with gr.Tab("Live", id="live"):
                live(session)
            with gr.Tab("How good is it?", id="scores"):
                scores = how_good()
            with gr.Tab("Models", id="models") as tab:
                board = leaderboard()
            with gr.Tab("Use it elsewhere", id="elsewhere"):
                links, examples = use_elsewhere(models)
        about = gr.Markdown(about_of(models.known(None)), elem_id="about")
        add_endpoints(session)
        networks = markup("networks", "networks")

        def rows(name: Any) -> str:
            with mistakes_as_errors():
                return html_of(models, session.speeds, models.known(name).name)

        def show_model(name: Any, request: gr.Request) -> list:
            try:
                session.predictor(name)
            except InputError as error:
                return [{"error": str(error), "at": time.time()}, *(gr.skip() for _ in shown[1:])]
            chosen = models.known(name)
            aurocs = {each.name: aurocs_of(metrics_of(each.repository)) for each in models}
            of_chosen = scores_of(chosen.repository, metrics_of(chosen.repository))
            told = {"scores": aurocs, "at": time.time()}  # the browser leaves out what equals the value before
            return [told, rows(name), *of_chosen, *examples_of(models, name, address_of(request)), about_of(chosen)]

        fresh: dict[str, Any] = {"concurrency_limit": None, "show_progress": "hidden", **PRIVATE}
        shown = [networks, board, *scores, *examples, about]
        # First, as what an event sets off is done in turn: the photo is looked at while the rest is fetched.
        model.change(None, model, None, js="name => hairseg.choose(name)", **PRIVATE)
        gr.on([page.load, model.change, networks.submit], show_model, model, shown, trigger_mode="always_last", **fresh)
        tab.select(rows, model, board, **fresh)  # what has been measured meanwhile
        board.select(None, None, model, js="() => hairseg.asked", **PRIVATE)
        chosen, names = [*linked.values(), model], json.dumps([[*linked, "model"], models.names])[1:-1]
        page.load(None, chosen, chosen, js=f"(...now) => hairseg.readLink({names}, now)", **PRIVATE)
        published = gr.Textbox(visible="hidden")
        page.load(lambda: page.share_url or "", None, published, **PRIVATE)
        gr.on(
            [page.load, published.change, *(component.change for component in chosen)],
            None,
            [*chosen, published],
            links,
            js=f"(...now) => hairseg.writeLinks({names}, now)",
            **PRIVATE,
        )
    return page.queue(max_size=WAITING)


def address_of(request: gr.Request) -> str:
    """The page's address, as the browser that asks has it."""
    asked: Any = request.request
    return route_utils.get_root_url(asked, f"{route_utils.API_PREFIX}/queue/join", asked.scope.get("root_path"))


def about_of(model: Model) -> str:
    """Where the networks come from, and what becomes of photos, in Markdown."""
    return (
        f"Weights: {model}. Photos stay on the machine that serves this page and are deleted after an hour; your "
        "browser keeps nothing of them."
    )
