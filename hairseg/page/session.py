"""A visitor's photo and what is known of it, at the size that is shown and at its own."""

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hairseg.errors import InputError
from hairseg.images import scale_down
from hairseg.page.decoding import HUGE, USUAL, Decoder
from hairseg.page.models import Models
from hairseg.page.remembered import Remembered
from hairseg.page.speeds import Speeds
from hairseg.page.touch_up import Stroke, touch_up
from hairseg.paper import VARIANTS
from hairseg.recolouring.recolourer import HairRecolourer

if TYPE_CHECKING:  # it takes PyTorch along, which the page starts without
    from hairseg.inference.predictor import HairPredictor

SHOWN_SIDE = 1280  # pixels, longer side of what the page shows

PHOTOS_REMEMBERED = 8  # at the size that is shown: some 60 MB each

OWN_SIZES_REMEMBERED = 2  # of 12 megapixels: some 400 MB each

TOUCHED_REMEMBERED = 8  # recolourers of touched-up photos at the size that is shown: some 30 MB each

HUGE_PHOTO = 25_000_000  # pixels, of which others must not wait for


class PhotoSession:
    """One photo: the networks' looks at it, and what is made of them when it is asked for.

    Args:
        path: an uploaded file.
        predictor: both networks.

    Raises:
        InputError: the file is no photo.
    """

    def __init__(self, path: str, predictor: "HairPredictor"):
        self.path = path
        photo = decoder_of(path).load(path, longer_side=SHOWN_SIDE)
        self.threshold = predictor.config.threshold
        self._looks = predictor.submit(photo)
        self.shown = scale_down(photo, SHOWN_SIDE)
        self.is_own_size = max(photo.shape) < SHOWN_SIDE  # at exactly that side it may be a larger JPEG, read at a half
        self._made = Remembered(2 * len(VARIANTS) + 1)

    def alpha(self, variant: str) -> np.ndarray:
        """Of the photo as shown: float32 in [0, 1], (height, width). Waits for the network."""
        look = self._looks[known(variant)]
        return self._made.get(("alpha", variant), lambda: look.result().alpha(self.shown))

    def recolourer(self, variant: str, strokes: tuple[Stroke, ...] = ()) -> HairRecolourer:
        """Of the photo as shown; with strokes on the alpha it is made anew."""
        known(variant)
        if strokes:
            return HairRecolourer(self.shown, touch_up(self.shown, self.alpha(variant), strokes))
        return self._made.get(("recolourer", variant), lambda: HairRecolourer(self.shown, self.alpha(variant)))

    def file(self, save: Callable[[np.ndarray], str]) -> str:
        """What `save` makes of the photo as shown, once."""
        return self._made.get("file", lambda: save(self.shown))

    def full_resolution(self, variant: str, strokes: tuple[Stroke, ...] = ()) -> HairRecolourer:
        """Photo and alpha at the photo's own size, by the same looks and with the same strokes."""
        if self.is_own_size:
            return self.recolourer(variant, strokes)
        look = self._looks[variant]
        photo = decoder_of(self.path).load(self.path)
        return HairRecolourer(photo, touch_up(photo, look.result().alpha(photo), strokes))


class PageSession:
    """The last photos of all visitors.

    Args:
        models: what the page serves; or the networks of the only one.
    """

    def __init__(self, models: "Models | HairPredictor"):
        self.models = models if isinstance(models, Models) else Models.of(models)
        self.speeds = Speeds(self.models)
        self._photos = Remembered(PHOTOS_REMEMBERED)
        self._own_sizes = Remembered(OWN_SIZES_REMEMBERED)
        self._touched = Remembered(TOUCHED_REMEMBERED)
        self._huge = ThreadPoolExecutor(1, "huge photos", yield_to_others)

    def photo(self, path: str, model: str | None = None) -> PhotoSession:
        """The session of an uploaded file with a model, by its name; the first one by default.

        Gradio's paths hold a digest of the content: one path, one photo.
        """
        name = self.models.known(model).name
        return self._photos.get((path, name), lambda: PhotoSession(path, self.predictor(name)))

    def predictor(self, model: str | None = None) -> "HairPredictor":
        """Both networks of a model, once they are loaded."""
        name = self.models.known(model).name
        try:
            return self.models.predictor(name)
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)  # it names paths, which stay the server's own
            raise InputError(f"the model {name} cannot be loaded", "tell whoever serves this page") from None

    def in_turn(self, path: str, work: Callable):
        """What `work()` gives. On huge photos one works after another, with the time that nobody else wants."""
        if _pixels_of(path) < HUGE_PHOTO:
            return work()
        return self._huge.submit(work).result()

    def forget(self, seconds: float) -> None:
        """Let go of photos that were first seen longer ago than that."""
        self._photos.forget(seconds)
        self._own_sizes.forget(seconds)
        self._touched.forget(seconds)

    def recolourer(
        self, path: str, variant: str, strokes: tuple[Stroke, ...] = (), model: str | None = None
    ) -> HairRecolourer:
        """Of an uploaded file as shown, with a visitor's strokes; the next colour on them finds it again."""
        photo, name = self.photo(path, model), self.models.known(model).name
        if not strokes:
            return photo.recolourer(variant)
        return self._touched.get((path, name, known(variant), strokes), lambda: photo.recolourer(variant, strokes))

    def full_resolution(
        self, path: str, variant: str, strokes: tuple[Stroke, ...] = (), model: str | None = None
    ) -> HairRecolourer:
        """Photo, alpha and recolourer of an uploaded file at its own size, with a visitor's strokes."""
        photo, name = self.photo(path, model), self.models.known(model).name
        return self._own_sizes.get(
            (path, name, known(variant), strokes), lambda: photo.full_resolution(variant, strokes)
        )


def _pixels_of(path: str) -> int:
    try:
        return _counted(path)
    except LookupError:
        return 0


@lru_cache(maxsize=1000)
def _counted(path: str) -> int:
    """Once for each photo: its path holds a digest of the content. Raises LookupError where they cannot be counted."""
    if pixels := USUAL.pixels(path):
        return pixels
    raise LookupError(path)


def decoder_of(path: str) -> Decoder:
    """That which opens the photo without anybody waiting for it who has another."""
    return USUAL if _pixels_of(path) < HUGE_PHOTO else HUGE


def yield_to_others(nice: int = 19) -> None:
    """Lower the priority of this thread alone, from 0 to at most 19; where there is no such thing, it stays."""
    with suppress(OSError, AttributeError):
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, max(nice, os.getpriority(os.PRIO_PROCESS, thread)))


def known(variant: str) -> str:
    """The variant. Raises InputError if it is none; the message names it."""
    if variant not in VARIANTS:
        raise InputError(f"{variant!r:.80} is no variant", " or ".join(VARIANTS))
    return variant


def name_of(path: str) -> str:
    """The photo's name without its suffix, which the files made of it begin with.

    Example:
        >>> name_of("/tmp/gradio/0123/selfie at home.heic")
        'selfie at home'
    """
    return Path(path).stem[:80]
