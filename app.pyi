"""The HairSeg page: two masks of a selfie, and its hair in another colour.

    python app.py
    python app.py --repo runs/resnet101-paper --share
"""

import os
import re
import sys
from functools import lru_cache
from pathlib import Path

import gradio as gr
import numpy as np
from gradio.processing_utils import save_bytes_to_cache

from hairseg import InputError
from hairseg.commands import Parser, choose_device, run
from hairseg.hub import default_repo, resolve
from hairseg.images import alpha_to_grey, encode_png, load_photo
from hairseg.prediction import HairPredictor
from hairseg.recolour import parse_colour, recolour
from hairseg.training import VARIANTS

ASSETS = Path(__file__).parent / "assets"
SWATCHES = {
    "black": "#1c1a1a", "dark brown": "#3b2417", "chestnut": "#6a3a21", "copper": "#b5562b", "blond": "#d8b26e",
    "platinum": "#e6dcc8", "pink": "#e75a9b", "purple": "#8e24aa", "blue": "#2a62d4", "green": "#2e9e5b",
}
BROWSERS_SHOW = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".avif"}
PHOTOS_REMEMBERED = 8  # with their alphas, 5 bytes a pixel
HOUR = 3600

CSS = """
.gradio-container { max-width: 1180px !important; margin: 0 auto !important; }
#title p { margin: 0; }
.swatches { gap: 6px !important; }
.swatches button { min-width: 84px !important; flex: 1 1 84px; border: 1px solid #0003; }
@media (max-width: 640px) { #figure3 > :nth-child(2) { order: -1; } }
""" + "".join(
    f"#swatch-{name.replace(' ', '-')} {{ background: {colour}; "
    f"color: {'#fff' if sum(parse_colour(colour)) < 400 else '#111'}; }}\n" for name, colour in SWATCHES.items()
)

from gradio.events import Dependency

class PhotoUpload(gr.Image):
    """An image upload that hands over the file as it came, whatever is in it: `load_photo` explains what is wrong."""

    is_template = True  # shown by Gradio's own image component

    def preprocess(self, payload) -> str | None:
        return payload.path if payload and payload.path else super().preprocess(payload)
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component


