"""The studio: photo, both masks, before and after, brush and downloads, in one component with its own markup.

The browser calls the functions of `StudioService` by Gradio's `server_functions`; every call gets its own answer. The
browser alone (studio.js) knows what an answer belongs to, and drops answers to a photo or setting that has changed.
"""

import html
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache, partial
from io import BytesIO
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from gradio.processing_utils import save_file_to_cache
from gradio.utils import get_upload_folder
from PIL import Image

from hairseg.errors import InputError, quote
from hairseg.images import alpha_to_grey, encode_jpeg, encode_png, scale_down
from hairseg.page.api import FIRST_COLOUR, FIRST_VARIANT, NO_SECOND_COLOUR, read_settings
from hairseg.page.pictures import colour_name, colour_slug, save_file, save_picture, stem_of
from hairseg.page.scores import f1_captions, f1_on_whole_persons
from hairseg.page.security import LARGEST_FILE, sentence_of, uploaded_file
from hairseg.page.store import PhotoStore
from hairseg.page.studio.comparison import Box, caption, compare, find_focus, find_heads, middle_of, verdict
from hairseg.page.studio.share_card import FORMATS, draw_share_card
from hairseg.page.studio.strokes import MAX_POINTS, MAX_STROKES, STROKE_POINTS, Stroke, read_strokes
from hairseg.page.workers import Workers
from hairseg.paper import VARIANTS
from hairseg.recolouring.collages import contact_sheet
from hairseg.recolouring.palette import PRESETS
from hairseg.recolouring.recolourer import HairRecolourer
from hairseg.recolouring.settings import DEFAULT_SETTINGS, NUMERIC_SETTINGS, RecolourSettings, describe

FOLDER = Path(__file__).parent

EXAMPLES = FOLDER.parent / "examples"

GONE = "The photo is no longer on the server. Upload it again."

THUMBNAIL_SIDE = 112  # pixels

THUMBNAIL_ZOOM = 1.35  # side of a thumbnail's part of the photo, by the size of the hair

DETAIL_SIDE = 1280  # longer side in pixels of the window that a zoomed picture shows

# name: title and credit, which stand beside the example
EXAMPLE_TITLES: dict[str, tuple[str, str]] = json.loads((EXAMPLES / "examples.json").read_text(encoding="utf-8"))

# the preset that begins a family of colours: its heading
FAMILIES = {"black": '<span class="family">Natural</span>', "silver": '<span class="family">Bold</span>'}

# of the natural colours, as hairdressers count them: from 1 (black) to 10 (lightest)
LEVELS = {"black": 1, "dark brown": 3, "chestnut": 5, "copper": 6, "dark blond": 7, "light blond": 9, "platinum": 10}

DOWNLOADS = {
    "recoloured-jpeg": "Recoloured, JPEG",
    "recoloured-png": "Recoloured, PNG",
    "alpha": "Mask",
    "cutout": "Cut-out hair",
    "chart": "Colour chart",
    "card": "Share card",
}


@dataclass(frozen=True)
class Request:
    """A validated request of the browser.

    Args:
        path: An uploaded photo.
        model: Name of the model; None for the first one.
        variant: The network whose mask is used.
        strokes: Of the brush.
        head: Box of the head to recolour; None for all.
        colour: #rrggbb or a preset's name.
        settings: How the colour is applied.
    """

    path: str
    model: str | None
    variant: str
    strokes: tuple[Stroke, ...]
    head: Box | None
    colour: Any
    settings: RecolourSettings

    @classmethod
    def from_json(cls, payload: Any) -> "Request":
        """Validate a payload. Raises InputError, and PhotoGone if its photo is not on the server."""
        payload = payload if isinstance(payload, dict) else {}
        path = uploaded_file(payload.get("photo"), get_upload_folder())
        if path is None:
            raise PhotoGone(GONE)
        numbers = {name: payload.get(name, describe(name)["default"]) for name in NUMERIC_SETTINGS}
        mode, colour = payload.get("second_mode", NO_SECOND_COLOUR), payload.get("second_colour")
        settings = read_settings(**numbers, second_mode=mode, second_colour=colour)
        return cls(
            path,
            payload.get("model"),
            payload.get("variant", FIRST_VARIANT),
            read_strokes(payload.get("strokes")),
            None if payload.get("head") is None else read_window(payload["head"]),
            payload.get("colour", FIRST_COLOUR),
            settings,
        )

    @property
    def edit(self) -> tuple[str, str, tuple[Stroke, ...], str | None, Box | None]:
        """What identifies the recolourer, in the order of `PhotoStore.recolourer`."""
        return self.path, self.variant, self.strokes, self.model, self.head


