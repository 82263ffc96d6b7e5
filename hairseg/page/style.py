"""How the page looks: what `launch` takes beside its address."""

import json
from pathlib import Path

from gradio.themes import Soft

from hairseg.config import VARIANTS
from hairseg.recolouring.palette import PRESETS, parse_colour

FIRST_COLOUR = "copper"

FIRST_VARIANT = "pretrained"

FOLDER = Path(__file__).parent


def swatch_id(preset: str) -> str:
    """The preset's name -> the id of its swatch on the page, "swatch-light-blond" say."""
    return f"swatch-{preset.replace(' ', '-')}"


def legible_on(colour: str) -> str:
    """The colour of a swatch -> that of its name."""
    return "#fff" if sum(parse_colour(colour)) < 400 else "#111"


def look() -> dict:
    """Arguments of `gr.Blocks.launch`: style sheet, script and theme."""
    swatches = "".join(
        f"#{swatch_id(name)} {{ background: {colour}; color: {legible_on(colour)}; }}\n"
        for name, colour in PRESETS.items()
    )
    constants = f"const PRESETS = {json.dumps(PRESETS)}, VARIANTS = {json.dumps(VARIANTS)};\n"
    return dict(
        css=(FOLDER / "page.css").read_text(encoding="utf-8") + swatches,
        head=f"<script>\n{constants}{(FOLDER / 'page.js').read_text(encoding='utf-8')}</script>",
        footer_links=["api", "gradio"],
        # Gradio's default font would be fetched from the internet.
        theme=Soft(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
    )
