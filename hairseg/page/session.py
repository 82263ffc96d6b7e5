"""A visitor's photo and what is known of it."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import gradio as gr
import numpy as np

from hairseg.errors import InputError
from hairseg.images import alpha_to_grey, encode_png, load_photo
from hairseg.page.components import mistakes_shown, save_png, to_cache, to_hex
from hairseg.page.memory import trim_memory
from hairseg.page.style import FIRST_VARIANT, SECOND_COLOUR
from hairseg.prediction import HairPredictor
from hairseg.recolouring.foreground import cutout
from hairseg.recolouring.recolourer import HairRecolourer, RecolourSettings
from hairseg.recolouring.sheet import contact_sheet

BROWSERS_SHOW = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".avif"}

PHOTOS_REMEMBERED = 4

LARGE_PHOTO = 4_000_000  # pixels


class PhotoSession:
    """A photo with its masks (uint8, per variant), ready to be recoloured by either.

    All of it is under way at once: the page's variant is made ready for recolouring while the other is still looked for.
    """

    def __init__(self, photo: np.ndarray, alphas: dict[str, Future], threads: ThreadPoolExecutor):
        self.photo, self.threads, self.lock = photo, threads, threading.Lock()
        self.masks = {
            variant: threads.submit(lambda alpha: alpha_to_grey(alpha.result()), alpha)
            for variant, alpha in alphas.items()
        }
        self.pngs = {
            variant: threads.submit(lambda mask: encode_png(mask.result()), mask)
            for variant, mask in self.masks.items()
        }
        self.recolourers = {}
        self.recolourer(FIRST_VARIANT)

    def alpha(self, variant: str) -> np.ndarray:
        return self.masks[variant].result().astype(np.float32) / 255

    def recolourer(self, variant: str) -> Future:
        with self.lock:
            if variant not in self.recolourers:
                self.recolourers[variant] = self.threads.submit(lambda: HairRecolourer(self.photo, self.alpha(variant)))
            return self.recolourers[variant]


class PageSession:
    """What the page computes: alphas, remembered for the last photos, and pictures in Gradio's cache."""

    def __init__(self, predictor: HairPredictor):
        threads = ThreadPoolExecutor(thread_name_prefix="studio")

        def look_at(path: str | None) -> PhotoSession:
            if path is None:
                raise InputError("There is no photo yet: expected one in the middle of the upper row; upload it first.")
            photo = load_photo(path)
            if photo.shape[0] * photo.shape[1] > LARGE_PHOTO:
                trim_memory()
            return PhotoSession(photo, predictor.begin(photo), threads)

        # Gradio's upload paths hold a hash of the content: one path, one photo.
        self._session_of = lru_cache(PHOTOS_REMEMBERED)(look_at)

    def segment(self, photo: str | None):
        """Photo file -> PNG files of the random and the pretrained alpha, at the photo's own size."""
        if photo is None:
            return None, None
        with mistakes_shown():
            pngs = self._session_of(photo).pngs
            return tuple(
                to_cache(f"{variant}-mask.png", pngs[variant].result()) for variant in ("random", "pretrained")
            )

    def recolour(
        self,
        photo: str | None,
        colour: str,
        strength: float,
        variant: str,
        vividness: float = RecolourSettings.vividness,
        lightness: float = RecolourSettings.lightness,
        natural_roots: float = RecolourSettings.natural_roots,
        second_mode: str = "none",
        second_colour: str = SECOND_COLOUR,
    ):
        """Photo file, colour (#rrggbb or preset), strength in [0, 1], variant and finer settings -> recoloured PNG file."""
        if photo is None:
            return None
        with mistakes_shown():
            settings = RecolourSettings(
                strength,
                vividness,
                lightness,
                natural_roots,
                *((to_hex(second_colour), second_mode) if second_mode != "none" else ()),
            )
            recolourer = self._session_of(photo).recolourer(variant).result()
            return save_png("recoloured.png", recolourer.recolour(to_hex(colour), settings))

    def cutout(self, photo: str | None, variant: str):
        """Photo file and variant -> RGBA PNG file of the hair alone."""
        with mistakes_shown():
            session = self._session_of(photo)
            return gr.Image(save_png("cutout.png", cutout(session.photo, session.alpha(variant))), visible=True)

    def all_presets(self, photo: str | None, variant: str, strength: float):
        """Photo file, variant and strength -> PNG file of a sheet with the hair in every preset."""
        with mistakes_shown():
            session = self._session_of(photo)
            sheet = contact_sheet(session.photo, session.alpha(variant), RecolourSettings(strength))
            return gr.Image(save_png("colours.png", sheet), visible=True)

    def displayable(self, photo: str | None):
        """A PNG of pictures that browsers do not show, HEIC say; others stay as they are."""
        if photo is None or Path(photo).suffix.lower() in BROWSERS_SHOW:
            return gr.skip()
        with mistakes_shown():
            return save_png(f"{Path(photo).stem}.png", load_photo(photo))
