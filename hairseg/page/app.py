"""The page: `build_page` builds the tabs, `launch_options` returns how Gradio serves them."""

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
from hairseg.page.api import DEFAULT_VARIANT, NO_SECOND_COLOUR, add_endpoints, build_slider
from hairseg.page.elsewhere import build_elsewhere, render_examples
from hairseg.page.health import Health
from hairseg.page.live.live import build_live
from hairseg.page.models import build_models, render_models
from hairseg.page.preview import TITLE, LinkPreview
from hairseg.page.registry import ModelRegistry
from hairseg.page.scores import VARIANT_TITLES, build_scores, read_or_default, render_scores, render_transfer
from hairseg.page.security import MAX_FILE_BYTES, PathAllowlist, RequestSizeLimit
from hairseg.page.store import PhotoStore
from hairseg.page.studio.studio import EXAMPLE_TITLES, StudioService, build_studio, example_thumbnail
from hairseg.page.workarounds import EXCEPTION_HANDLERS, Page, disable_reloader
from hairseg.page.workers import Workers
from hairseg.paper import VARIANTS
from hairseg.recolouring.palette import PRESETS
from hairseg.recolouring.settings import SECOND_MODES, describe

if TYPE_CHECKING:
    from hairseg.inference.predictor import HairPredictor

FOLDER = Path(__file__).parent

MAX_QUEUED_CALLS = 500  # of the endpoints; more are refused

PRIVATE_EVENT: dict[str, Any] = {"api_visibility": "private"}

BROWSER_EVENT: dict[str, Any] = {"fn": None, "queue": False, **PRIVATE_EVENT}

SERVER_EVENT: dict[str, Any] = {
    "queue": False,  # Gradio's client loses results that arrive while the queue's stream ends
    "preprocess": False,  # this page's own messages replace Gradio's
    "trigger_mode": "always_last",
    "show_progress": "hidden",
    **PRIVATE_EVENT,
}

SETTINGS = (
    "colour", "variant", "strength", "vividness", "lightness", "natural_roots", "second_mode", "second_colour",
    "ombre_start",
)  # fmt: skip

PERCENT_SETTINGS = ("natural_roots", "ombre_start")  # stored as fractions, shown in percent

THUMBNAILS = {f"thumbnails/{name}.jpg": name for name in EXAMPLE_TITLES}


class HairPage(Page):
    """The page; `launch` adds `launch_options`."""

    health: Health

    def launch(self, *args: Any, **options: Any) -> Any:
        """Serve the page; see `gr.Blocks.launch`."""
        disable_reloader()
        return super().launch(*args, **{**launch_options(self.health), **options})


def build_page(photos: "PhotoStore | ModelRegistry | HairPredictor", notices: Sequence[str] = ()) -> HairPage:
    """Build the page.

    Args:
        photos: Cache of the visitors' photos; or the models, or a single predictor, for which one is created.
        notices: Sentences about models that are missing or outdated.
    """
    if not isinstance(photos, PhotoStore):
        photos = PhotoStore(photos if isinstance(photos, ModelRegistry) else ModelRegistry.from_predictor(photos))
    models, workers, modules = photos.models, Workers(), modules_path()
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
                with build_studio(service, models.names, modules) as studio:
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
        to_studio = (
            f"(...values) => {{ const chosen = Object.fromEntries({names}.map((name, index) => [name, values[index]]));"
            f" for (const name of {[*PERCENT_SETTINGS]}) chosen[name] /= 100; return chosen; }}"
        )
        from_studio = (
            f"chosen => {names}.map(name => {[*PERCENT_SETTINGS]}.includes(name)"
            " ? Math.round(100 * chosen[name]) : chosen[name])"
        )
        gr.on([control.change for control in controls], inputs=controls, outputs=studio, js=to_studio, **BROWSER_EVENT)
        studio.push(inputs=studio, outputs=controls, js=from_studio, **BROWSER_EVENT)

        def render_model(name: Any, request: gr.Request) -> list[Any]:
            try:
                photos.predictor(name)
                chosen = models.find(name)
            except InputError as error:
                raise gr.Error(str(error), print_exception=False) from None
            return [
                *render_models(models, name),
                *render_scores(chosen.repository, chosen.metrics),
                *render_examples(models, name, page_address(request)),
            ]

        def render_step(step: Any, name: Any) -> str:
            return read_or_default(lambda: render_transfer(models.find(name).metrics, step), "")

        shown = [*board, *scores, *code]
        gr.on([page.load, model.change], render_model, model, shown, **SERVER_EVENT)
        _, steps, transfer, *_ = scores
        steps.change(render_step, [steps, model], transfer, **SERVER_EVENT)
    page.health = Health(models)
    return page.queue(max_size=MAX_QUEUED_CALLS)


