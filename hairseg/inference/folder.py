"""Many photos: which files they are, and where their results go."""

import os
import zlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from hairseg.errors import InputError
from hairseg.files import write_bytes
from hairseg.images import encode_png, readable_formats

RESULTS = ("alpha", "cutout", "recoloured", "sheet")

LONGEST_NAME = 255 - max(len(f".{kind}.png") for kind in RESULTS)  # bytes: what file systems allow, less what is added


def find_photos(arguments: Iterable[Path], output: Path) -> dict[Path, Path]:
    """The photos that a command line means, and where their results go.

    Args:
        arguments: files, and folders, which stand for all pictures in them and in their sub-folders. Hidden files and
            results of earlier runs (`*.alpha.png` and so on) are not among those.
        output: folder of the results.

    Returns:
        Photo by the path that its results share up to their kind (`result_path`): with `folder` given,
        `folder/a/x.jpg` by `output/a/x`. Files in the order given, pictures of a folder sorted.

    Raises:
        InputError: a folder without pictures, or two photos whose results would overwrite each other.
        OSError: a folder that cannot be listed.
    """
    photos = {}
    for argument in arguments:
        is_folder = argument.is_dir()
        found = list(_pictures_below(argument)) if is_folder else [argument]
        if not found:
            raise InputError(
                f"{argument} holds no pictures",
                "JPEG, PNG, HEIC or the like in it or its sub-folders",
                "check the path",
            )
        for path in found:
            target = output / (path.parent.relative_to(argument) if is_folder else "") / _short_enough(path.stem)
            if target in photos and os.path.realpath(photos[target]) != os.path.realpath(path):
                raise InputError(
                    f"the results of {photos[target]} and {path} would overwrite each other",
                    "different names",
                    "rename one of them, or write them to different --output folders",
                )
            photos.setdefault(target, path)
    return photos


def result_path(target: Path, kind: str) -> Path:
    """Where one of `RESULTS` goes.

    Example:
        >>> result_path(Path("out/a/x"), "alpha").as_posix()
        'out/a/x.alpha.png'
    """
    return target.with_name(f"{target.name}.{kind}.png")


def _short_enough(name: str) -> str:
    """The name, or its beginning and a checksum, so that files of results can be called by it; dots alone are none."""
    name = name if name.strip(".") else name.replace(".", "_")
    name_bytes = os.fsencode(name)
    if len(name_bytes) <= LONGEST_NAME:
        return name
    return f"{name_bytes[: LONGEST_NAME - 9].decode(errors='ignore')}-{zlib.crc32(name_bytes):08x}"


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Write what `encode_png` takes, in a new folder if need be: the file is whole or not there, even after a kill."""
    write_bytes(path, encode_png(picture))


def _pictures_below(folder: Path) -> Iterator[Path]:
    def cannot_be_listed(error: OSError):
        raise error

    results = tuple(f".{kind}.png" for kind in RESULTS)
    for parent, folders, names in os.walk(folder, onerror=cannot_be_listed):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and not name.endswith(results) and Path(name).suffix.lower() in _suffixes():
                yield Path(parent, name)


@cache
def _suffixes() -> set[str]:
    """Of the pictures that `load_photo` reads, in lower case."""
    return {suffix for suffix, format in Image.registered_extensions().items() if format in readable_formats()}