class PhotoGone(InputError):
    """The photo was never uploaded, or has been deleted."""


class StudioService:
    """The functions that the studio's scripts call, each with one JSON object.

    Every answer is a JSON object: the result, or {"error": sentence, "gone": whether the photo is not on the server}.

    Args:
        photos: The visitors' photos.
        workers: Where the work is done.
    """

    def __init__(self, photos: PhotoStore, workers: Workers):
        self._photos, self._workers = photos, workers

    def functions(self) -> list[Callable[[Any], Awaitable[dict[str, Any]]]]:
        """Return the functions for `server_functions`: Gradio sets an attribute on each, which methods do not allow."""

        def exposed(method: Callable[[Any], Awaitable[dict[str, Any]]]) -> Callable[[Any], Awaitable[dict[str, Any]]]:
            async def function(payload: Any) -> dict[str, Any]:
                return await method(payload)

            function.__name__ = method.__name__
            return function

        methods = (self.segment, self.recolour, self.thumbnails, self.detail, self.download, self.example, self.pending)
        return [exposed(method) for method in methods]

    async def segment(self, payload: Any) -> dict[str, Any]:
        """Both masks, and what they tell."""

        def segment(request: Request) -> dict[str, Any]:
            photo = self._photos.photo(request.path, request.model)
            # random first: the recoloured photo was requested at the same time and needs the pretrained alpha
            alphas = {variant: photo.alpha(variant) for variant in reversed(VARIANTS)}
            comparison = compare(alphas, photo.threshold)
            name, metrics = stem_of(request.path), self._photos.models.find(request.model).metrics
            return {
                "shown": photo.cached("shown", partial(save_picture, name, photo.photo)),
                "size": photo.photo.shape[1::-1],
                "masks": {
                    variant: save_picture(f"{name}-{variant}-mask", alpha_to_grey(alpha))
                    for variant, alpha in alphas.items()
                },
                "captions": {
                    variant: caption(comparison.fractions[variant], alpha) for variant, alpha in alphas.items()
                },
                "scores": f1_captions(metrics),
                "agreement": comparison.agreement,
                "verdict": verdict(comparison, f1_on_whole_persons(metrics)),
                "focus": comparison.focus,
                "heads": comparison.heads if len(comparison.heads) > 1 else [],
                "isFullSize": photo.is_full_size,
            }

        return await self._answer("predict", payload, segment)

    async def recolour(self, payload: Any) -> dict[str, Any]:
        """The recoloured photo at display size."""

        def prepare(request: Request) -> HairRecolourer:
            return self._photos.recolourer(*request.edit)

        def recolour(request: Request) -> dict[str, Any]:
            photo = self._photos.photo(request.path, request.model)
            recolourer = prepare(request)
            picture = recolourer.recolour(request.colour, request.settings)
            name, hair = stem_of(request.path), recolourer.alpha >= photo.threshold
            is_empty = not hair.any() and not request.strokes
            return {
                "src": save_picture(f"{name}-{colour_slug(request.colour)}", picture),
                "shown": photo.cached("shown", partial(save_picture, name, photo.photo)),
                "colour": colour_name(request.colour),
                "middle": middle_of(hair),
                "notice": "This network finds no hair here. Touch up adds some by hand." if is_empty else "",
            }

        def check(request: Request) -> HairRecolourer:
            colour_name(request.colour)
            return prepare(request)

        # the first part blocks until the networks are done, and must not occupy the pool that recolours
        prepared = await self._answer("predict", payload, lambda request: check(request) and {})
        return prepared if "error" in prepared else await self._answer("recolour", payload, recolour)

    async def thumbnails(self, payload: Any) -> dict[str, Any]:
        """One JPEG with the head in every preset, side by side."""

        def thumbnails(request: Request) -> dict[str, Any]:
            recolourer = self._photos.recolourer(*request.edit)
            threshold = self._photos.photo(request.path, request.model).threshold
            photo, alpha = crop_to_head(recolourer.photo, recolourer.alpha, threshold)
            small = HairRecolourer(photo, alpha)
            row = np.hstack([small.recolour(colour, request.settings) for colour in PRESETS])
            return {"src": save_file("thumbnails.jpg", encode_jpeg(row, 80))}

        return await self._answer("predict", payload, thumbnails)

    async def detail(self, payload: Any) -> dict[str, Any]:
        """A window of all pictures at the resolution of the uploaded file."""
        window = payload.get("window") if isinstance(payload, dict) else None

        def detail(request: Request) -> dict[str, Any]:
            left, top, right, bottom = read_window(window)
            chosen = self._photos.full_size(*request.edit)
            height, width = chosen.alpha.shape
            box = box_of((left, top, right, bottom), (height, width))
            pictures: dict[str, np.ndarray] = {
                "photo": chosen.photo[box],
                "recoloured": chosen.recolour(request.colour, request.settings)[box],
            }
            for variant in VARIANTS:
                own = self._photos.full_size(request.path, variant, (), request.model)
                pictures[variant] = alpha_to_grey(own.alpha[box])
            shown = {name: scale_down(np.ascontiguousarray(picture), DETAIL_SIDE) for name, picture in pictures.items()}
            return {
                "window": [box[1].start / width, box[0].start / height, box[1].stop / width, box[0].stop / height],
                **{name: save_picture(f"detail-{name}", picture) for name, picture in shown.items()},
            }

        return await self._answer("full size", payload, detail)

    async def download(self, payload: Any) -> dict[str, Any]:
        """A file at full resolution, of one of the types in `DOWNLOADS`."""
        payload = payload if isinstance(payload, dict) else {}
        kind, link, ratio = payload.get("kind"), str(payload.get("link") or "")[:80], payload.get("format")

        def make(request: Request) -> dict[str, Any]:
            full = self._photos.full_size(*request.edit)
            name, colour = stem_of(request.path), colour_slug(request.colour)
            if kind == "recoloured-png":
                file = f"{name}-{colour}.png", encode_png(full.recolour(request.colour, request.settings))
            elif kind == "recoloured-jpeg":
                file = f"{name}-{colour}.jpg", encode_jpeg(full.recolour(request.colour, request.settings))
            elif kind == "alpha":
                edited = "-edited" if request.strokes else ""
                file = f"{name}-{request.variant}-mask{edited}.png", encode_png(alpha_to_grey(full.alpha))
            elif kind == "cutout":
                file = f"{name}-hair.png", encode_png(full.cutout())
            elif kind == "chart":
                file = f"{name}-colours.png", encode_png(contact_sheet(full.photo, full.alpha, request.settings))
            elif kind == "card":
                file = f"{name}-card.jpg", encode_jpeg(self._card(request, ratio, link))
            else:
                raise InputError(f"{quote(kind)} is not a download.", remedy=f"Choose one of {', '.join(DOWNLOADS)}.")
            return {"src": save_file(*file), "name": file[0]}

        return await self._answer("full size", payload, make)

    def _card(self, request: Request, ratio: Any, link: str) -> np.ndarray:
        if ratio is not None and ratio not in FORMATS:
            raise InputError(f"{quote(ratio)} is not a format.", remedy=f"Choose one of {', '.join(FORMATS)}.")
        photo = self._photos.photo(request.path, request.model)
        recolourer = self._photos.recolourer(*request.edit)
        recoloured = recolourer.recolour(request.colour, request.settings)
        focus = find_focus(recolourer.alpha >= photo.threshold) or (0, 0, 1, 1)
        box = box_of(focus, photo.photo.shape[:2])
        alphas = {variant: photo.alpha(variant)[box] for variant in VARIANTS}
        size = FORMATS[ratio or "4:5"]
        return draw_share_card(photo.photo[box], alphas, recoloured[box], colour_name(request.colour), link, size)

    async def example(self, name: Any) -> dict[str, Any]:
        """Path of an example photo, as if it had been uploaded."""
        if not isinstance(name, str) or name not in EXAMPLE_TITLES:
            known = ", ".join(EXAMPLE_TITLES)
            return {"error": str(InputError(f"{quote(name)} is not an example.", remedy=f"Choose one of {known}."))}
        return {"photo": save_file_to_cache(EXAMPLES / f"{name}.jpg", get_upload_folder())}

    async def pending(self, _: Any) -> dict[str, Any]:
        """Number of requests of all visitors that run or wait."""
        return {"pending": self._workers.pending}

    async def _answer(self, kind: str, payload: Any, work: Callable[[Request], dict[str, Any]]) -> dict[str, Any]:
        try:
            request = Request.from_json(payload)
            return await self._workers.run(kind, request.path, lambda: work(request))
        except Exception as error:
            return {"error": sentence_of(error), "gone": isinstance(error, PhotoGone)}


