"""The studio: photo, both masks, before and after, brush and downloads, as one HTML component.

The browser calls the methods of `StudioService` through Gradio's `server_functions`. They keep no state of a visitor:
studio.js discards a response if the photo or a setting has changed since the request.
"""

import html
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from io import BytesIO
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from gradio.utils import get_upload_folder
from PIL import Image

from hairseg.errors import InputError, quote
from hairseg.images import alpha_to_grey, encode_jpeg, encode_png, scale_down
from hairseg.page.api import DEFAULT_COLOUR, DEFAULT_VARIANT, NO_SECOND_COLOUR, read_settings
from hairseg.page.pictures import colour_name, colour_slug, photo_stem, save_file, save_picture
from hairseg.page.scores import f1_captions, f1_on_whole_persons
from hairseg.page.security import MAX_FILE_BYTES, resolve_upload, to_message
from hairseg.page.store import HairRequest, PhotoStore
from hairseg.page.studio.comparison import Box, caption, compare, find_focus, find_heads, find_middle, verdict
from hairseg.page.studio.share_card import FORMATS, draw_share_card
from hairseg.page.studio.strokes import POINTS_PER_STROKE, read_strokes
from hairseg.page.studio.swatches import render_swatches
from hairseg.page.workarounds import to_functions
from hairseg.page.workers import Pool, Workers
from hairseg.paper import VARIANTS
from hairseg.recolouring.collages import contact_sheet
from hairseg.recolouring.palette import PRESETS
from hairseg.recolouring.recolourer import HairRecolourer
from hairseg.recolouring.settings import DEFAULT_SETTINGS, NUMERIC_SETTINGS, SECOND_MODES, RecolourSettings, describe

FOLDER = Path(__file__).parent

EXAMPLES = FOLDER.parent / "examples"

PHOTO_GONE = "The photo is no longer on the server. Upload it again."

THUMBNAIL_SIDE = 112  # pixels

CROP_FACTOR = 1.35  # side of a thumbnail's crop, as a multiple of the size of the hair

DETAIL_SIDE = 1280  # longer side in pixels of a magnified window

