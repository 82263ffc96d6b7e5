"""Batch processing: find photos, choose the paths of their results, process them on all cores."""

import logging
import math
import os
import threading
import unicodedata
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import cv2

from hairseg.errors import InputError, printable, raise_if_any, summarise
from hairseg.files import ignores_case, is_hidden, write_bytes
from hairseg.images import load_photo, readable_suffixes
from hairseg.inference.rows import ShardWriter, encode_results, measure_hair
from hairseg.memory import return_large_arrays_to_system
from hairseg.recolouring.settings import RecolourSettings

if TYPE_CHECKING:
    from hairseg.inference.predictor import HairPredictor

logger = logging.getLogger(__name__)

T = TypeVar("T")

RESULT_KINDS = ("alpha", "cutout", "recoloured", "sheet")

RESULT_SUFFIXES = tuple(f".{kind}.png" for kind in RESULT_KINDS)

MAX_NAME_BYTES = 255 - max(map(len, RESULT_SUFFIXES))  # file systems allow 255

MAX_MEGAPIXELS = 48  # processed at the same time; cutouts take about 80 bytes per pixel, 4 GB in all

PNG_UP_FILTER = 2  # PNG specification, section 9.2


@dataclass(frozen=True)
class PhotoResult:
    """Outcome of one photo: `error` is None if its results were written, otherwise one or two sentences."""

    photo: Path
    error: str | None = None


def find_photos(arguments: Iterable[Path], output: Path) -> dict[Path, Path]:
    """Find photos, and choose the paths of their results.

    Results of earlier runs (see `is_result`) may be overwritten; `process_photos` never overwrites any other file.

    Args:
        arguments: files and folders. Folders are searched recursively for pictures; links to folders are followed.
            Hidden files, system folders (`files.is_hidden`) and files with the name of a result (`*.alpha.png`, ...)
            are ignored there. Results of earlier runs among the files, as a shell's `*` adds them, are skipped with a
            warning, unless all files are results.
        output: folder for the results.

    Returns:
        Target -> photo. A target is the path of the results without suffix (see `result_path`): `output/a/x` for
        `folder/a/x.jpg` if `folder` is an argument. Photos with the same target keep their suffixes:
        `output/IMG_1.HEIC` and `output/IMG_1.JPG`. In a case-insensitive output folder, targets that differ in
        case only are the same. The order is that of the arguments; folders are sorted.

    Raises:
        InputError: a folder contains no pictures, or two photos have the same results.
        OSError: a folder cannot be listed.
    """
    photos_by_target: dict[Path, dict[str, Path]] = {}  # per target, without duplicates
    for argument in _skip_results(list(arguments)):
        is_folder = argument.is_dir()
        paths = list(find_files(argument, readable_suffixes())) if is_folder else [argument]
        if not paths:
            raise InputError(
                f"{argument} contains no pictures.", remedy="Choose a folder with JPEG, PNG, HEIC or similar files."
            )
        for path in paths:
            subfolder = path.parent.relative_to(argument) if is_folder else Path()
            target = output / subfolder / shorten_name(path.stem)
            photos_by_target.setdefault(target, {}).setdefault(os.path.realpath(path), path)
    key = _choose_key(photos_by_target, output)
    groups: dict[Path, list[tuple[Path, Path]]] = {}
    for target, paths in photos_by_target.items():
        groups.setdefault(key(target), []).extend((target, path) for path in paths.values())
    photos: dict[Path, Path] = {}
    photo_by_key: dict[Path, Path] = {}
    conflicts = []
    for group in groups.values():
        for target, path in group:
            unique = target if len(group) == 1 else target.with_name(shorten_name(path.name))
            if key(unique) in photo_by_key:
                conflicts.append(f"{photo_by_key[key(unique)]} and {path}")
            photos[unique] = photo_by_key[key(unique)] = path
    raise_if_any(
        conflicts, "pairs of photos would have the same results", "Rename them, or choose an output folder for each."
    )
    return photos