def crop_to_head(photo: np.ndarray, alpha: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Crop a square around the hair and scale it to `THUMBNAIL_SIDE`."""
    height, width = alpha.shape
    heads = find_heads(alpha >= threshold) or [(0.0, 0.0, 1.0, 1.0)]
    left, top, right, bottom = max(heads, key=lambda head: (head[2] - head[0]) * (head[3] - head[1]))
    side = min(width, height, max(16, round(THUMBNAIL_ZOOM * max((right - left) * width, (bottom - top) * height))))
    x = min(max(0, round((left + right) / 2 * width - side / 2)), width - side)
    y = min(max(0, round(top * height - side / 8)), height - side)
    box = np.s_[y : y + side, x : x + side]
    photo, alpha = np.ascontiguousarray(photo[box]), np.ascontiguousarray(alpha[box])
    return scale_down(photo, THUMBNAIL_SIDE), scale_down(alpha, THUMBNAIL_SIDE)


def box_of(window: Box, shape: tuple[int, int]) -> tuple[slice, slice]:
    """Return the rows and columns of a window (left, top, right, bottom), at least one pixel.

    Example:
        >>> box_of((0.25, 0, 0.5, 1), (10, 8))
        (slice(0, 10, None), slice(2, 4, None))
    """
    height, width = shape
    left, top, right, bottom = window
    rows, columns = int(top * height), int(left * width)
    return slice(rows, max(rows + 1, round(bottom * height))), slice(columns, max(columns + 1, round(right * width)))


def read_window(window: Any) -> Box:
    """Validate (left, top, right, bottom), fractions of the photo. Raises InputError."""
    is_numbers = (
        isinstance(window, list)
        and len(window) == 4
        and all(isinstance(value, int | float) and not isinstance(value, bool) for value in window)
    )
    if is_numbers and 0 <= window[0] < window[2] <= 1 and 0 <= window[1] < window[3] <= 1:
        left, top, right, bottom = window
        return left, top, right, bottom
    raise InputError(f"The window is {quote(window)}.", remedy="Send left, top, right and bottom between 0 and 1.")


def studio_component(service: StudioService, models: list[str], modules: str) -> gr.HTML:
    """Build the component. Used as a context, it holds the stock components of the settings.

    It is not a subclass: Gradio would write a .pyi file beside its source.

    Args:
        service: What the scripts call.
        models: Names of the models.
        modules: Address of the scripts, relative to the page.
    """
    constants = {
        "presets": PRESETS,
        "variants": VARIANTS,
        "models": models,
        "numbers": {
            name: [describe(name)[key] for key in ("lowest", "highest", "default")] for name in NUMERIC_SETTINGS
        },
        "modes": [NO_SECOND_COLOUR, *describe("second_mode")["choices"]],
        "brush": {"strokes": MAX_STROKES, "points": MAX_POINTS, "strokePoints": STROKE_POINTS},
        "largestMegabytes": LARGEST_FILE // 2**20,
        "firstExample": next(iter(EXAMPLE_TITLES)),
    }
    return gr.HTML(
        first_settings(),
        html_template=read_template(modules),
        js_on_load=(
            f"import(new URL('{modules}/studio/studio.js', document.baseURI))"
            ".then(module => module.start(element, {props, trigger, server, upload, watch}, "
            f"{json.dumps(constants)}))"
            "; 'push'"  # Gradio offers the events whose names stand in this script
        ),
        server_functions=service.functions(),
        apply_default_css=False,
        elem_id="studio",
    )


def first_settings() -> dict[str, Any]:
    """Return the settings that a page begins with, by their names in links."""
    return {
        "colour": PRESETS[FIRST_COLOUR],
        "variant": FIRST_VARIANT,
        **{name: getattr(DEFAULT_SETTINGS, name) for name in NUMERIC_SETTINGS},
        "second_mode": NO_SECOND_COLOUR,
        "second_colour": PRESETS["light blond"],
        "model": None,
    }


def swatch_id(preset: str) -> str:
    """Return the id of a preset's swatch.

    Example:
        >>> swatch_id("light blond")
        'swatch-light-blond'
    """
    return f"swatch-{preset.replace(' ', '-')}"


def swatch_label(preset: str) -> str:
    """Return a preset's name, and its level where hairdressers give it one.

    Example:
        >>> swatch_label("light blond"), swatch_label("violet")
        ('light blond (9)', 'violet')
    """
    return f"{preset} ({LEVELS[preset]})" if preset in LEVELS else preset


def read_template(modules: str) -> str:
    """Return the markup with the presets, downloads and examples filled in."""
    swatches = "".join(
        FAMILIES.get(name, "")
        + f'<button type="button" class="swatch" id="{swatch_id(name)}" data-preset="{name}" aria-pressed="false" '
        f'style="--swatch: {code}; --index: {index}"><span class="thumbnail"></span>{swatch_label(name)}</button>'
        for index, (name, code) in enumerate(PRESETS.items())
    )
    downloads = "".join(
        f'<button type="button" data-download="{kind}" id="{kind}-button">{title}</button>'
        for kind, title in DOWNLOADS.items()
    )
    examples = "".join(
        f'<li><button type="button" data-example="{name}" aria-label="Example: {html.escape(title)}">'
        f'<img src="{modules}/thumbnails/{name}.jpg" data-large="{modules}/examples/{name}.jpg" alt=""></button>'
        f"<span>{html.escape(title)}<small>{html.escape(credit)}</small></span></li>"
        for name, (title, credit) in EXAMPLE_TITLES.items()
    )
    template = (FOLDER / "studio.html").read_text(encoding="utf-8")
    for marker, content in {"SWATCHES": swatches, "DOWNLOADS": downloads, "EXAMPLES": examples}.items():
        template = template.replace(f"<!--{marker}-->", content)
    return template


@cache
def example_thumbnail(name: str) -> bytes:
    """Return a small JPEG of an example."""
    with Image.open(EXAMPLES / f"{name}.jpg") as picture:
        picture.thumbnail((184, 184))
        file = BytesIO()
        picture.save(file, "JPEG", quality=75)
    return file.getvalue()
