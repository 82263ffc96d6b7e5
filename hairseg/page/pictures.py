"""Write the files that the browser displays or downloads, and name them."""

import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
from gradio.processing_utils import hash_bytes
from gradio.utils import get_upload_folder

from hairseg.images import encode_jpeg, encode_png
from hairseg.recolouring.palette import PRESETS, parse_colour

MAX_DISPLAY_BYTES = 190_000  # size of a displayed photo


def save_file(name: str, content: bytes) -> str:
    """Save a file for the browser and return its path, which contains a hash of the content.

    The file is written atomically, since another visitor may be downloading one of the same content.
    """
    folder = Path(get_upload_folder()) / hash_bytes(content)
    folder.mkdir(parents=True, exist_ok=True)
    path, temporary = folder / re.sub(r"[^\w .()-]", "_", name), folder / f".{threading.get_ident()}"
    temporary.write_bytes(content)
    return str(temporary.replace(path))


def save_picture(name: str, picture: np.ndarray) -> str:
    """Save a picture for display: masks as PNG, photos as a small JPEG."""
    if picture.ndim == 2:
        return save_file(f"{name}.png", encode_png(picture))
    return save_file(f"{name}.jpg", encode_jpeg(picture, 92, MAX_DISPLAY_BYTES))


def photo_stem(path: str) -> str:
    """Return the name of a photo without its suffix, at most 80 characters.

    Example:
        >>> photo_stem("/tmp/gradio/0123/selfie at home.heic")
        'selfie at home'
    """
    return Path(path).stem[:80]


def colour_name(colour: Any) -> str:
    """Return the name of a colour's preset, or its code #rrggbb. Raises InputError if it is not a colour."""
    code = "#" + bytes(parse_colour(colour)).hex()
    return next((name for name, preset in PRESETS.items() if preset == code), code)


def colour_slug(colour: Any) -> str:
    """Return the colour as it appears in file names.

    Example:
        >>> colour_slug("#cfae85")
        'light-blond'
    """
    return colour_name(colour).lstrip("#").replace(" ", "-")
