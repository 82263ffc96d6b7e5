"""The first tab: both masks beside the photo, and its hair in another colour."""

from pathlib import Path
from typing import Any

import gradio as gr

from hairseg.config import VARIANTS
from hairseg.page.components import PhotoUpload
from hairseg.page.session import ONE_COLOUR, PageSession
from hairseg.page.style import FIRST_COLOUR, FIRST_VARIANT, swatch_id
from hairseg.recolouring.palette import PRESETS
from hairseg.recolouring.settings import describe

EXAMPLES = Path(__file__).parent / "examples"

PRIVATE: dict[str, Any] = {"api_visibility": "private"}

SHOWN: dict[str, Any] = {
    "format": "png",
    "elem_classes": "picture",
    "interactive": False,
    "buttons": ["download", "fullscreen"],
}


def try_it(session: PageSession) -> tuple[gr.ColorPicker, gr.Radio]:
    """Build the tab. Returns what a link to the page may set: colour and variant."""
    with gr.Row(elem_id="figure3"):
        random_mask = gr.Image(label="Random-init mask", elem_id="random-mask", height=400, **SHOWN)
        photo = PhotoUpload(
            label="Photo",
            elem_id="photo",
            elem_classes="picture",
            height=440,
            type="filepath",
            image_mode=None,
            sources=["upload", "webcam", "clipboard"],
        )
        pretrained_mask = gr.Image(label="Pretrained mask", elem_id="pretrained-mask", height=400, **SHOWN)
    gr.Examples(
        [[str(EXAMPLES / "astronaut.jpg")]],
        photo,
        label="No photo at hand? Eileen Collins, NASA (public domain)",
        elem_id="example",
        **PRIVATE,
    )

    gr.Markdown("## Your hair in another colour")
    with gr.Row(elem_classes="swatches"):
        swatches = {name: gr.Button(name, size="sm", elem_id=swatch_id(name)) for name in PRESETS}
    with gr.Row():
        colour = gr.ColorPicker(PRESETS[FIRST_COLOUR], label="Colour", elem_id="colour")
        strength = slider("strength")
        variant = gr.Radio(list(VARIANTS), value=FIRST_VARIANT, label="Mask that does the colouring")
    with gr.Accordion("Finer settings", open=False):
        with gr.Row():
            finer = [slider(name) for name in ("vividness", "lightness", "natural_roots")]
        with gr.Row():
            modes = describe("second_mode")
            second_mode = gr.Radio([ONE_COLOUR, *modes["choices"]], value=ONE_COLOUR, label=modes["label"])
            second_colour = gr.ColorPicker(
                PRESETS["light blond"], label=describe("second_colour")["label"], elem_id="second-colour"
            )
    with gr.Row():
        original = gr.Image(label="Original", elem_id="original", height=500, **SHOWN)
        recoloured = gr.Image(label="Recoloured", elem_id="recoloured", height=500, **SHOWN)
    with gr.Row():
        sheet_button = gr.Button("All colours on one sheet", elem_id="sheet-button")
        cutout_button = gr.Button("Cut out the hair", elem_id="cutout-button")
    sheet = gr.Image(label="All colours", elem_id="sheet", visible=False, **SHOWN)
    cutout = gr.Image(label="Hair alone", elem_id="cutout", visible=False, height=500, **SHOWN)

    for name, swatch in swatches.items():
        swatch.click(None, None, colour, js=f"() => '{PRESETS[name]}'", **PRIVATE)
    settings = [photo, colour, strength, variant, *finer, second_mode, second_colour]
    photo.upload(session.displayable, photo, photo, show_progress="hidden", **PRIVATE)
    segmented = photo.change(
        None,
        photo,
        [random_mask, pretrained_mask, recoloured, original],
        js="photo => [null, null, null, photo]",
        **PRIVATE,
    ).then(session.segment, photo, [random_mask, pretrained_mask], api_name="segment")
    segmented.success(session.recolour, settings, recoloured, api_name="recolour")
    segmented.failure(None, None, photo, js="() => null", **PRIVATE)  # no broken picture stays
    gr.on(
        [setting.change for setting in settings[1:]],
        session.recolour,
        settings,
        recoloured,
        trigger_mode="always_last",
        show_progress="hidden",
        **PRIVATE,
    )
    photo.change(lambda: (gr.Image(None, visible=False),) * 2, None, [sheet, cutout], **PRIVATE)
    sheet_button.click(session.all_presets, [photo, variant, strength], sheet, **PRIVATE)
    cutout_button.click(session.cutout, [photo, variant], cutout, **PRIVATE)
    return colour, variant


def slider(setting: str) -> gr.Slider:
    """The slider of a number of `RecolourSettings`."""
    about = describe(setting)
    return gr.Slider(
        about["lowest"],
        about["highest"],
        about["default"],
        step=about["step"],
        label=about["label"],
        info=about["help"],
        elem_id=setting.replace("_", "-"),
    )