# title and credit by name
EXAMPLE_TITLES: dict[str, tuple[str, str]] = json.loads((EXAMPLES / "examples.json").read_text(encoding="utf-8"))

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
        hair: The photo, and which hair of it to use.
        colour: #rrggbb or a preset's name.
        settings: How the colour is applied.
    """

    hair: HairRequest
    colour: Any
    settings: RecolourSettings

    @classmethod
    def from_json(cls, payload: Any) -> "Request":
        """Validate a payload.

        Raises:
            PhotoGone: The photo is not on the server.
            InputError: A value is invalid.
        """
        payload = payload if isinstance(payload, dict) else {}
        path = resolve_upload(payload.get("photo"), get_upload_folder())
        if path is None:
            raise PhotoGone(PHOTO_GONE)
        numbers = {name: payload.get(name, describe(name)["default"]) for name in NUMERIC_SETTINGS}
        mode, colour = payload.get("second_mode", NO_SECOND_COLOUR), payload.get("second_colour")
        settings = read_settings(**numbers, second_mode=mode, second_colour=colour)
        hair = HairRequest(
            path,
            payload.get("variant", DEFAULT_VARIANT),
            payload.get("model"),
            read_strokes(payload.get("strokes")),
            None if payload.get("head") is None else read_window(payload["head"]),
        )
        return cls(hair, payload.get("colour", DEFAULT_COLOUR), settings)


class PhotoGone(InputError):
    """The photo was never uploaded, or has been deleted."""


class StudioService:
    """The functions that the studio's scripts call.

    Each takes and returns a JSON object: the result, or {"error": message, "gone": whether the photo is not on the
    server}.

    Args:
        photos: Cache of the visitors' photos.
        workers: Threads that process them.
    """

    def __init__(self, photos: PhotoStore, workers: Workers):
        self._photos, self._workers = photos, workers

    def functions(self) -> list[Callable[[Any], Awaitable[dict[str, Any]]]]:
        """Return the functions below, for `server_functions`."""
        return to_functions(
            self.segment, self.recolour, self.thumbnails, self.detail, self.download, self.example, self.pending
        )

    async def segment(self, payload: Any) -> dict[str, Any]:
        """Return both masks, captions, and a comparison of the networks."""

        def segment(request: Request) -> dict[str, Any]:
            photo = self._photos.photo(request.hair.path, request.hair.model)
            # random first: a concurrent request for the recoloured photo computes the pretrained alpha
            alphas = {variant: photo.alpha(variant) for variant in reversed(VARIANTS)}
            comparison = compare(alphas, photo.threshold)
            name, metrics = photo_stem(request.hair.path), self._photos.models.find(request.hair.model).metrics
            return {
                "shown": photo.cached("shown", partial(save_picture, name, photo.photo)),
                "size": photo.photo.shape[1::-1],
                "masks": {
                    variant: save_picture(f"{name}-{variant}-mask", alpha_to_grey(alpha))
                    for variant, alpha in alphas.items()
                },
                "captions": {
                    variant: caption(comparison.fractions[variant], alpha, photo.photo, comparison.small_heads)
                    for variant, alpha in alphas.items()
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
        """Return the recoloured photo at display size."""

        def prepare(request: Request) -> dict[str, Any]:
            colour_name(request.colour)  # raises InputError before the networks run
            self._photos.recolourer(request.hair)
            return {}

        def recolour(request: Request) -> dict[str, Any]:
            photo = self._photos.photo(request.hair.path, request.hair.model)
            recolourer = self._photos.recolourer(request.hair)
            picture = recolourer.recolour(request.colour, request.settings)
            name, hair = photo_stem(request.hair.path), recolourer.alpha >= photo.threshold
            is_empty = not hair.any() and not request.hair.strokes
            return {
                "src": save_picture(f"{name}-{colour_slug(request.colour)}", picture),
                "shown": photo.cached("shown", partial(save_picture, name, photo.photo)),
                "colour": colour_name(request.colour),
                "middle": find_middle(hair),
                "notice": "This network finds no hair here. Touch up adds some by hand." if is_empty else "",
            }

        # blocks until the networks are done, so it must not occupy the pool for recolouring
        prepared = await self._answer("predict", payload, prepare)
        return prepared if "error" in prepared else await self._answer("recolour", payload, recolour)

    async def thumbnails(self, payload: Any) -> dict[str, Any]:
        """Return one JPEG with the head, side by side: in every preset as first or second colour, in every mode."""
        payload = payload if isinstance(payload, dict) else {}
        is_second = payload.get("target") == "second_colour"

        def thumbnails(request: Request) -> dict[str, Any]:
            recolourer = self._photos.recolourer(request.hair)
            threshold = self._photos.photo(request.hair.path, request.hair.model).threshold
            photo, alpha = crop_to_head(recolourer.photo, recolourer.alpha, threshold)
            small = HairRecolourer(photo, alpha)
            dyes = [
                (request.colour, replace(request.settings, second_colour=preset))
                if is_second
                else (preset, request.settings)
                for preset in PRESETS
            ]
            for mode in (NO_SECOND_COLOUR, *SECOND_MODES):
                shown = Request.from_json({**default_settings(), **payload, "second_mode": mode})
                dyes.append((request.colour, shown.settings))
            row = np.hstack([small.recolour(colour, settings) for colour, settings in dyes])
            return {"src": save_file("thumbnails.jpg", encode_jpeg(row, 80))}

        return await self._answer("predict", payload, thumbnails)

    async def detail(self, payload: Any) -> dict[str, Any]:
        """Return a window of all pictures at the resolution of the uploaded file."""
        window = payload.get("window") if isinstance(payload, dict) else None

        def detail(request: Request) -> dict[str, Any]:
            requested = read_window(window)
            chosen = self._photos.full_size(request.hair)
            height, width = chosen.alpha.shape
            box = window_slices(requested, (height, width))
            pictures: dict[str, np.ndarray] = {
                "photo": chosen.photo[box],
                "recoloured": chosen.recolour(request.colour, request.settings)[box],
            }
            for variant in VARIANTS:
                unedited = self._photos.full_size(HairRequest(request.hair.path, variant, request.hair.model))
                pictures[variant] = alpha_to_grey(unedited.alpha[box])
            shown = {name: scale_down(np.ascontiguousarray(picture), DETAIL_SIDE) for name, picture in pictures.items()}
            return {
                "window": [box[1].start / width, box[0].start / height, box[1].stop / width, box[0].stop / height],
                **{name: save_picture(f"detail-{name}", picture) for name, picture in shown.items()},
            }

        return await self._answer("full size", payload, detail)

    async def download(self, payload: Any) -> dict[str, Any]:
        """Return a file at full resolution, of one of the types in `DOWNLOADS`."""
        payload = payload if isinstance(payload, dict) else {}
        kind, link, ratio = payload.get("kind"), str(payload.get("link") or "")[:80], payload.get("format")

        def make(request: Request) -> dict[str, Any]:
            full = self._photos.full_size(request.hair)
            name, colour = photo_stem(request.hair.path), colour_slug(request.colour)
            if kind == "recoloured-png":
                file = f"{name}-{colour}.png", encode_png(full.recolour(request.colour, request.settings))
            elif kind == "recoloured-jpeg":
                file = f"{name}-{colour}.jpg", encode_jpeg(full.recolour(request.colour, request.settings))
            elif kind == "alpha":
                edited = "-edited" if request.hair.strokes else ""
                file = f"{name}-{request.hair.variant}-mask{edited}.png", encode_png(alpha_to_grey(full.alpha))
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
        photo = self._photos.photo(request.hair.path, request.hair.model)
        recolourer = self._photos.recolourer(request.hair)
        recoloured = recolourer.recolour(request.colour, request.settings)
        focus = find_focus(find_heads(recolourer.alpha >= photo.threshold)) or (0, 0, 1, 1)
        box = window_slices(focus, photo.photo.shape[:2])
        alphas = {variant: photo.alpha(variant)[box] for variant in VARIANTS}
        size = FORMATS[ratio or "4:5"]
        return draw_share_card(photo.photo[box], alphas, recoloured[box], colour_name(request.colour), link, size)

    async def example(self, name: Any) -> dict[str, Any]:
        """Copy an example photo to the uploads and return its path."""
        if not isinstance(name, str) or name not in EXAMPLE_TITLES:
            known = ", ".join(EXAMPLE_TITLES)
            return {"error": str(InputError(f"{quote(name)} is not an example.", remedy=f"Choose one of {known}."))}
        # Gradio's `save_file_to_cache` keeps the modification time, so the copy would be deleted as an old file
        return {"photo": save_file(f"{name}.jpg", (EXAMPLES / f"{name}.jpg").read_bytes())}

    async def pending(self, _: Any) -> dict[str, Any]:
        """Return the number of running and waiting requests of all visitors."""
        return {"pending": self._workers.pending}

    async def _answer(self, pool: Pool, payload: Any, work: Callable[[Request], dict[str, Any]]) -> dict[str, Any]:
        try:
            request = Request.from_json(payload)
            return await self._workers.run(pool, request.hair.path, lambda: work(request))
        except Exception as error:
            return {"error": to_message(error), "gone": isinstance(error, PhotoGone)}


def crop_to_head(photo: np.ndarray, alpha: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Crop a square around the largest head and scale it to `THUMBNAIL_SIDE`.

    Args:
        photo: uint8 RGB, (height, width, 3).
        alpha: float32 in [0, 1], (height, width).
        threshold: Alpha from which a pixel is hair.

    Returns:
        Photo and alpha of the crop.
    """
    height, width = alpha.shape
    heads = find_heads(alpha >= threshold) or [(0.0, 0.0, 1.0, 1.0)]
    left, top, right, bottom = max(heads, key=lambda head: (head[2] - head[0]) * (head[3] - head[1]))
    side = min(width, height, max(16, round(CROP_FACTOR * max((right - left) * width, (bottom - top) * height))))
    x = min(max(0, round((left + right) / 2 * width - side / 2)), width - side)
    y = min(max(0, round(top * height - side / 8)), height - side)
    box = np.s_[y : y + side, x : x + side]
    photo, alpha = np.ascontiguousarray(photo[box]), np.ascontiguousarray(alpha[box])
    return scale_down(photo, THUMBNAIL_SIDE), scale_down(alpha, THUMBNAIL_SIDE)


