"""Many photos: which files they are, where their results go, and several of them at a time."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from hairseg import InputError
from hairseg.images import encode_png, readable_formats

RESULTS = ("alpha", "cutout", "recoloured", "sheet")


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
                f"{argument} holds no pictures: expected JPEG, PNG, HEIC or the like in it or its sub-folders; "
                "check the path."
            )
        for path in found:
            target = output / (path.parent.relative_to(argument) if is_folder else "") / path.stem
            if target in photos:
                raise InputError(
                    f"the results of {photos[target]} and {path} would overwrite each other: expected different names; "
                    "rename one of them, or write them to different --output folders."
                )
            photos[target] = path
    return photos


def result_path(target: Path, kind: str) -> Path:
    """`output/a/x` and one of `RESULTS` -> `output/a/x.alpha.png`"""
    return target.with_name(f"{target.name}.{kind}.png")


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Write what `encode_png` takes, in a new folder if need be: the file is whole or not there, even after a kill."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.partial")
    try:
        beside.write_bytes(encode_png(picture))
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def in_threads(work: Callable, items: Iterable, threads: int) -> Iterator:
    """Results of `work(item)`, in the order they are ready, from that many threads.

    Items are taken up as threads become free, so what waits does not grow with their number. When one raises, or the
    caller is interrupted, those at work are finished, and no others begun.
    """
    pool = ThreadPoolExecutor(threads)
    pending = set()
    try:
        for item in items:
            pending.add(pool.submit(work, item))
            if len(pending) > threads:  # one waits, so that no thread does
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    finally:
        pool.shutdown(cancel_futures=True)


class Room:
    """A bound on what several threads hold at once: whoever finds no room waits. More than there is goes in alone."""

    def __init__(self, size: int):
        self.size = self.free = size
        self.changed = threading.Condition()
        self.door = threading.Lock()  # where one waits for much room, others do not slip in before

    @contextmanager
    def taken(self, size: int) -> Iterator[None]:
        size = min(size, self.size)
        with self.door, self.changed:
            self.changed.wait_for(lambda: self.free >= size)
            self.free -= size
        try:
            yield
        finally:
            with self.changed:
                self.free += size
                self.changed.notify_all()


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
