"""The page's public endpoints for gradio_client, curl and MCP: PNG files at full resolution."""

import base64
from contextlib import suppress
from dataclasses import replace
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from hairseg.errors import InputError
from hairseg.images import alpha_to_grey, encode_png
from hairseg.page.pictures import photo_stem, save_file
from hairseg.page.security import NOT_UPLOADED, resolve_upload, to_message
from hairseg.page.store import HairRequest, PhotoStore
from hairseg.page.workers import Workers
from hairseg.paper import VARIANTS
from hairseg.recolouring.palette import PRESETS, parse_colour
from hairseg.recolouring.settings import DEFAULT_SETTINGS, RecolourSettings, describe

DEFAULT_COLOUR = "copper"

DEFAULT_VARIANT = "pretrained"

NO_SECOND_COLOUR = "none"

MAX_CONCURRENT_CALLS = 4


class Endpoints:
    """The functions of the endpoints.

    Args:
        photos: Cache of the visitors' photos.
        workers: Threads that process them.
    """

    def __init__(self, photos: PhotoStore, workers: Workers):
        self._photos, self._workers = photos, workers

    async def segment(self, photo: Any, model: str | None = None) -> tuple[str | None, str | None]:
        """Segment the hair in a photo with both networks.

        Args:
            photo: A picture of a person.
            model: One of the models that the page serves; the first one by default.

        Returns:
            Greyscale PNG files of the photo's size by the random and the pretrained network: 255 is hair, 0 is not.
        """
        if photo is None:
            return None, None

        def segment() -> tuple[str, str]:
            name = photo_stem(path)
            alphas = {variant: self._photos.full_size(HairRequest(path, variant, model)).alpha for variant in VARIANTS}
            files = {
                variant: save_file(f"{name}-{variant}-mask.png", encode_png(alpha_to_grey(alpha)))
                for variant, alpha in alphas.items()
            }
            return files["random"], files["pretrained"]

        try:
            path = photo_path(photo)
            return await self._workers.run("full size", path, segment)
        except Exception as error:
            raise gr.Error(to_message(error), print_exception=False) from None

    async def recolour(
        self,
        photo: Any,
        colour: str,
        strength: float = DEFAULT_SETTINGS.strength,
        variant: str = DEFAULT_VARIANT,
        vividness: float = DEFAULT_SETTINGS.vividness,
        lightness: float = DEFAULT_SETTINGS.lightness,
        natural_roots: float = DEFAULT_SETTINGS.natural_roots,
        second_mode: str = NO_SECOND_COLOUR,
        second_colour: str = "",
        model: str | None = None,
        ombre_start: float = DEFAULT_SETTINGS.ombre_start,
    ) -> str | None:
        """Give the hair in a photo another colour.

        Args:
            photo: A picture of a person.
            colour: #rrggbb, or a preset such as copper.
            strength: 0 leaves the photo as it is, 1 is fully dyed.
            variant: The network whose mask is used, pretrained or random.
            vividness: -1 is muted, 0 the colour as given, 1 vivid.
            lightness: -1 is darker, 0 the colour as given, 1 lighter.
            natural_roots: Fraction of the hair's length, 0 to 1, along which its natural colour fades out.
            second_mode: none, ombre (the tips) or streaks (single strands).
            second_colour: #rrggbb or a preset.
            model: One of the models that the page serves; the first one by default.
            ombre_start: Fraction of the hair's length, from the roots, at which ombre begins, 0 to 1.

        Returns:
            A PNG file of the photo's size.
        """
        if photo is None:
            return None

        def recolour() -> str:
            settings = read_settings(
                strength, vividness, lightness, natural_roots, second_mode, second_colour, ombre_start
            )
            parse_colour(colour)
            picture = self._photos.full_size(HairRequest(path, variant, model)).recolour(colour, settings)
            return save_file(f"{photo_stem(path)}-recoloured.png", encode_png(picture))

        try:
            path = photo_path(photo)
            return await self._workers.run("full size", path, recolour)
        except Exception as error:
            raise gr.Error(to_message(error), print_exception=False) from None


def photo_path(payload: Any) -> str:
    """Return the path of the photo in an endpoint's payload.

    Args:
        payload: {"path": path of an uploaded file} or {"url": data: URL}, whose content is saved as a file.

    Raises:
        InputError: The payload is anything else, or the file was not uploaded.
    """
    payload = payload if isinstance(payload, dict) else {}
    url = payload.get("url")
    if payload.get("path") is None and isinstance(url, str) and url.startswith("data:"):
        with suppress(ValueError):  # not base64
            return save_file("photo", base64.b64decode(url.partition(",")[2]))
    path = resolve_upload(payload.get("path"), get_upload_folder())
    if path is None:
        raise InputError(NOT_UPLOADED)
    return path


def read_settings(
    strength: Any,
    vividness: Any,
    lightness: Any,
    natural_roots: Any,
    second_mode: Any,
    second_colour: Any,
    ombre_start: Any,
) -> RecolourSettings:
    """Convert the values of the page's controls to settings. Raises InputError if one is invalid."""
    settings = RecolourSettings(strength, vividness, lightness, natural_roots, ombre_start=ombre_start)
    if second_mode == NO_SECOND_COLOUR:
        return settings
    parse_colour(second_colour)  # raises for None, which RecolourSettings accepts
    return replace(settings, second_colour=second_colour, second_mode=second_mode)


def build_slider(setting: str, **options: Any) -> gr.Slider:
    """Build the slider of a numeric setting.

    Args:
        setting: Name of a field of `RecolourSettings`.
        options: Other arguments of `gr.Slider`.
    """
    limits = describe(setting)
    return gr.Slider(limits["lowest"], limits["highest"], limits["default"], step=limits["step"], **options)


def add_endpoints(photos: PhotoStore, workers: Workers) -> None:
    """Add /segment and /recolour to the page, with hidden components.

    The functions get the values as sent (`preprocess=False`), so that Gradio neither opens files nor requests URLs.
    """
    endpoints = Endpoints(photos, workers)
    hidden: dict[str, Any] = {"visible": False}
    photo = gr.Image(label="photo", type="filepath", image_mode=None, **hidden)
    modes = [NO_SECOND_COLOUR, *describe("second_mode")["choices"]]
    settings = [
        gr.ColorPicker(PRESETS[DEFAULT_COLOUR], label="colour", **hidden),
        build_slider("strength", label="strength", **hidden),
        gr.Radio(list(VARIANTS), value=DEFAULT_VARIANT, label="variant", **hidden),
        *(build_slider(name, label=name, **hidden) for name in ("vividness", "lightness", "natural_roots")),
        gr.Radio(modes, value=NO_SECOND_COLOUR, label="second_mode", **hidden),
        gr.ColorPicker(PRESETS["light blond"], label="second_colour", **hidden),
    ]
    ombre_start = build_slider("ombre_start", label="ombre_start", **hidden)
    names = photos.models.names
    model = gr.Dropdown(names, value=names[0], label="model", **hidden)
    masks = [gr.Image(label=f"{variant}_alpha", format="png", **hidden) for variant in ("random", "pretrained")]
    recoloured = gr.Image(label="recoloured", format="png", **hidden)
    shared: dict[str, Any] = {
        "preprocess": False,
        "concurrency_limit": MAX_CONCURRENT_CALLS,
        "concurrency_id": "endpoints",
    }
    gr.Button(**hidden).click(endpoints.segment, [photo, model], masks, api_name="segment", **shared)
    gr.Button(**hidden).click(
        endpoints.recolour, [photo, *settings, model, ombre_start], recoloured, api_name="recolour", **shared
    )