def window_slices(window: Box, shape: tuple[int, int]) -> tuple[slice, slice]:
    """Return the rows and columns of a window, at least one of each.

    Args:
        window: (left, top, right, bottom) as fractions of width and height.
        shape: Height and width in pixels.

    Example:
        >>> window_slices((0.25, 0, 0.5, 1), (10, 8))
        (slice(0, 10, None), slice(2, 4, None))
    """
    height, width = shape
    left, top, right, bottom = window
    rows, columns = int(top * height), int(left * width)
    return slice(rows, max(rows + 1, round(bottom * height))), slice(columns, max(columns + 1, round(right * width)))


def read_window(window: Any) -> Box:
    """Validate a window [left, top, right, bottom], fractions of width and height. Raises InputError."""
    has_numbers = (
        isinstance(window, list)
        and len(window) == 4
        and all(isinstance(value, int | float) and not isinstance(value, bool) for value in window)
    )
    if has_numbers and 0 <= window[0] < window[2] <= 1 and 0 <= window[1] < window[3] <= 1:
        left, top, right, bottom = window
        return left, top, right, bottom
    raise InputError(f"The window is {quote(window)}.", remedy="Send left, top, right and bottom between 0 and 1.")


def build_studio(service: StudioService, models: list[str], modules: str) -> gr.HTML:
    """Build the component. As a context manager, it contains Gradio's components for the settings.

    It is not a subclass of `gr.HTML`, for which Gradio would write a .pyi file beside the source.

    Args:
        service: The functions that the scripts call.
        models: Names of the models.
        modules: URL path of the scripts, relative to the page.
    """
    constants = {
        "presets": PRESETS,
        "variants": VARIANTS,
        "models": models,
        "numbers": {
            name: [describe(name)[key] for key in ("lowest", "highest", "default")] for name in NUMERIC_SETTINGS
        },
        "modes": [NO_SECOND_COLOUR, *describe("second_mode")["choices"]],
        "strokePoints": POINTS_PER_STROKE,
        "largestMegabytes": MAX_FILE_BYTES // 2**20,
        "firstExample": next(iter(EXAMPLE_TITLES)),
    }
    return gr.HTML(
        default_settings(),
        html_template=read_template(modules),
        js_on_load=(
            f"import(new URL('{modules}/studio/studio.js', document.baseURI))"
            ".then(module => module.start(element, {props, trigger, server, upload, watch}, "
            f"{json.dumps(constants)}))"
            "; 'push'"  # Gradio supports the events that this script names
        ),
        server_functions=service.functions(),
        apply_default_css=False,
        elem_id="studio",
    )


def default_settings() -> dict[str, Any]:
    """Return the initial settings of a page, by their names in links."""
    return {
        "colour": PRESETS[DEFAULT_COLOUR],
        "variant": DEFAULT_VARIANT,
        **{name: getattr(DEFAULT_SETTINGS, name) for name in NUMERIC_SETTINGS},
        "second_mode": NO_SECOND_COLOUR,
        "second_colour": PRESETS["light blond"],
        "model": None,
    }


def read_template(modules: str) -> str:
    """Return the markup of the component, with presets, downloads and examples."""
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
    for marker, content in {
        "SWATCHES": render_swatches(with_ids=True),
        "DOWNLOADS": downloads,
        "EXAMPLES": examples,
    }.items():
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
