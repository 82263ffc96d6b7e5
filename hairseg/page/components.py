"""The page's own components: the upload, pictures in Gradio's cache, errors."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import gradio as gr
import numpy as np
from gradio.processing_utils import save_base64_to_cache, save_bytes_to_cache
from gradio.utils import get_upload_folder

from hairseg.errors import InputError
from hairseg.images import encode_png

NOT_UPLOADED = str(InputError("That is no photo of this page", "a file that was uploaded here", "upload it first"))


class PhotoUpload(gr.Image):
    """An image upload that hands over the file as it came, whatever is in it: `load_photo` explains what is wrong.

    Only files that a visitor has uploaded, or that the page itself has written, are handed over. Gradio moves uploads
    into its cache by their `meta` and leaves a payload without it as it came: its path could be any of the server's.
    """

    is_template = True  # shown by Gradio's own image component

    def preprocess(self, payload) -> str | None:
        if payload is None:
            return None
        with suppress(ValueError, OSError):  # no base64; a NUL or a loop of links in the path
            url = payload.url or ""
            if payload.path is None and url.startswith("data:"):
                return save_base64_to_cache(url, self.GRADIO_CACHE)
            path = Path(payload.path or "/").resolve()
            if path.is_relative_to(Path(self.GRADIO_CACHE).resolve()) and path.is_file():
                return str(path)
        raise gr.Error(NOT_UPLOADED, print_exception=False)


@contextmanager
def mistakes_on_page() -> Iterator[None]:
    """A user's mistake becomes one sentence on the page."""
    try:
        yield
    except InputError as error:
        raise gr.Error(str(error), print_exception=False) from None


def save_png(name: str, picture: np.ndarray) -> str:
    """Path of a PNG file of that name in Gradio's cache, which what `encode_png` takes is written to."""
    return save_bytes_to_cache(encode_png(picture), name, get_upload_folder())


def to_hex(colour: str) -> str:
    """The colour picker's notation as #rrggbb; anything else unchanged.

    Example:
        >>> to_hex("rgba(142, 36.2, 170, 1)")
        '#8e24aa'
    """
    match = re.fullmatch(r"rgba?\((\d+\.?\d*), *(\d+\.?\d*), *(\d+\.?\d*)(, *[\d.]+)?\)", str(colour))
    if not match:
        return colour
    return "#" + bytes(min(255, round(float(channel))) for channel in match.groups()[:3]).hex()
