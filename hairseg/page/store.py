"""Visitors' photos: their temporary folder, and a cache of the results computed from them.

Uploads and results are stored in a temporary folder that only the page's user can read. The page removes it on exit; if
the page was killed, the next one does. Files and cached results are removed after an hour.
"""

import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from hairseg.errors import InputError, quote
from hairseg.files import is_running
from hairseg.images import scale_down
from hairseg.page.decoder import HUGE, REGULAR, Decoder
from hairseg.page.studio.comparison import Box, restrict_to_head
from hairseg.page.studio.strokes import Stroke, apply_strokes
from hairseg.paper import VARIANTS
from hairseg.recolouring.recolourer import HairRecolourer

if TYPE_CHECKING:
    from hairseg.inference.predictor import HairPredictor
    from hairseg.page.registry import ModelRegistry

DISPLAY_SIDE = 1280  # longer side in pixels of the pictures that the page shows

MAX_CACHED_PHOTOS = 8  # at display size, about 60 MB each

MAX_CACHED_FULL_SIZE = 2  # about 400 MB each at 12 megapixels

MAX_CACHED_EDITS = 8  # recolourers of photos with brush strokes, about 30 MB each

HUGE_PIXELS = 25_000_000  # larger photos are processed one at a time, at low priority

FOLDER_PREFIX = "hairseg-page-"

MAX_AGE_SECONDS = 3600

SWEEP_INTERVAL_SECONDS = 300

T = TypeVar("T")


# ---- the folder ----


@contextmanager
def temporary_folder(
    evict: Callable[[float], None] = lambda seconds: None, interval: float = SWEEP_INTERVAL_SECONDS
) -> Iterator[Path]:
    """Create the folder for uploads and results, and remove it when the block ends.

    Sets GRADIO_TEMP_DIR. Enter the block before Gradio is imported: `gradio.mcp` reads the variable at import.

    Args:
        evict: Evicts cached results older than a number of seconds; called at every sweep.
        interval: Seconds between sweeps.

    Yields:
        The folder.
    """
    remove_abandoned_folders()
    folder = Path(tempfile.mkdtemp(prefix=f"{FOLDER_PREFIX}{os.getpid()}-"))
    lock = lock_folder(folder)
    previous, stopped = os.environ.get("GRADIO_TEMP_DIR"), Event()
    os.environ["GRADIO_TEMP_DIR"] = str(folder)

    def sweep() -> None:
        while not stopped.wait(interval):
            remove_old_files(folder, MAX_AGE_SECONDS)
            evict(MAX_AGE_SECONDS)

    Thread(target=sweep, name="sweep", daemon=True).start()
    try:
        yield folder
    finally:
        stopped.set()
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)
        os.environ.pop("GRADIO_TEMP_DIR")
        if previous is not None:
            os.environ["GRADIO_TEMP_DIR"] = previous


def remove_abandoned_folders() -> None:
    """Remove the folders of pages that are no longer running.

    A process id does not identify a running page, since containers reuse ids. A running page holds a lock.
    """
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"):
        pid = folder.name.removeprefix(FOLDER_PREFIX).partition("-")[0]
        if not folder.is_dir() or folder.is_symlink() or not pid.isdigit():
            continue
        has_own_pid = int(pid) == os.getpid()
        if not has_own_pid and is_running(int(pid)):
            continue
        with suppress(BlockingIOError):
            lock = lock_folder(folder)
            if lock is not None or not has_own_pid:
                shutil.rmtree(folder, ignore_errors=True)
            if lock is not None:
                os.close(lock)


def lock_folder(folder: Path) -> int | None:
    """Lock a folder until the returned file descriptor is closed.

    Returns:
        The file descriptor; None where the platform cannot lock folders.

    Raises:
        BlockingIOError: Another process holds the lock.
    """
    try:
        import fcntl

        lock = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        if isinstance(error, BlockingIOError):
            raise
        return None
    return lock