class Studio:
    """What the page computes: alphas, remembered for the last photos, and pictures in Gradio's cache."""

    def __init__(self, predictor: HairPredictor):
        self.predictor = predictor
        self._look_at = lru_cache(PHOTOS_REMEMBERED)(self._look_at)

    def _look_at(self, path: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Photo and uint8 alphas per variant. Gradio's upload paths hold a hash of the content: one path, one photo."""
        photo = load_photo(path)
        return photo, {variant: alpha_to_grey(alpha) for variant, alpha in self.predictor.alphas(photo).items()}

    def segment(self, photo: str | None):
        """Photo file -> PNG files of the random and the pretrained alpha, at the photo's own size."""
        if photo is None:
            return None, None
        with gently():
            _, alphas = self._look_at(photo)
        return tuple(save_png(f"{variant}-mask.png", alphas[variant]) for variant in ("random", "pretrained"))

    def recolour(self, photo: str | None, colour: str, strength: float, variant: str):
        """Photo file, #rrggbb, strength in [0, 1] and variant -> PNG file of the photo with recoloured hair."""
        if photo is None:
            return None
        with gently():
            if not 0 <= strength <= 1:
                raise InputError(f"the strength {strength} does not fit: expected a number from 0 to 1.")
            if variant not in VARIANTS:
                raise InputError(f"the variant {variant!r} is unknown: expected {' or '.join(VARIANTS)}.")
            picture, alphas = self._look_at(photo)
            alpha = alphas[variant].astype(np.float32) / 255
            return save_png("recoloured.png", recolour(picture, alpha, parse_colour(to_hex(colour)), strength))

    def displayable(self, photo: str | None):
        """A PNG of pictures that browsers do not show, HEIC say; others stay as they are."""
        if photo is None or Path(photo).suffix.lower() in BROWSERS_SHOW:
            return gr.skip()
        with gently():
            return save_png(f"{Path(photo).stem}.png", load_photo(photo))


class gently:
    """Shows a user's mistake on the page, as one sentence."""

    def __enter__(self):
        pass

    def __exit__(self, kind, error, trace):
        if isinstance(error, InputError):
            raise gr.Error(str(error), title="This did not work", print_exception=False) from None


def save_png(name: str, picture: np.ndarray) -> str:
    return save_bytes_to_cache(encode_png(picture), name, gr.Image.GRADIO_CACHE)


def to_hex(colour: str) -> str:
    """The colour picker's "rgba(142, 36.2, 170, 1)" -> "#8e24aa"; anything else unchanged."""
    match = re.match(r"rgba?\(([\d.]+), *([\d.]+), *([\d.]+)", colour)
    return "#%02x%02x%02x" % tuple(min(255, round(float(part))) for part in match.groups()) if match else colour


def build_page(predictor: HairPredictor) -> gr.Blocks:
    studio = Studio(predictor)
    with gr.Blocks(title="HairSeg", analytics_enabled=False, delete_cache=(HOUR // 4, HOUR)) as page:
        gr.Markdown(
            "# HairSeg\nWhat is transfer learning worth? One network, DeepLabV3, looks for the hair in your photo twice: "
            "trained from random weights on the left, fine-tuned from pretrained weights on the right.",
            elem_id="title",
        )
        with gr.Row(elem_id="figure3"):
            shown = dict(format="png", height=380, interactive=False, buttons=["download", "fullscreen"])
            random_mask = gr.Image(label="Random-init mask", elem_id="random-mask", **shown)
            photo = PhotoUpload(
                label="Photo", elem_id="photo", height=380, type="filepath", image_mode=None,
                sources=["upload", "webcam", "clipboard"],
            )
            pretrained_mask = gr.Image(label="Pretrained mask", elem_id="pretrained-mask", **shown)
        gr.Examples(
            [[str(ASSETS / "astronaut.jpg")]], photo, label="No photo at hand? Eileen Collins, NASA (public domain)",
            api_visibility="private",
        )
        gr.Markdown("## Your hair in another colour")
        with gr.Row(elem_classes="swatches"):
            swatches = {
                name: gr.Button(name, size="sm", elem_id=f"swatch-{name.replace(' ', '-')}") for name in SWATCHES
            }
        with gr.Row():
            colour = gr.ColorPicker(SWATCHES["copper"], label="Colour", elem_id="colour")
            strength = gr.Slider(0, 1, 0.9, step=0.05, label="Strength")
            variant = gr.Radio(list(VARIANTS), value="pretrained", label="Mask that does the colouring")
        with gr.Row():
            shown["height"] = 460
            original = gr.Image(label="Original", elem_id="original", **shown)
            recoloured = gr.Image(label="Recoloured", elem_id="recoloured", **shown)
        gr.Markdown("Uploaded photos stay on the machine that serves this page and are deleted after an hour.")

        for name, button in swatches.items():
            button.click(None, None, colour, js=f"() => '{SWATCHES[name]}'", api_visibility="private")
        photo.upload(studio.displayable, photo, photo, show_progress="hidden", api_visibility="private")
        settings = [photo, colour, strength, variant]
        photo.change(
            None, photo, [random_mask, pretrained_mask, recoloured, original], js="photo => [null, null, null, photo]",
            api_visibility="private",
        ).then(
            studio.segment, photo, [random_mask, pretrained_mask], api_name="segment",
        ).success(
            studio.recolour, settings, recoloured, api_name="recolour",
        )
        gr.on(
            [colour.change, strength.change, variant.change], studio.recolour, settings, recoloured,
            trigger_mode="always_last", show_progress="hidden", api_visibility="private",
        )
    return page


def parse() -> Parser:
    parser = Parser(prog="app.py", description="Serve the HairSeg page.")
    parser.add_argument("--repo", default=default_repo(), help="folder or Hub id (HAIRSEG_REPO, else the bundled one)")
    parser.add_argument("--host", default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=int(os.environ.get("GRADIO_SERVER_PORT", 7860)))
    parser.add_argument("--share", action="store_true", help="also make a public link, for three days")
    parser.add_argument("--auth", metavar="USER:PASSWORD", help="ask for a user name and password")
    parser.add_argument("--device", default="auto")
    return parser


def main() -> None:
    args = parse().parse_args()
    if args.auth and not re.fullmatch(r"[^:]+:.+", args.auth):
        raise InputError("--auth does not fit: expected USER:PASSWORD.")
    predictor = HairPredictor(resolve(args.repo).folder, VARIANTS, choose_device(args.device))
    page = build_page(predictor)
    system_font = ["system-ui", "sans-serif"]  # Gradio's default font would be fetched from the internet
    page.launch(
        server_name=args.host, server_port=args.port, share=args.share,
        auth=tuple(args.auth.split(":", 1)) if args.auth else None,
        theme=gr.themes.Soft(font=system_font, font_mono=["ui-monospace", "monospace"]), css=CSS, ssr_mode=False,
        footer_links=["api", "gradio"], inbrowser=has_desktop(),
    )


def has_desktop() -> bool:
    """Is there a person with a browser in front of this machine?"""
    screen = sys.platform in ("darwin", "win32") or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    return screen and sys.stdout.isatty()


if __name__ == "__main__":
    run(main)