def result_path(target: Path, kind: str) -> Path:
    """Return the path of one of the `RESULT_KINDS`.

    Example:
        >>> result_path(Path("out/a/x"), "alpha").as_posix()
        'out/a/x.alpha.png'
    """
    return target.with_name(f"{target.name}.{kind}.png")


def process_photos(
    photos: Mapping[Path, Path],
    predictor: "HairPredictor",
    variant: str,
    kinds: Sequence[str],
    colour: str | None,
    settings: RecolourSettings,
    max_threads: int | None = None,
    shards: ShardWriter | None = None,
) -> Iterator[PhotoResult]:
    """Write the results of many photos, one photo per core.

    A photo that cannot be read or processed does not stop the others.

    Args:
        photos: target -> photo, as `find_photos` returns them.
        predictor: a predictor with the variant loaded.
        variant: name of the network.
        kinds: results to write, of `RESULT_KINDS`.
        colour: `#rrggbb` or the name of a preset; required for "recoloured".
        settings: of the recoloured photos and sheets.
        max_threads: by default the number of photos. Alphas may differ in the last bit with the number of threads: when
            only some of the photos are left, pass the total to get the same results.
        shards: where to write rows, errors included, instead of PNG files.

    Yields:
        The outcome of each photo, in the order of completion.

    Raises:
        InputError: a result would overwrite a file that is not a result of an earlier run, such as a photo. Nothing
            has been written.
        WriteError: the disk is full, or the folder is not writable.

    Example:
        >>> from hairseg import RecolourSettings
        >>> photos = find_photos([Path("holiday")], Path("masks"))  # doctest: +SKIP
        >>> predictor = HairPredictor.from_pretrained(variants=["pretrained"])  # doctest: +SKIP
        >>> for result in process_photos(
        ...     photos, predictor, "pretrained", ["alpha", "cutout"], None, RecolourSettings()
        ... ):  # doctest: +SKIP
        ...     print(result.photo, result.error or "done")
    """
    import torch  # takes seconds, which errors of `find_photos` need not wait for

    paths = [] if shards else [result_path(target, kind) for target in photos for kind in kinds]
    raise_if_any(
        [str(path) for path in paths if path.exists() and not is_result(path)],
        "files would be overwritten and are not results of an earlier run",
        "Move them, or choose another output folder.",
    )
    return_large_arrays_to_system()
    cores, opencv_threads = torch.get_num_threads(), cv2.getNumThreads()
    # Photos in parallel keep the cores busier than parallel steps of one photo.
    threads = max(1, min(cores, max_threads or len(photos)))
    memory = WeightedSemaphore(MAX_MEGAPIXELS)

    def segment(path: Path) -> dict[str, Any]:
        photo = load_photo(path, str(path))
        with memory.acquire(math.ceil(photo.shape[0] * photo.shape[1] / 1e6)):
            alpha = predictor.alphas(photo)[variant]
            pictures = encode_results(photo, alpha, kinds, colour, settings)
            return pictures | measure_hair(alpha >= predictor.config.threshold) if shards else pictures

    def process(target: Path, path: Path) -> PhotoResult:
        row, problem = catch_error(segment, path, path)
        if shards:
            shards.add({"id": shards.photo_id(target, path), **row})
        elif not problem:
            for kind, content in row.items():
                write_bytes(result_path(target, kind), content)
        return PhotoResult(path, problem)

    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(cores // threads,))
    cv2.setNumThreads(cores // threads)
    try:
        futures = [pool.submit(process, target, path) for target, path in photos.items()]
        for future in as_completed(futures):
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)
        if shards:
            shards.flush()
        torch.set_num_threads(cores)
        cv2.setNumThreads(opencv_threads)


def catch_error(function: Callable[[T], dict[str, Any]], photo: T, name: object) -> tuple[dict[str, Any], str | None]:
    """Return the row that a function returns for a photo, or a row of its error, and the error.

    Raises:
        OSError: the other photos would fail, too.
    """
    try:
        return function(photo), None
    except OSError:
        raise
    except InputError as error:
        problem = str(error)
    except Exception as error:
        problem = f"{name} cannot be processed ({type(error).__name__}: {summarise(error)})."
    return {"error": problem}, problem


def is_result(path: Path) -> bool:
    """Return whether a file has the name of a result and is encoded as by `encode_png`.

    Other programs use another filter in the first row of a PNG, so that masks edited by hand are not results.
    """
    if not path.name.endswith(RESULT_SUFFIXES) or not path.is_file():
        return False
    with path.open("rb") as file, suppress(zlib.error):
        head = file.read(1000)
        # The first chunk of image data follows the signature and the IHDR chunk, 33 bytes.
        return head[37:41] == b"IDAT" and zlib.decompressobj().decompress(head[41:], 1) == bytes([PNG_UP_FILTER])
    return False


class WeightedSemaphore:
    """A semaphore of which a holder acquires several units; a request for more than the capacity acquires all."""

    def __init__(self, capacity: int):
        self._capacity = capacity
        self._units = threading.Semaphore(capacity)
        self._turn = threading.Lock()

    @contextmanager
    def acquire(self, units: int) -> Iterator[None]:
        """Wait until that many units are free, and hold them."""
        units = min(units, self._capacity)
        with self._turn:  # otherwise two holders with some of their units each would deadlock
            for _ in range(units):
                self._units.acquire()
        try:
            yield
        finally:
            self._units.release(units)


def _skip_results(arguments: list[Path]) -> list[Path]:
    """Return the arguments that are not results of earlier runs; all of them, if all are results."""
    results = [path for path in arguments if is_result(path)]
    if not results or len(results) == len(arguments):
        return arguments
    names = "; ".join(printable(path) for path in results[:5]) + ("; ..." if len(results) > 5 else "")
    logger.warning("Skipping %d results of earlier runs: %s", len(results), names)
    skipped = set(results)
    return [path for path in arguments if path not in skipped]


def find_files(folder: Path, suffixes: Collection[str]) -> Iterator[Path]:
    """Yield the files of a folder with one of these lower-case suffixes, recursively, folder after folder.

    Links to folders are followed; hidden files, system folders and results of earlier runs are ignored.

    Raises:
        OSError: a folder cannot be listed.
    """

    def raise_error(error: OSError) -> None:
        raise error

    visited = set()
    for parent, folders, names in os.walk(folder, onerror=raise_error, followlinks=True):
        status = os.stat(parent)
        if (status.st_dev, status.st_ino) in visited:  # reached again by a link
            folders.clear()
            continue
        visited.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        for name in sorted(names):
            is_wanted = Path(name).suffix.lower() in suffixes
            if is_wanted and not is_hidden(name) and not name.endswith(RESULT_SUFFIXES):
                yield Path(parent, name)


def _choose_key(targets: Collection[Path], output: Path) -> Callable[[Path], Path]:
    """Return a function that maps targets which are the same file in the output folder to equal keys."""
    has_similar = len({_fold_case(target) for target in targets}) < len(targets)
    return _fold_case if has_similar and ignores_case(output) else lambda target: target


def _fold_case(path: Path) -> Path:
    """Fold case, and normalise Unicode, as case-insensitive file systems may do, too."""
    return Path(unicodedata.normalize("NFC", str(path)).casefold())


def shorten_name(name: str) -> str:
    """Shorten a file name, with a checksum, if it would be too long with the suffix of a result."""
    name_bytes = os.fsencode(name)
    if len(name_bytes) <= MAX_NAME_BYTES:
        return name
    return f"{name_bytes[: MAX_NAME_BYTES - 9].decode(errors='ignore')}-{zlib.crc32(name_bytes):08x}"