def build_settings() -> list[Any]:
    """Build Gradio's components for the settings, in the order of `SETTINGS`."""

    def slider(name: str) -> gr.Slider:
        setting = describe(name)
        if name in PERCENT_SETTINGS:
            label, default = f"{setting['label']} (%)", 100 * setting["default"]
            return gr.Slider(0, 100, default, step=5, label=label, min_width=140, elem_id=name)
        return build_slider(name, label=setting["label"], min_width=140, elem_id=name)

    with gr.Column(elem_id="settings"):
        with gr.Row():
            strength = slider("strength")
            variant = gr.Radio(
                [(VARIANT_TITLES[name], name) for name in reversed(VARIANTS)],
                value=DEFAULT_VARIANT,
                label="Mask to use",
                elem_id="variant",
                min_width=200,
            )
            colour = gr.ColorPicker(PRESETS["copper"], label="Custom colour", elem_id="colour", min_width=130)
        with gr.Accordion("Finer settings", open=False, elem_id="finer"):
            with gr.Row():
                numbers = [slider("vividness"), slider("lightness"), slider("natural_roots")]
            with gr.Row():
                second_mode = gr.Radio(
                    [("Off", NO_SECOND_COLOUR), *((label, mode) for mode, label in SECOND_MODES.items())],
                    value=NO_SECOND_COLOUR,
                    label="Second colour",
                    elem_id="second-mode",
                )
                second_colour = gr.ColorPicker(
                    PRESETS["light blond"], label="Colour of tips or highlights", elem_id="second-colour"
                )
                ombre_start = slider("ombre_start")
        gr.Button("Reset all", size="sm", elem_id="reset")
    return [colour, variant, strength, *numbers, second_mode, second_colour, ombre_start]


@cache
def module_files() -> dict[str, Path]:
    """Return the scripts, stylesheets and example photos by their path below `modules_path`."""
    paths = [path for path in FOLDER.rglob("*") if path.suffix in (".js", ".css", ".jpg")]
    return {path.relative_to(FOLDER).as_posix(): path for path in sorted(paths)}


@cache
def modules_path() -> str:
    """Return the URL path of `module_files`. It contains a hash, so that browsers can cache them for ever."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in module_files().values()))
    return f"modules/{digest.hexdigest()[:12]}"


async def serve_module(request: Request) -> Response:
    """Respond with a script, a stylesheet, an example photo or its thumbnail."""
    name, headers = request.path_params["name"], {"Cache-Control": "public, max-age=31536000, immutable"}
    if name in THUMBNAILS:
        return Response(example_thumbnail(THUMBNAILS[name]), headers=headers, media_type="image/jpeg")
    path = module_files().get(name)
    if path is None:
        raise HTTPException(404)
    return FileResponse(path, headers=headers)


def launch_options(health: Health) -> dict[str, Any]:
    """Return the arguments of `gr.Blocks.launch` that are the same wherever the page is served.

    Args:
        health: Responds to /health, which needs no login.
    """
    links = {".js": "modulepreload", ".css": "stylesheet"}
    head = "".join(
        f'<link rel="{links[path.suffix]}" href="{modules_path()}/{name}">'
        for name, path in module_files().items()
        if path.suffix in links
    )
    return {
        # Stylesheets are linked, since Gradio rewrites selectors in css_paths and drops @property.
        "head": f'{head}<script type="module" src="{modules_path()}/tabs.js"></script>',
        "footer_links": ["api", "gradio"],
        "run_history": False,
        "favicon_path": FOLDER / "icon.png",
        "max_file_size": MAX_FILE_BYTES,
        "enable_monitoring": False,
        "ssr_mode": False,
        "theme": theme(),
        "app_kwargs": {
            "routes": [Route("/health", health.respond), Route(f"/{modules_path()}/{{name:path}}", serve_module)],
            "middleware": [Middleware(PathAllowlist), Middleware(RequestSizeLimit), Middleware(LinkPreview)],
            "exception_handlers": EXCEPTION_HANDLERS,
        },
    }


def theme() -> Base:
    """Return Gradio's Soft theme with the contrast that WCAG 2.2 requires."""
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


def page_address(request: gr.Request) -> str:
    """Return the page's address in the browser, also behind a proxy."""
    http_request: Any = request.request
    root_path = http_request.app.root_path or http_request.scope["root_path"]
    return get_root_url(http_request, f"{API_PREFIX}/run/predict", root_path)
