"""The HairSeg page: two masks of a selfie, and its hair in another colour.

    python app.py
    python app.py --repo runs/resnet101-paper --share
    python app.py --repo USER/NAME
"""

import ctypes
import json
import os
import re
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import gradio as gr
import numpy as np
from gradio.processing_utils import save_base64_to_cache, save_bytes_to_cache
from gradio.utils import get_upload_folder

from hairseg import InputError
from hairseg.commands import Parser, choose_device, run
from hairseg.connection import HubError
from hairseg.hub import Resolved, default_repo, resolve
from hairseg.images import alpha_to_grey, encode_png, load_photo
from hairseg.matting import cutout
from hairseg.model import VARIANTS
from hairseg.prediction import HairPredictor
from hairseg.recolour import PRESETS, HairRecolourer, RecolourSettings, contact_sheet, parse_colour
from hairseg.repository import BUNDLED

ASSETS = Path(__file__).parent / "assets"
FIRST_COLOUR = "copper"
FIRST_VARIANT = "pretrained"
SECOND_COLOUR = PRESETS["light blond"]
BROWSERS_SHOW = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".avif"}
PHOTOS_REMEMBERED = 4
HOUR = 3600
LARGE_PHOTO = 4_000_000  # pixels
NOT_UPLOADED = "That is no photo of this page: expected a file that was uploaded here; upload it first."
MIB = 1 << 20
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h

