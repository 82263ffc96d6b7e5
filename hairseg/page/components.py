"""The page's own components: the upload, pictures in Gradio's cache, errors."""

import re
from contextlib import suppress
from pathlib import Path

import gradio as gr
import numpy as np
from gradio.processing_utils import save_base64_to_cache, save_bytes_to_cache
from gradio.utils import get_upload_folder

from hairseg.errors import InputError
from hairseg.images import encode_png

NOT_UPLOADED = "That is no photo of this page: expected a file that was uploaded here; upload it first."


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


class mistakes_shown:
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
