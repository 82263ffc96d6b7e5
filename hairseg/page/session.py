"""A visitor's photo and what is known of it, and what the page computes from that."""

from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np

from hairseg.errors import InputError
from hairseg.images import alpha_to_grey, load_photo
from hairseg.page.components import mistakes_on_page, save_png, to_hex
from hairseg.page.memory import trim_memory
from hairseg.page.remembered import Remembered
from hairseg.prediction import HairPredictor
from hairseg.recolouring.recolourer import HairRecolourer
from hairseg.recolouring.settings import PLAIN, RecolourSettings
from hairseg.recolouring.sheet import contact_sheet

BROWSERS_SHOW = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".avif"}

PHOTOS_REMEMBERED = 4

LARGE_PHOTO = 4_000_000  # pixels

ONE_COLOUR = "none"  # on the page, instead of a mode of the second colour


class PhotoSession:
    """One photo, its alphas by variant, which may be under way, and what recolours it.

    Args:
        photo: uint8 RGB, (height, width, 3).
        alphas: float32 in [0, 1], (height, width), by variant.
    """

    def __init__(self, photo: np.ndarray, alphas: dict[str, Future]):
        self.photo, self._alphas = photo, alphas
        self._recolourers = Remembered(len(alphas))

    def alpha(self, variant: str) -> np.ndarray:
        """Waits for the network. Raises InputError if there is no such variant."""
        if variant not in self._alphas:
            raise InputError(f"{variant!r:.80} is no variant", " or ".join(self._alphas))
        return self._alphas[variant].result()

    def recolourer(self, variant: str) -> HairRecolourer:
        alpha = self.alpha(variant)
        return self._recolourers.get(variant, lambda: HairRecolourer(self.photo, alpha))


class PageSession:
    """What the page computes, for all visitors. The last photos are remembered; results are files in Gradio's cache."""

    def __init__(self, predictor: HairPredictor):
        self._predictor = predictor
        self._photos = Remembered(PHOTOS_REMEMBERED)

    def photo_session(self, path: str | None) -> PhotoSession:
        """The session of an uploaded file. Gradio puts a digest of the content into its path."""
        if path is None:
            raise InputError("There is no photo yet", "one in the middle of the upper row", "upload it first")
        return self._photos.get(path, lambda: self._look_at(path))

    def _look_at(self, path: str) -> PhotoSession:
        photo = load_photo(path)
        if photo.shape[0] * photo.shape[1] > LARGE_PHOTO:
            trim_memory()
        return PhotoSession(photo, self._predictor.begin(photo))

    def segment(self, photo: str | None):
        """Photo file -> PNG files of the random and the pretrained alpha, at the photo's own size."""
        if photo is None:
            return None, None
        with mistakes_on_page():
            session = self.photo_session(photo)
            return tuple(
                save_png(f"{variant}-mask.png", alpha_to_grey(session.alpha(variant)))
                for variant in ("random", "pretrained")
            )

    def recolour(
        self,
        photo: str | None,
        colour: str,
        strength: float,
        variant: str,
        vividness: float = PLAIN.vividness,
        lightness: float = PLAIN.lightness,
        natural_roots: float = PLAIN.natural_roots,
        second_mode: str = ONE_COLOUR,
        second_colour: str = "",
    ):
        """Photo file, colour (#rrggbb or preset), strength in [0, 1], variant, more settings -> recoloured PNG file."""
        if photo is None:
            return None
        with mistakes_on_page():
            settings = RecolourSettings(strength, vividness, lightness, natural_roots)
            if second_mode != ONE_COLOUR:
                settings = replace(settings, second_colour=to_hex(second_colour), second_mode=second_mode)
            recolourer = self.photo_session(photo).recolourer(variant)
            return save_png("recoloured.png", recolourer.recolour(to_hex(colour), settings))

    def cutout(self, photo: str | None, variant: str):
        """Photo file and variant -> RGBA PNG file of the hair alone."""
        with mistakes_on_page():
            hair = self.photo_session(photo).recolourer(variant).cutout()
            return gr.Image(save_png("cutout.png", hair), visible=True)

    def all_presets(self, photo: str | None, variant: str, strength: float):
        """Photo file, variant and strength -> PNG file of a sheet with the hair in every preset."""
        with mistakes_on_page():
            session = self.photo_session(photo)
            sheet = contact_sheet(session.photo, session.alpha(variant), RecolourSettings(strength))
            return gr.Image(save_png("colours.png", sheet), visible=True)

    def displayable(self, photo: str | None):
        """A PNG of pictures that browsers do not show, HEIC say; others stay as they are."""
        if photo is None or Path(photo).suffix.lower() in BROWSERS_SHOW:
            return gr.skip()
        with mistakes_on_page():
            return save_png(f"{Path(photo).stem}.png", load_photo(photo))
