"""The page: `build_page` puts the tabs together, `launch_options` is how it is launched."""

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.route_utils import API_PREFIX, get_root_url
from gradio.themes import Base, Soft
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from hairseg.errors import InputError
from hairseg.page.api import FIRST_VARIANT, NO_SECOND_COLOUR, add_endpoints
from hairseg.page.elsewhere import build_elsewhere, code_examples
from hairseg.page.live.live import build_live
from hairseg.page.models import build_models, describe_models
from hairseg.page.preview import TITLE, LinkPreview
from hairseg.page.registry import ModelRegistry
from hairseg.page.scores import (
    build_scores,
    show_scores,
    transfer_of,
)
from hairseg.page.security import LARGEST_FILE, AllowedAddresses, BoundedRequests
from hairseg.page.store import PhotoStore
from hairseg.page.studio.studio import EXAMPLE_TITLES, StudioService, example_thumbnail, studio_component
from hairseg.page.workarounds import EXCEPTION_HANDLERS, Page, disable_reloader, replace_parser_and_state_holder
from hairseg.page.workers import Workers
from hairseg.recolouring.palette import PRESETS
from hairseg.recolouring.settings import describe

if TYPE_CHECKING:
    from hairseg.inference.predictor import HairPredictor

FOLDER = Path(__file__).parent

MAX_QUEUED = 500  # calls of the endpoints; more are refused

PRIVATE: dict[str, Any] = {"api_visibility": "private"}

IN_BROWSER: dict[str, Any] = {"fn": None, "queue": False, **PRIVATE}

ON_SERVER: dict[str, Any] = {
    "queue": False,  # Gradio's client misses answers in the moment in which the queue's stream ends
    "preprocess": False,  # wrong values get a sentence of ours
    "trigger_mode": "always_last",
    "show_progress": "hidden",
    **PRIVATE,
}

SETTINGS = ("colour", "variant", "strength", "vividness", "lightness", "natural_roots", "second_mode", "second_colour")

THUMBNAILS = {f"thumbnails/{name}.jpg": name for name in EXAMPLE_TITLES}

LABELS = {"strength": "Strength", "vividness": "Vividness", "lightness": "Brightness", "natural_roots": "Natural roots"}


class HairPage(Page):
    """The page; `launch` adds what does not depend on where it is served."""

    def launch(self, *args: Any, **options: Any) -> Any:
        replace_parser_and_state_holder()
        disable_reloader()
        return super().launch(*args, **{**launch_options(), **options})


def build_page(photos: "PhotoStore | ModelRegistry | HairPredictor", notices: Sequence[str] = ()) -> gr.Blocks:
    """Build the page.

    Args:
        photos: The visitors' photos, with the models; or the models; or the networks of the only one.
        notices: One sentence each about models that are missing or outdated.
    """
    if not isinstance(photos, PhotoStore):
        photos = PhotoStore(photos if isinstance(photos, ModelRegistry) else ModelRegistry.from_predictor(photos))
    models, workers, modules = photos.models, Workers(), modules_address()
    with HairPage(title=TITLE, analytics_enabled=False, fill_width=True) as page:
        gr.Markdown(
            f"# {TITLE}\nSee two networks find your hair: one that started from scratch, one that had seen photos "
            "before. Then change its colour.",
            elem_id="title",
        )
        model = gr.Dropdown(
            models.names, label="Model", filterable=False, visible=len(models.names) > 1 or "hidden", elem_id="model"
        )
        if notices:
            gr.Markdown("\n\n".join(f"**Note:** {notice}" for notice in notices), elem_id="notice")
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab("Try it", id="try"):
                service = StudioService(photos, workers)
                with studio_component(service, models.names, modules) as studio:
                    settings = build_settings()
            with gr.Tab("Live", id="live"):
                build_live(photos, modules)
            with gr.Tab("What pretraining is worth", id="scores"):
                scores = build_scores()
            with gr.Tab("Models", id="models"):
                board = build_models()
            with gr.Tab("Use it elsewhere", id="elsewhere"):
                code = build_elsewhere(models)
        gr.Markdown(
            "Photos stay on the machine that serves this page and are deleted after an hour; your browser keeps none.",
            elem_id="about",
        )
        add_endpoints(photos, workers)

        controls: list[Any] = [*settings, model]
        names = [*SETTINGS, "model"]
        to_studio = f"(...values) => Object.fromEntries({names}.map((name, index) => [name, values[index]]))"
        from_studio = f"chosen => {names}.map(name => chosen[name])"
        gr.on([control.change for control in controls], inputs=controls, outputs=studio, js=to_studio, **IN_BROWSER)
        studio.push(inputs=studio, outputs=controls, js=from_studio, **IN_BROWSER)

        def show_model(name: Any, request: gr.Request) -> list[Any]:
            try:
                photos.predictor(name)
                chosen = models.find(name)
            except InputError as error:
                raise gr.Error(str(error), print_exception=False) from None
            return [
                describe_models(models, name),
                *show_scores(chosen.repository, chosen.metrics),
                *code_examples(models, name, address_of(request)),
            ]

        def show_step(step: Any, name: Any) -> str:
            return transfer_of(models.find(name).metrics, step)

        shown = [board, *scores, *code]
        gr.on([page.load, model.change], show_model, model, shown, **ON_SERVER)
        _, steps, transfer, *_ = scores
        steps.change(show_step, [steps, model], transfer, **ON_SERVER)
    return page.queue(max_size=MAX_QUEUED)


