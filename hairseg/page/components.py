"""The page's own components: what visitors hand over, and how mistakes and files get back to them."""

import base64
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.processing_utils import hash_bytes
from gradio.utils import get_upload_folder

from hairseg.errors import InputError
from hairseg.recolouring.settings import describe

NOT_UPLOADED = "That is no photo of this page. Upload it first."


def uploaded_file(path: Any, cache: str) -> str | None:
    """The path of a file in `cache`: one that a visitor has uploaded or the page has written. None for any other.

    Gradio moves uploads into its cache by their `meta` and leaves a payload without it as it came: its path could be
    any of the server's. Whether another file is there is not told either.
    """
    with suppress(ValueError, OSError, TypeError):  # a NUL or a loop of links in the path, or no path at all
        path = Path(path or "/").resolve()
        if path.is_relative_to(Path(cache).resolve()) and path.is_file():
            return str(path)
    return None


class PhotoUpload(gr.Image):
    """The endpoints' photo: the file as it came, whatever is in it. `load_photo` explains what is wrong."""

    is_template = True  # shown by Gradio's own image component

    def preprocess(self, payload) -> str | None:
        if payload is None:
            return None
        url = payload.url or ""
        if payload.path is None and url.startswith("data:"):
            with suppress(ValueError):  # no base64
                return save_file("photo", base64.b64decode(url.partition(",")[2]))
        path = uploaded_file(payload.path, self.GRADIO_CACHE)
        if path is None:
            raise gr.Error(NOT_UPLOADED, print_exception=False)
        return path


class PhotoInput(gr.HTML):
    """The page's photo, in markup of its own.

    Its value is {"path": an uploaded file, or None where there is no such any more, "look", "edit" and "asked":
    numbers, "strokes", "model": a name}. The numbers are those of the chosen model's look at the photo, of the last
    change of its touch-up and of the request: results carry them, and the page shows those of its latest look and edit
    alone, and none that a later request has overtaken. `read_strokes` says what is wrong with strokes.
    """

    def preprocess(self, payload) -> dict | None:
        if payload is None or payload == "":  # Gradio sends an empty text for no value
            return None
        if not isinstance(payload, dict):
            raise gr.Error(NOT_UPLOADED, print_exception=False)
        path = uploaded_file(payload.get("path"), self.GRADIO_CACHE)
        numbers = {key: counted(payload.get(key)) for key in ("look", "edit", "asked")}
        return {"path": path, **numbers, **{key: payload.get(key) for key in ("strokes", "model")}}


def counted(number: Any) -> int | None:
    """A number that a browser counts by; None for anything else, which an answer might not even be able to hold."""
    return number if type(number) is int and abs(number) < 2**53 else None


# The controls hand over whatever they are given: `RecolourSettings` says in plain words what is wrong with it.


class Slider(gr.Slider):
    is_template = True  # shown by Gradio's own, as the next ones

    def preprocess(self, payload: Any) -> Any:
        return payload

    @classmethod
    def of(cls, setting: str, **options: Any) -> "Slider":
        """The slider of a number of `RecolourSettings`."""
        about = describe(setting)
        span = {"minimum": about["lowest"], "maximum": about["highest"], "step": about["step"]}
        return cls(value=about["default"], label=about["label"], **span, **options)


class Radio(gr.Radio):
    is_template = True

    def preprocess(self, payload: Any) -> Any:
        return payload


class Dropdown(gr.Dropdown):
    is_template = True

    def preprocess(self, payload: Any) -> Any:
        return payload


class ColourPicker(gr.ColorPicker):
    is_template = True

    def preprocess(self, payload: Any) -> Any:
        return payload


@contextmanager
def mistakes_as_errors() -> Iterator[None]:
    """An endpoint's answer to a user's mistake is one sentence."""
    try:
        yield
    except InputError as error:
        raise gr.Error(str(error), print_exception=False) from None


def save_file(name: str, content: bytes) -> str:
    """Path of a file of that name in the cache of this page.

    The same content has the same path. It is replaced and not written over: another visitor may be fetching it.
    """
    folder = Path(get_upload_folder()) / hash_bytes(content)
    folder.mkdir(parents=True, exist_ok=True)
    path, beside = folder / re.sub(r"[^\w .()-]", "_", name), folder / f".{threading.get_ident()}"
    beside.write_bytes(content)
    return str(beside.replace(path))
