"""The first tab: what pretraining is worth, and one's own hair in another colour."""

import base64
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from hairseg.page.components import PhotoInput, Radio, Slider
from hairseg.page.events import EXAMPLES, PageEvents, example
from hairseg.page.session import PageSession
from hairseg.page.style import FIRST_COLOUR, FIRST_VARIANT, ONE_COLOUR, swatch_id
from hairseg.page.views import VIEWS
from hairseg.paper import VARIANTS
from hairseg.recolouring.palette import PRESETS
from hairseg.recolouring.settings import describe

PRIVATE: dict[str, Any] = {"api_visibility": "private"}

MARKUP = Path(__file__).parent / "markup"

EXAMPLE_TITLES = {
    "astronaut": "Eileen Collins. NASA, public domain",
    "astronaut-whole": "A smaller head. NASA, public domain",
    "hopper": "Grace Hopper in a hat. US Navy, public domain",
    "cameraman": "A man with a camera. Lav Varshney, CC0",
    "cat": "A cat, who has fur. Stéfan van der Walt, CC0",
}

TAKE_AWAY = {  # kind: what the button says
    "recoloured-jpeg": "Recoloured, JPEG",
    "recoloured-png": "Recoloured, PNG",
    "cutout": "Hair alone",
    "alpha": "Mask",
    "sheet": "All colours on one sheet",
    "card": "Card to share",
}


def try_it(session: PageSession) -> dict[str, gr.components.Component]:
    """Build the tab. Returns what a link to the page may set, by its name there."""
    events = PageEvents(session)
    with gr.Row(elem_id="figure3", elem_classes="without-photo"):
        random_mask = markup("mask", "random-mask")
        photo = PhotoInput(
            html_template=read_markup("photo"),
            js_on_load="hairseg.upload(element, props, trigger, server)",
            elem_id="photo",
            apply_default_css=False,
            server_functions=[example],
        )
        pretrained_mask = markup("mask", "pretrained-mask")
    gr.HTML(
        html_template=read_markup("examples").replace("EXAMPLES", thumbnails()),
        js_on_load="hairseg.examples(element)",
        elem_id="example",
        apply_default_css=False,
    )
    view = Radio(list(VIEWS), value=VIEWS[0], label="Show both masks as", elem_id="view", container=False)
    with gr.Row(elem_id="story2"):
        with gr.Column(scale=3, min_width=300, elem_id="before-and-after"):
            recoloured = markup("compare", "compare")
        with gr.Column(scale=4, min_width=300, elem_id="controls"):
            with gr.Row(elem_classes="swatches"):
                swatches = {
                    name: gr.Button(name, size="sm", elem_id=swatch_id(name), elem_classes="swatch") for name in PRESETS
                }
            with gr.Row(elem_id="settings"):
                colour = colour_input(PRESETS[FIRST_COLOUR], "Any colour", "colour")
                strength = Slider.of("strength", elem_id="strength", min_width=200)
                variant = Radio(
                    list(VARIANTS), value=FIRST_VARIANT, label="By the mask", elem_id="variant", min_width=200
                )
            with gr.Accordion("Finer settings", open=False, elem_id="finer"):
                with gr.Row():
                    finer = {
                        name: Slider.of(name, min_width=140) for name in ("vividness", "lightness", "natural_roots")
                    }
                with gr.Row():
                    modes = describe("second_mode")
                    second_mode = Radio(
                        [ONE_COLOUR, *modes["choices"]], value=ONE_COLOUR, label=modes["label"], elem_id="second-mode"
                    )
                    second_colour = colour_input(
                        PRESETS["light blond"], describe("second_colour")["label"], "second-colour"
                    )
            with gr.Row(elem_id="take-away"):
                take_away = {
                    kind: gr.Button(title, size="sm", elem_id=f"{kind}-button", min_width=90)
                    for kind, title in TAKE_AWAY.items()
                }
    delivery = markup("delivery", "delivery", visible="hidden")

    linked = {"colour": colour, "strength": strength, "variant": variant, **finer}
    linked |= {"second_mode": second_mode, "second_colour": second_colour}
    settings = [photo, *linked.values()]
    fresh: dict[str, Any] = {"show_progress": "hidden", **PRIVATE}

    def numbered(*outputs: gr.HTML) -> dict[str, Any]:
        names = [output.elem_id for output in outputs]
        return {"outputs": list(outputs), "js": f"(...now) => hairseg.asking({json.dumps(names)}, now)", **fresh}

    masking: dict[str, Any] = {
        "fn": events.show_masks,
        "inputs": [photo, view],
        **numbered(random_mask, pretrained_mask),
    }
    photo.upload(trigger_mode="multiple", concurrency_limit=4, **masking)
    view.change(trigger_mode="always_last", concurrency_limit=4, **masking)
    changes = [photo.input, *(setting.change for setting in settings[1:])]  # a touch-up is the photo's input
    dyeing: dict[str, Any] = {"fn": events.show_recoloured, "inputs": settings, **numbered(recoloured)}
    photo.submit(trigger_mode="multiple", concurrency_limit=4, **dyeing)
    gr.on(changes, trigger_mode="always_last", queue=False, **dyeing)
    for name, swatch in swatches.items():
        swatch.click(None, None, colour, js=f"() => '{PRESETS[name]}'", **PRIVATE)
    for kind, button in take_away.items():
        button.click(
            events.take_away(kind),
            settings,
            delivery,
            js=f"(...now) => hairseg.taking('{kind}', now)",
            concurrency_limit=2,
            concurrency_id="own size",
            **fresh,
        )
    return linked


def markup(name: str, elem_id: str, **options: Any) -> gr.HTML:
    """A component in markup of our own, from markup/NAME.html, that the page's scripts bring to life."""
    return gr.HTML(
        html_template=read_markup(name),
        js_on_load=f"hairseg.{name}(element, props, watch, trigger)",
        elem_id=elem_id,
        apply_default_css=False,
        **options,
    )


def colour_input(value: str, label: str, elem_id: str) -> gr.HTML:
    """The browser's own choice of a colour, #rrggbb: unlike Gradio's it opens at the one that is chosen."""
    return gr.HTML(
        value,
        html_template=read_markup("colour").replace("LABEL", label),
        js_on_load="hairseg.colourInput(element, props, watch)",
        elem_id=elem_id,
        apply_default_css=False,
    )


def read_markup(name: str) -> str:
    return (MARKUP / f"{name}.html").read_text(encoding="utf-8")


def thumbnails() -> str:
    """The examples as buttons, their pictures inside."""
    buttons = []
    for name, title in EXAMPLE_TITLES.items():
        with Image.open(EXAMPLES / f"{name}.jpg") as picture:
            picture.thumbnail((112, 112))
            file = BytesIO()
            picture.save(file, "JPEG", quality=80)
        data = base64.b64encode(file.getvalue()).decode()
        buttons.append(
            f'<button type="button" data-example="{name}.jpg" title="{title}">'
            f'<img src="data:image/jpeg;base64,{data}" alt="Example: {title}"></button>'
        )
    return "\n".join(buttons)