def remove_old_files(folder: Path, seconds: float) -> None:
    """Remove files older than `seconds`, and folders that are empty."""
    for path in sorted(folder.rglob("*"), reverse=True):  # children sort behind their folder
        with suppress(OSError):  # removed by another thread, or a folder that is not empty
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()) and time.time() - path.stat().st_mtime > 1:
                    path.rmdir()
            elif time.time() - path.lstat().st_mtime > seconds:
                path.unlink()


# ---- the cache ----


class Cache:
    """A thread-safe LRU cache that computes each value once, even if several threads request it at the same time.

    Exceptions are not cached.

    Args:
        max_weight: Maximum total weight. A single heavier entry is kept alone.
        weigh: Returns the weight of a key; 1 by default.

    Example:
        >>> squares = Cache(2)
        >>> [squares.get(number, lambda: print("computed") or number * number) for number in (3, 3)]
        computed
        [9, 9]
    """

    def __init__(self, max_weight: float, weigh: Callable[[Any], float] = lambda key: 1):
        self._max_weight, self._weigh = max_weight, weigh
        self._added: dict[Hashable, float] = {}
        self._entries: dict[Hashable, Future[Any]] = {}  # least recently used first
        self._lock = threading.Lock()

    def get(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return the cached value, or compute it. An exception of `compute` is raised in every waiting thread."""
        with self._lock:
            entry = self._entries.pop(key, None)
            is_new = entry is None
            self._entries[key] = entry = entry or Future()
            while len(self._entries) > 1 and sum(map(self._weigh, self._entries)) > self._max_weight:
                del self._entries[next(iter(self._entries))]
            if is_new:
                self._added = {key: self._added.get(key, time.monotonic()) for key in self._entries}
        if is_new:
            try:
                entry.set_result(compute())
            except BaseException as error:
                with self._lock:
                    if self._entries.get(key) is entry:
                        del self._entries[key]
                entry.set_exception(error)
        return entry.result()

    def evict_older_than(self, seconds: float) -> None:
        """Evict the values that were computed more than `seconds` ago."""
        with self._lock:
            for key, added in list(self._added.items()):
                if time.monotonic() - added > seconds:
                    self._entries.pop(key, None)
                    del self._added[key]


# ---- photos ----


@dataclass(frozen=True)
class HairRequest:
    """A request for the hair of one photo.

    Args:
        path: An uploaded photo.
        variant: The network whose alpha is used.
        model: Name of the model; None for the default.
        strokes: Edits of the alpha, in drawing order.
        head: Box of the head to recolour; None for all.
    """

    path: str
    variant: str
    model: str | None = None
    strokes: tuple[Stroke, ...] = ()
    head: Box | None = None

    def edit(self, photo: np.ndarray, alpha: np.ndarray) -> HairRecolourer:
        """Return the recolourer of the head with the strokes applied.

        Args:
            photo: uint8 RGB, (height, width, 3).
            alpha: The network's alpha, float32 in [0, 1], (height, width).
        """
        return HairRecolourer(photo, apply_strokes(photo, restrict_to_head(alpha, self.head), self.strokes))


class CachedPhoto:
    """A photo at display size, and the results of both networks, which are computed on demand.

    Args:
        path: An uploaded file.
        predictor: The networks. They start at once, in the background.

    Raises:
        InputError: The file is not a photo.
    """

    def __init__(self, path: str, predictor: "HairPredictor"):
        self.path = path
        decoded = decoder_for(path).load(path, longer_side=DISPLAY_SIDE)
        self.threshold = predictor.config.threshold
        self._predictions = predictor.submit(decoded)
        self.photo = scale_down(decoded, DISPLAY_SIDE)
        # a photo of exactly this side may be a larger JPEG that was decoded at reduced size
        self.is_full_size = max(decoded.shape) < DISPLAY_SIDE
        self._computed = Cache(2 * len(VARIANTS) + 2)

    def alpha(self, variant: str) -> np.ndarray:
        """Return the alpha at display size, float32 in [0, 1], (height, width). Blocks until it is predicted."""
        prediction = self._predictions[check_variant(variant)]
        return self._computed.get(("alpha", variant), lambda: prediction.result().alpha(self.photo))

    def recolourer(self, request: HairRequest) -> HairRecolourer:
        """Return the recolourer at display size. It is cached unless strokes or a head are given."""

        def compute() -> HairRecolourer:
            return request.edit(self.photo, self.alpha(request.variant))

        if request.strokes or request.head:
            return compute()
        return self._computed.get(("recolourer", check_variant(request.variant)), compute)

    def cached(self, key: str, compute: Callable[[], T]) -> T:
        """Return the cached value of a key, or compute it."""
        return self._computed.get(key, compute)

    def full_size(self, request: HairRequest) -> HairRecolourer:
        """Return the recolourer at full resolution, from the same predictions."""
        if self.is_full_size:
            return self.recolourer(request)
        photo = decoder_for(self.path).load(self.path)
        return request.edit(photo, self._predictions[request.variant].result().alpha(photo))


class PhotoStore:
    """A cache of the photos that visitors used last, and of their recolourers.

    A path identifies a photo, since Gradio's paths contain a hash of the content.

    Args:
        models: The models that the page serves.
    """

    def __init__(self, models: "ModelRegistry"):
        self.models = models
        self._photos = Cache(MAX_CACHED_PHOTOS)
        self._full_size = Cache(MAX_CACHED_FULL_SIZE)
        self._edited = Cache(MAX_CACHED_EDITS)

    def predictor(self, model: str | None = None) -> "HairPredictor":
        """Return both networks of a model, the default one for None. Blocks while they are loaded.

        Raises:
            InputError: No model has this name, or it cannot be loaded.
        """
        name = self.models.find(model).name
        try:
            return self.models.predictor(name)
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)  # for the owner only: the message may contain paths
            raise InputError(
                f"The model {name} cannot be loaded.", remedy="Choose another model, or tell the page's owner."
            ) from None

    def photo(self, path: str, model: str | None = None) -> CachedPhoto:
        """Return a photo with the predictions of a model. Raises InputError if the file is not a photo."""
        name = self.models.find(model).name
        return self._photos.get((path, name), lambda: CachedPhoto(path, self.predictor(name)))

    def recolourer(self, request: HairRequest) -> HairRecolourer:
        """Return the recolourer at display size."""
        photo = self.photo(request.path, request.model)
        if not request.strokes and not request.head:
            return photo.recolourer(request)
        return self._edited.get(self._key(request), lambda: photo.recolourer(request))

    def full_size(self, request: HairRequest) -> HairRecolourer:
        """Return the recolourer at full resolution."""
        photo = self.photo(request.path, request.model)
        return self._full_size.get(self._key(request), lambda: photo.full_size(request))

    def _key(self, request: HairRequest) -> HairRequest:
        check_variant(request.variant)
        return replace(request, model=self.models.find(request.model).name)  # None is the same as the default's name

    def evict_older_than(self, seconds: float) -> None:
        """Evict everything that was computed more than `seconds` ago."""
        for cache in (self._photos, self._full_size, self._edited):
            cache.evict_older_than(seconds)


@lru_cache(maxsize=1000)
def is_huge(path: str) -> bool:
    """Return whether a photo has to be processed alone. False if its header cannot be read."""
    return REGULAR.count_pixels(path) >= HUGE_PIXELS


def decoder_for(path: str) -> Decoder:
    """Return the decoder for a photo of this size."""
    return HUGE if is_huge(path) else REGULAR


def check_variant(variant: Any) -> str:
    """Return the variant. Raises InputError if it is not one of `VARIANTS`."""
    if variant not in VARIANTS:
        raise InputError(f"{quote(variant)} is not a network.", remedy=f"Choose {' or '.join(VARIANTS)}.")
    return variant
