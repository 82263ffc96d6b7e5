"""The page as a whole."""

from pathlib import Path

import gradio as gr

from hairseg.hub.resolution import Resolved
from hairseg.page.components import PhotoUpload
from hairseg.page.session import PageSession
from hairseg.page.style import FIRST_COLOUR, FIRST_VARIANT, READ_LINK, SECOND_COLOUR, WRITE_LINKS
from hairseg.prediction import HairPredictor
from hairseg.recolouring.palette import PRESETS
from hairseg.recolouring.recolourer import RecolourSettings
from hairseg.repository import BUNDLED, VARIANTS

EXAMPLES = Path(__file__).parent / "examples"

HOUR = 3600


def build_page(predictor: HairPredictor, source: Resolved = Resolved(BUNDLED), notice: str | None = None) -> gr.Blocks:
    """The page.

    Args:
        predictor: both networks.
        source: where they come from; a repository on the Hub is named and linked.
        notice: something a visitor should know about them.
    """
    studio = PageSession(predictor)
    with gr.Blocks(title="HairSeg", analytics_enabled=False, delete_cache=(HOUR // 4, HOUR)) as page:
        gr.Markdown(
            "# HairSeg\nWhat is transfer learning worth? One network, DeepLabV3, looks for the hair in your photo twice: "
            "trained from random weights on the left, fine-tuned from pretrained weights on the right.",
            elem_id="title",
        )
        if notice:
            gr.Markdown(f"**Note:** {notice}", elem_id="notice")
        with gr.Row(elem_id="figure3"):
            shown = dict(
                format="png", height=400, elem_classes="picture", interactive=False, buttons=["download", "fullscreen"]
            )
            random_mask = gr.Image(label="Random-init mask", elem_id="random-mask", **shown)
            photo = PhotoUpload(
                label="Photo",
                elem_id="photo",
                elem_classes="picture",
                height=440,
                type="filepath",
                image_mode=None,
                sources=["upload", "webcam", "clipboard"],
            )
            pretrained_mask = gr.Image(label="Pretrained mask", elem_id="pretrained-mask", **shown)
        gr.Examples(
            [[str(EXAMPLES / "astronaut.jpg")]],
            photo,
            label="No photo at hand? Eileen Collins, NASA (public domain)",
            elem_id="example",
            api_visibility="private",
        )

        gr.Markdown("## Your hair in another colour")
        with gr.Row(elem_classes="swatches"):
            swatches = {
                name: gr.Button(name, size="sm", elem_id=f"swatch-{name.replace(' ', '-')}") for name in PRESETS
            }
        with gr.Row():
            colour = gr.ColorPicker(PRESETS[FIRST_COLOUR], label="Colour", elem_id="colour")
            strength = gr.Slider(0, 1, RecolourSettings.strength, step=0.05, label="Strength")
            variant = gr.Radio(list(VARIANTS), value=FIRST_VARIANT, label="Mask that does the colouring")
        with gr.Accordion("Finer settings", open=False):
            with gr.Row():
                vividness = gr.Slider(-1, 1, RecolourSettings.vividness, step=0.1, label="Natural to vivid")
                lightness = gr.Slider(-1, 1, RecolourSettings.lightness, step=0.1, label="Darker to lighter")
                natural_roots = gr.Slider(0, 1, RecolourSettings.natural_roots, step=0.05, label="Roots kept natural")
            with gr.Row():
                second_mode = gr.Radio(["none", "ombre", "streaks"], value="none", label="A second colour")
                second_colour = gr.ColorPicker(SECOND_COLOUR, label="Second colour", elem_id="second-colour")
        with gr.Row():
            shown["height"] = 500
            original = gr.Image(label="Original", elem_id="original", **shown)
            recoloured = gr.Image(label="Recoloured", elem_id="recoloured", **shown)
        with gr.Row():
            sheet_button = gr.Button("All colours on one sheet", elem_id="sheet-button")
            cutout_button = gr.Button("Cut out the hair", elem_id="cutout-button")
        sheet = gr.Image(label="All colours", elem_id="sheet", visible=False, **shown | {"height": None})
        hair_alone = gr.Image(label="Hair alone", elem_id="cutout", visible=False, **shown)

        with gr.Row():
            copied = dict(interactive=False, buttons=["copy"])
            page_link = gr.Textbox(label="Link to this page", elem_id="page-link", **copied)
            link = gr.Textbox(label="Link to this page with this colour and mask", elem_id="link", **copied)
            published = gr.Textbox(visible="hidden")
        weights = (
            f"[{source}]({source.url})"
            if source.url
            else "bundled with this page"
            if source.folder == BUNDLED
            else f"`{source.folder.name}`"
        )
        gr.Markdown(
            f"Weights: {weights}. Uploaded photos stay on the machine that serves this page and are deleted after an hour.",
            elem_id="about",
        )

        private = dict(api_visibility="private")
        for name, button in swatches.items():
            button.click(None, None, colour, js=f"() => '{PRESETS[name]}'", **private)
        settings = [photo, colour, strength, variant, vividness, lightness, natural_roots, second_mode, second_colour]
        photo.upload(studio.displayable, photo, photo, show_progress="hidden", **private)
        segmented = photo.change(
            None,
            photo,
            [random_mask, pretrained_mask, recoloured, original],
            js="photo => [null, null, null, photo]",
            **private,
        ).then(
            studio.segment,
            photo,
            [random_mask, pretrained_mask],
            api_name="segment",
        )
        segmented.success(studio.recolour, settings, recoloured, api_name="recolour")
        segmented.failure(None, None, photo, js="() => null", **private)  # no broken picture stays
        gr.on(
            [setting.change for setting in settings[1:]],
            studio.recolour,
            settings,
            recoloured,
            trigger_mode="always_last",
            show_progress="hidden",
            **private,
        )
        photo.change(lambda: (gr.Image(None, visible=False),) * 2, None, [sheet, hair_alone], **private)
        sheet_button.click(studio.all_presets, [photo, variant, strength], sheet, **private)
        cutout_button.click(studio.cutout, [photo, variant], hair_alone, **private)

        page.load(None, [colour, variant], [colour, variant], js=READ_LINK, **private)
        page.load(lambda: page.share_url or "", None, published, **private)
        gr.on(
            [page.load, colour.change, variant.change, published.change],
            None,
            [colour, variant, published],
            [page_link, link],
            js=WRITE_LINKS,
            **private,
        )
    return page
