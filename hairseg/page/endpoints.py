"""The page's public endpoints, for gradio_client and MCP: own size, PNG."""

from dataclasses import replace
from typing import Any

import gradio as gr

from hairseg.images import alpha_to_grey, encode_png
from hairseg.page.components import (
    ColourPicker,
    Dropdown,
    PhotoUpload,
    Radio,
    Slider,
    mistakes_as_errors,
    save_file,
)
from hairseg.page.session import PageSession, name_of
from hairseg.page.style import FIRST_COLOUR, FIRST_VARIANT, ONE_COLOUR
from hairseg.paper import VARIANTS
from hairseg.recolouring.palette import PRESETS, parse_colour
from hairseg.recolouring.settings import DEFAULT_SETTINGS, RecolourSettings, describe

AT_ONCE = 4  # requests at work; the others wait in the queue


class Endpoints:
    """What the endpoints answer."""

    def __init__(self, session: PageSession):
        self.session = session

    def segment(self, photo: str | None, model: str | None = None):
        """Find the hair in a photo with both networks.

        Args:
            photo: a picture of a person.
            model: one of those that the page serves; the first one by default.

        Returns:
            Grey PNG files of the photo's size, of the random and of the pretrained network: 255 is hair, 0 is not.
        """
        if photo is None:
            return None, None

        def masks() -> tuple[str, ...]:
            return tuple(
                save_file(
                    f"{name_of(photo)}-{variant}-mask.png",
                    encode_png(alpha_to_grey(self.session.full_resolution(photo, variant, model=model).alpha)),
                )
                for variant in ("random", "pretrained")
            )

        with mistakes_as_errors():
            return self.session.in_turn(photo, masks)

    def recolour(
        self,
        photo: str | None,
        colour: str,
        strength: float = DEFAULT_SETTINGS.strength,
        variant: str = FIRST_VARIANT,
        vividness: float = DEFAULT_SETTINGS.vividness,
        lightness: float = DEFAULT_SETTINGS.lightness,
        natural_roots: float = DEFAULT_SETTINGS.natural_roots,
        second_mode: str = ONE_COLOUR,
        second_colour: str = "",
        model: str | None = None,
    ):
        """Give the hair in a photo another colour.

        Args:
            photo: a picture of a person.
            colour: #rrggbb, or a preset such as copper.
            strength: 0 leaves the photo as it is, 1 is fully dyed.
            variant: the network whose mask is used, pretrained or random.
            vividness: -1 is muted, 0 the colour as given, 1 vivid.
            lightness: -1 is darker, 0 the colour as given, 1 lighter.
            natural_roots: share of the hair's length, 0 to 1, along which its own colour fades out.
            second_mode: none, ombre (the tips) or streaks (single strands).
            second_colour: #rrggbb or a preset.
            model: one of those that the page serves; the first one by default.

        Returns:
            PNG file of the photo's size.
        """
        if photo is None:
            return None

        def recoloured() -> str:
            settings = settings_of(strength, vividness, lightness, natural_roots, second_mode, second_colour)
            picture = self.session.full_resolution(photo, variant, model=model).recolour(colour, settings)
            return save_file(f"{name_of(photo)}-recoloured.png", encode_png(picture))

        with mistakes_as_errors():
            return self.session.in_turn(photo, recoloured)


def settings_of(
    strength: Any, vividness: Any, lightness: Any, natural_roots: Any, second_mode: Any, second_colour: Any
) -> RecolourSettings:
    """The settings that the page's controls stand for. Raises InputError; the message names what is wrong."""
    settings = RecolourSettings(strength, vividness, lightness, natural_roots)
    if second_mode == ONE_COLOUR:
        return settings
    parse_colour(second_colour)  # None would do for the settings, not where a second colour is asked for
    return replace(settings, second_colour=second_colour, second_mode=second_mode)


def add_endpoints(session: PageSession) -> None:
    """Add /segment and /recolour to the page, in components that are not shown."""
    endpoints = Endpoints(session)
    modes = describe("second_mode")["choices"]
    hidden: dict[str, Any] = {"visible": False}
    photo = PhotoUpload(label="photo", type="filepath", image_mode=None, **hidden)
    settings = [
        ColourPicker(PRESETS[FIRST_COLOUR], label="colour", **hidden),
        Slider.of("strength", **hidden),
        Radio(list(VARIANTS), value=FIRST_VARIANT, label="variant", **hidden),
        *(Slider.of(name, **hidden) for name in ("vividness", "lightness", "natural_roots")),
        Radio([ONE_COLOUR, *modes], value=ONE_COLOUR, label="second_mode", **hidden),
        ColourPicker(PRESETS["light blond"], label="second_colour", **hidden),
    ]
    names = session.models.names
    model = Dropdown(names, value=names[0], label="model", **hidden)
    masks = [gr.Image(label=f"{variant}_alpha", format="png", **hidden) for variant in ("random", "pretrained")]
    recoloured = gr.Image(label="recoloured", format="png", **hidden)
    shared: dict[str, Any] = {"concurrency_limit": AT_ONCE, "concurrency_id": "endpoints"}
    gr.Button(**hidden).click(endpoints.segment, [photo, model], masks, api_name="segment", **shared)
    gr.Button(**hidden).click(endpoints.recolour, [photo, *settings, model], recoloured, api_name="recolour", **shared)