def build_settings() -> list[Any]:
    """Build the stock components of the settings, in the order of `SETTINGS`."""

    def slider(name: str) -> gr.Slider:
        setting = describe(name)
        span = {"minimum": setting["lowest"], "maximum": setting["highest"], "step": setting["step"]}
        return gr.Slider(value=setting["default"], label=LABELS[name], min_width=140, elem_id=name, **span)

    with gr.Column(elem_id="settings"):
        with gr.Row():
            strength = slider("strength")
            variant = gr.Radio(
                [("From scratch", "random"), ("Pretrained", "pretrained")],
                value=FIRST_VARIANT,
                label="Mask to use",
                elem_id="variant",
                min_width=200,
            )
            colour = gr.ColorPicker(PRESETS["copper"], label="Custom colour", elem_id="colour", min_width=130)
        with gr.Accordion("Finer settings", open=False, elem_id="finer"):
            with gr.Row():
                numbers = [slider(name) for name in ("vividness", "lightness", "natural_roots")]
            with gr.Row():
                second_mode = gr.Radio(
                    [("Off", NO_SECOND_COLOUR), ("Ombré", "ombre"), ("Highlights", "streaks")],
                    value=NO_SECOND_COLOUR,
                    label="Second colour",
                    elem_id="second-mode",
                )
                second_colour = gr.ColorPicker(
                    PRESETS["light blond"], label="Colour of tips or highlights", elem_id="second-colour"
                )
        gr.Button("Reset all", size="sm", elem_id="reset")
    return [colour, variant, strength, *numbers, second_mode, second_colour]


@cache
def module_files() -> dict[str, Path]:
    """Return the scripts and example photos by their address below `modules_address`."""
    paths = [FOLDER / "tabs.js", *FOLDER.glob("studio/*.js"), *FOLDER.glob("live/*.js"), *FOLDER.glob("examples/*.jpg")]
    return {path.relative_to(FOLDER).as_posix(): path for path in sorted(paths)}


@cache
def modules_address() -> str:
    """Return the address of scripts and examples. It contains a hash, so that browsers may cache them for ever."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in module_files().values()))
    return f"modules/{digest.hexdigest()[:12]}"


async def serve_module(request: Request) -> Response:
    name, headers = request.path_params["name"], {"Cache-Control": "public, max-age=31536000, immutable"}
    if name in THUMBNAILS:
        return Response(example_thumbnail(THUMBNAILS[name]), headers=headers, media_type="image/jpeg")
    path = module_files().get(name)
    if path is None:
        raise HTTPException(404)
    return FileResponse(path, headers=headers)


def launch_options() -> dict[str, Any]:
    """Return the arguments of `gr.Blocks.launch` that do not depend on where the page is served."""
    preload = "".join(
        f'<link rel="modulepreload" href="{modules_address()}/{name}">'
        for name in module_files()
        if name.endswith(".js")
    )
    return {
        "css_paths": [FOLDER / "studio" / "studio.css", FOLDER / "live" / "live.css"],
        "head": f'{preload}<script type="module" src="{modules_address()}/tabs.js"></script>',
        "footer_links": ["api", "gradio"],
        "run_history": False,
        "favicon_path": FOLDER / "icon.png",
        "max_file_size": LARGEST_FILE,
        "enable_monitoring": False,
        "ssr_mode": False,
        "_frontend": False,  # otherwise Gradio requests the page for 3 s, and gives up on a busy machine
        "theme": theme(),
        "app_kwargs": {
            "routes": [Route(f"/{modules_address()}/{{name:path}}", serve_module)],
            "middleware": [Middleware(AllowedAddresses), Middleware(BoundedRequests), Middleware(LinkPreview)],
            "exception_handlers": EXCEPTION_HANDLERS,
        },
    }


def theme() -> Base:
    """Return Gradio's Soft theme with the contrast that WCAG 2.2 asks for."""
    return Soft().set(
        block_title_text_color="#1f2937",
        block_title_text_color_dark="#f3f4f6",
        block_info_text_color="#4b5563",
        block_info_text_color_dark="#d1d5db",
        body_text_color_subdued="#4b5563",
        block_label_text_color="#1f2937",
        block_label_text_color_dark="#f3f4f6",
        checkbox_label_background_fill_selected="#4f46e5",
        checkbox_label_background_fill_selected_dark="#4f46e5",
        checkbox_border_color="#6b7280",
        input_border_color="#868e9b",
        body_text_color_subdued_dark="#d1d5db",
    )


def address_of(request: gr.Request) -> str:
    """Return the page's address as the browser knows it."""
    asked: Any = request.request
    return get_root_url(asked, f"{API_PREFIX}/run/predict", asked.app.root_path or asked.scope["root_path"])