CSS = """
.gradio-container { max-width: 1180px !important; margin: 0 auto !important; }
#title p { margin: 0; }
.picture { padding-top: 40px !important; }  /* the label stands above the picture, not on it */
.picture img { width: 100% !important; height: 100% !important; object-fit: contain !important; }  /* small photos too */
.swatches { display: grid !important; gap: 6px !important; grid-template-columns: repeat(7, 1fr); }
.swatches button { min-width: 0 !important; border: 1px solid #0003; }
@media (max-width: 640px) {
  #figure3 > #photo { order: -1; }
  .picture { height: 92vw !important; }
  .swatches { grid-template-columns: repeat(auto-fill, minmax(96px, 1fr)); }
}
""" + "".join(
    f"#swatch-{name.replace(' ', '-')} {{ background: {colour}; "
    f"color: {'#fff' if sum(parse_colour(colour)) < 400 else '#111'}; }}\n" for name, colour in PRESETS.items()
)
LOOK = dict(
    css=CSS, footer_links=["api", "gradio"],
    # Gradio's default font would be fetched from the internet.
    theme=gr.themes.Soft(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
)
# The link of the page and the one that opens it with these settings; and the settings of the link that opened the page.
# A colour is a preset's name or rrggbb there. A page with a public link gives that one.
WRITE_LINKS = """(colour, variant, published) => {
    const presets = %s, parts = colour.match(/^rgba?\\(([\\d.]+), *([\\d.]+), *([\\d.]+)/);
    if (parts) colour = "#" + parts.slice(1).map(part => Math.round(part).toString(16).padStart(2, "0")).join("");
    const link = new URL(published || window.location.href), preset = Object.keys(presets).find(name => presets[name] === colour);
    link.search = "";
    const page = link.href;
    link.search = new URLSearchParams({colour: preset || colour.slice(1), variant});
    return [page, link.href];
}""" % json.dumps(PRESETS)
READ_LINK = """(colour, variant) => {
    const wanted = new URLSearchParams(window.location.search), presets = %s, variants = %s;
    const name = (wanted.get("colour") || "").toLowerCase();
    if (name in presets) colour = presets[name];
    if (/^#?[0-9a-f]{6}$/.test(name)) colour = "#" + name.replace("#", "");
    if (variants.includes(wanted.get("variant"))) variant = wanted.get("variant");
    return [colour, variant];
}""" % (json.dumps(PRESETS), json.dumps(VARIANTS))


class PhotoUpload(gr.Image):
    """An image upload that hands over the file as it came, whatever is in it: `load_photo` explains what is wrong.

    Only files that a visitor has uploaded, or that the page itself has written, are handed over. Gradio moves uploads into
    its cache by their `meta` and leaves a payload without it as it came, so that its path could be any of the server's.
    """

    is_template = True  # shown by Gradio's own image component

    def preprocess(self, payload) -> str | None:
        if payload is None:
            return None
        with suppress(ValueError, OSError):  # no base64; a NUL or a loop of links in the path
            if payload.path is None and (payload.url or "").startswith("data:"):
                return save_base64_to_cache(payload.url, self.GRADIO_CACHE)
            path = Path(payload.path or "/").resolve()
            if path.is_relative_to(Path(self.GRADIO_CACHE).resolve()) and path.is_file():
                return str(path)
        raise gr.Error(NOT_UPLOADED, print_exception=False)


class LookedAt:
    """A photo with its masks (uint8, per variant), ready to be recoloured by either.

    All of it is under way at once: the page's variant is made ready for recolouring while the other is still looked for.
    """

    def __init__(self, photo: np.ndarray, alphas: dict[str, Future], threads: ThreadPoolExecutor):
        self.photo, self.threads, self.lock = photo, threads, threading.Lock()
        self.masks = {variant: threads.submit(lambda alpha: alpha_to_grey(alpha.result()), alpha) for variant, alpha in alphas.items()}
        self.pngs = {variant: threads.submit(lambda mask: encode_png(mask.result()), mask) for variant, mask in self.masks.items()}
        self.recolourers = {}
        self.recolourer(FIRST_VARIANT)

    def alpha(self, variant: str) -> np.ndarray:
        return self.masks[variant].result().astype(np.float32) / 255

    def recolourer(self, variant: str) -> Future:
        with self.lock:
            if variant not in self.recolourers:
                self.recolourers[variant] = self.threads.submit(lambda: HairRecolourer(self.photo, self.alpha(variant)))
            return self.recolourers[variant]


class Studio:
    """What the page computes: alphas, remembered for the last photos, and pictures in Gradio's cache."""

    def __init__(self, predictor: HairPredictor):
        threads = ThreadPoolExecutor(thread_name_prefix="studio")

        def look_at(path: str | None) -> LookedAt:
            if path is None:
                raise InputError("There is no photo yet: expected one in the middle of the upper row; upload it first.")
            photo = load_photo(path)
            if photo.shape[0] * photo.shape[1] > LARGE_PHOTO:
                return_the_rest()
            return LookedAt(photo, predictor.begin(photo), threads)

        # Gradio's upload paths hold a hash of the content: one path, one photo.
        self._look_at = lru_cache(PHOTOS_REMEMBERED)(look_at)

    def segment(self, photo: str | None):
        """Photo file -> PNG files of the random and the pretrained alpha, at the photo's own size."""
        if photo is None:
            return None, None
        with gently():
            pngs = self._look_at(photo).pngs
            return tuple(to_cache(f"{variant}-mask.png", pngs[variant].result()) for variant in ("random", "pretrained"))

    def recolour(self, photo: str | None, colour: str, strength: float, variant: str,
                 vividness: float = RecolourSettings.vividness, lightness: float = RecolourSettings.lightness,
                 natural_roots: float = RecolourSettings.natural_roots, second_mode: str = "none",
                 second_colour: str = SECOND_COLOUR):
        """Photo file, colour (#rrggbb or preset), strength in [0, 1], variant and finer settings -> recoloured PNG file."""
        if photo is None:
            return None
        with gently():
            settings = RecolourSettings(
                strength, vividness, lightness, natural_roots,
                *((to_hex(second_colour), second_mode) if second_mode != "none" else ()),
            )
            recolourer = self._look_at(photo).recolourer(variant).result()
            return save_png("recoloured.png", recolourer.recolour(to_hex(colour), settings))

    def cutout(self, photo: str | None, variant: str):
        """Photo file and variant -> RGBA PNG file of the hair alone."""
        with gently():
            looked_at = self._look_at(photo)
            return gr.Image(save_png("cutout.png", cutout(looked_at.photo, looked_at.alpha(variant))), visible=True)

    def all_presets(self, photo: str | None, variant: str, strength: float):
        """Photo file, variant and strength -> PNG file of a sheet with the hair in every preset."""
        with gently():
            looked_at = self._look_at(photo)
            sheet = contact_sheet(looked_at.photo, looked_at.alpha(variant), RecolourSettings(strength))
            return gr.Image(save_png("colours.png", sheet), visible=True)

    def displayable(self, photo: str | None):
        """A PNG of pictures that browsers do not show, HEIC say; others stay as they are."""
        if photo is None or Path(photo).suffix.lower() in BROWSERS_SHOW:
            return gr.skip()
        with gently():
            return save_png(f"{Path(photo).stem}.png", load_photo(photo))


def return_large_arrays() -> None:
    """Have glibc hand arrays of 8 MiB and more straight back to the system when they are freed.

    Left alone, it raises that size with every such array, up to 32 MiB, and scatters the others over the arenas of its
    threads: 200 photos of 12 megapixels double the page's memory. Other C libraries have no such setting.
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(M_MMAP_THRESHOLD, 8 * MIB)
        mallopt(M_TRIM_THRESHOLD, 128 * MIB)  # else it would fall to 128 KiB, which costs time


def return_the_rest() -> None:
    """And what smaller ones have left behind."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


class gently:
    """Shows a user's mistake on the page, as one sentence."""

    def __enter__(self):
        pass

    def __exit__(self, kind, error, trace):
        if isinstance(error, InputError):
            raise gr.Error(str(error), print_exception=False) from None


def save_png(name: str, picture: np.ndarray) -> str:
    return to_cache(name, encode_png(picture))


def to_cache(name: str, png: bytes) -> str:
    return save_bytes_to_cache(png, name, get_upload_folder())


def to_hex(colour: str) -> str:
    """The colour picker's "rgba(142, 36.2, 170, 1)" -> "#8e24aa"; anything else unchanged."""
    match = re.match(r"rgba?\(([\d.]+), *([\d.]+), *([\d.]+)", colour)
    return "#%02x%02x%02x" % tuple(min(255, round(float(part))) for part in match.groups()) if match else colour


def build_page(predictor: HairPredictor, source: Resolved = Resolved(BUNDLED), notice: str | None = None) -> gr.Blocks:
    """The page.

    Args:
        predictor: both networks.
        source: where they come from; a repository on the Hub is named and linked.
        notice: something a visitor should know about them.
    """
    studio = Studio(predictor)
    with gr.Blocks(title="HairSeg", analytics_enabled=False, delete_cache=(HOUR // 4, HOUR)) as page:
        gr.Markdown(
            "# HairSeg\nWhat is transfer learning worth? One network, DeepLabV3, looks for the hair in your photo twice: "
            "trained from random weights on the left, fine-tuned from pretrained weights on the right.",
            elem_id="title",
        )
        if notice:
            gr.Markdown(f"**Note:** {notice}", elem_id="notice")
        with gr.Row(elem_id="figure3"):
            shown = dict(format="png", height=400, elem_classes="picture", interactive=False, buttons=["download", "fullscreen"])
            random_mask = gr.Image(label="Random-init mask", elem_id="random-mask", **shown)
            photo = PhotoUpload(
                label="Photo", elem_id="photo", elem_classes="picture", height=440, type="filepath", image_mode=None,
                sources=["upload", "webcam", "clipboard"],
            )
            pretrained_mask = gr.Image(label="Pretrained mask", elem_id="pretrained-mask", **shown)
        gr.Examples(
            [[str(ASSETS / "astronaut.jpg")]], photo, label="No photo at hand? Eileen Collins, NASA (public domain)",
            elem_id="example", api_visibility="private",
        )

        gr.Markdown("## Your hair in another colour")
        with gr.Row(elem_classes="swatches"):
            swatches = {name: gr.Button(name, size="sm", elem_id=f"swatch-{name.replace(' ', '-')}") for name in PRESETS}
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
        weights = f"[{source}]({source.url})" if source.url else "bundled with this page" if source.folder == BUNDLED else f"`{source.folder.name}`"
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
            None, photo, [random_mask, pretrained_mask, recoloured, original], js="photo => [null, null, null, photo]", **private,
        ).then(
            studio.segment, photo, [random_mask, pretrained_mask], api_name="segment",
        )
        segmented.success(studio.recolour, settings, recoloured, api_name="recolour")
        segmented.failure(None, None, photo, js="() => null", **private)  # no broken picture stays
        gr.on(
            [setting.change for setting in settings[1:]], studio.recolour, settings, recoloured,
            trigger_mode="always_last", show_progress="hidden", **private,
        )
        photo.change(lambda: (gr.Image(None, visible=False),) * 2, None, [sheet, hair_alone], **private)
        sheet_button.click(studio.all_presets, [photo, variant, strength], sheet, **private)
        cutout_button.click(studio.cutout, [photo, variant], hair_alone, **private)

        page.load(None, [colour, variant], [colour, variant], js=READ_LINK, **private)
        page.load(lambda: page.share_url or "", None, published, **private)
        gr.on(
            [page.load, colour.change, variant.change, published.change], None, [colour, variant, published],
            [page_link, link], js=WRITE_LINKS, **private,
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


def find_weights(repo: str) -> tuple[Resolved, str | None]:
    """The repository to serve, and what visitors should know of it: nobody is left without a page by a silent Hub."""
    try:
        source = resolve(repo)
    except HubError as error:
        return Resolved(BUNDLED), f"the bundled weights are shown, because {str(error)[0].lower()}{str(error)[1:]}"
    return source, source.reason and f"the weights are a cached copy of {source.repo_id}, because {source.reason}."


def main() -> None:
    args = parse().parse_args()
    if args.auth and not re.fullmatch(r"[^:]+:.+", args.auth):
        raise InputError("--auth does not fit: expected USER:PASSWORD.")
    return_large_arrays()
    source, notice = find_weights(args.repo)
    if notice:
        print(f"note: {notice}", file=sys.stderr)
    predictor = HairPredictor(source.folder, VARIANTS, choose_device(args.device))
    warm_up(predictor)
    page = build_page(predictor, source, notice)
    try:
        page.launch(
            server_name=args.host, server_port=args.port, share=args.share,
            auth=tuple(args.auth.split(":", 1)) if args.auth else None, ssr_mode=False, inbrowser=has_desktop(), **LOOK,
        )
    except OSError:
        raise InputError(f"{args.host}:{args.port} cannot be used: expected a free port of this machine; choose another --port.") from None


def warm_up(predictor: HairPredictor) -> None:
    """One photo's work in the background, so that the first visitor does not wait for kernels to be prepared."""
    photo = load_photo(ASSETS / "astronaut.jpg")
    for alpha in predictor.begin(photo).values():
        alpha.add_done_callback(lambda alpha: HairRecolourer(photo, alpha.result()).recolour(FIRST_COLOUR))


def has_desktop() -> bool:
    """Is there a person with a browser in front of this machine?"""
    screen = sys.platform in ("darwin", "win32") or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    return screen and sys.stdout.isatty()


if __name__ == "__main__":
    run(main)
