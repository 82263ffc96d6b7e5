"""How the page looks: what `launch` takes beside its address."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from gradio.themes import Soft
from starlette.middleware import Middleware

from hairseg.page.preview import Preview
from hairseg.page.request_size import LARGEST_FILE
from hairseg.page.touch_up import POINTS, STROKE_POINTS, STROKES
from hairseg.paper import VARIANTS
from hairseg.recolouring.light import LUMINANCE_WEIGHTS, srgb_to_linear
from hairseg.recolouring.palette import PRESETS, parse_colour
from hairseg.recolouring.settings import NUMERIC_SETTINGS, describe

FIRST_COLOUR = "copper"

FIRST_VARIANT = "pretrained"

ONE_COLOUR = "none"  # instead of a mode of the second colour

FOLDER = Path(__file__).parent

STYLES = ("page.css", "live.css")

SCRIPTS = (  # one after the other; the first begins what the others add to
    *("page.js", "photo.js", "masks.js", "models.js", "recoloured.js", "touch_up.js", "take_away.js", "links.js"),
    *("waiting.js", "messages.js", "live.js", "keyboard.js"),
)


def swatch_id(preset: str) -> str:
    """The preset's name -> the id of its swatch on the page.

    Example:
        >>> swatch_id("light blond")
        'swatch-light-blond'
    """
    return f"swatch-{preset.replace(' ', '-')}"


def legible_on(colour: str) -> str:
    """Black or white, whichever has more contrast to a colour (WCAG 2.2, relative luminance).

    Example:
        >>> legible_on("#cfae85"), legible_on("#3d2a22")
        ('#000', '#fff')
    """
    luminance = srgb_to_linear(np.array(parse_colour(colour)) / 255) @ LUMINANCE_WEIGHTS
    return "#000" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "#fff"


def look() -> dict[str, Any]:
    """Arguments of `gr.Blocks.launch`: style sheet, script, theme, preview, and that browsers keep no history."""
    swatches = "".join(
        f'#{swatch_id(name)}, [data-preset="{name}"] {{ --swatch: {colour}; --ink: {legible_on(colour)}; }}\n'
        for name, colour in PRESETS.items()
    )
    brush = {"strokes": STROKES, "points": POINTS, "stroke": STROKE_POINTS}
    numbers = {name: [describe(name)[of] for of in ("lowest", "highest", "default")] for name in NUMERIC_SETTINGS}
    modes = [ONE_COLOUR, *describe("second_mode")["choices"]]
    constants = {"PRESETS": PRESETS, "VARIANTS": VARIANTS, "NUMBERS": numbers, "MODES": modes, "BRUSH": brush}
    constants |= {"LARGEST_MB": LARGEST_FILE // 2**20}
    script = [f"const {name} = {json.dumps(value)};" for name, value in constants.items()]
    script += [(FOLDER / name).read_text(encoding="utf-8") for name in SCRIPTS]
    style = [(FOLDER / name).read_text(encoding="utf-8") for name in STYLES]
    return dict(
        css="\n".join([*style, swatches]),
        head="\n".join(["<script>", *script, "</script>"]),
        footer_links=["api", "gradio"],
        run_history=False,
        favicon_path=FOLDER / "icon.png",
        app_kwargs={"middleware": [Middleware(Preview)]},
        max_file_size=LARGEST_FILE,
        state_session_capacity=100,  # the page keeps nothing of a session, and Gradio some 160 kB of each
        # Gradio's default font would be fetched from the internet. Its labels and outlines have too little contrast.
        theme=Soft(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]).set(
            checkbox_label_background_fill_selected="#4338ca",
            checkbox_label_background_fill_selected_dark="#4338ca",
            block_label_text_color="#3730a3",
            block_label_text_color_dark="#e0e7ff",
            block_title_text_color="#1f2937",
            block_title_text_color_dark="#f3f4f6",
            block_info_text_color="#4b5563",
            block_info_text_color_dark="#d1d5db",
            body_text_color_subdued="#4b5563",
            checkbox_border_color="#6b7280",
            input_border_color="#868e9b",
            body_text_color_subdued_dark="#d1d5db",
        ),
    )
