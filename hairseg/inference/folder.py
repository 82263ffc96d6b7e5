"""Many photos at once: find the files, choose the paths of their results, process them on all cores."""

import logging
import math
import os
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from hairseg.errors import InputError, printable, raise_if_any
from hairseg.files import WriteError, is_hidden, write_bytes
from hairseg.images import alpha_to_grey, encode_png, load_photo, readable_suffixes
from hairseg.memory import return_large_arrays_to_system
from hairseg.recolouring.collages import contact_sheet
from hairseg.recolouring.recolourer import HairRecolourer
from hairseg.recolouring.settings import RecolourSettings

if TYPE_CHECKING:
    from hairseg.inference.predictor import HairPredictor

logger = logging.getLogger(__name__)

RESULT_KINDS = ("alpha", "cutout", "recoloured", "sheet")

RESULT_SUFFIXES = tuple(f".{kind}.png" for kind in RESULT_KINDS)

MAX_NAME_BYTES = 255 - max(map(len, RESULT_SUFFIXES))  # file systems allow 255

MAX_MEGAPIXELS = 48  # processed at the same time; cutouts take about 80 bytes per pixel, 4 GB in all

PNG_HEADER_BYTES = 33  # signature and IHDR chunk

_TEXT_CHUNK = b"tEXtSoftware\0HairSeg"
RESULT_MARKER = (  # a PNG chunk: length of its data, type and data, checksum
    (len(_TEXT_CHUNK) - 4).to_bytes(4) + _TEXT_CHUNK + zlib.crc32(_TEXT_CHUNK).to_bytes(4)
)


@dataclass(frozen=True)
class PhotoResult:
    """Outcome of one photo: `error` is None if its results were written, else one sentence or two."""

    photo: Path
    error: str | None = None


def find_photos(arguments: Iterable[Path], output: Path) -> dict[Path, Path]:
    """Find photos, and choose the paths of their results.

    Args:
        arguments: files, and folders that stand for all pictures in them and their sub-folders. Links to folders are
            followed, each folder is searched once. Hidden files, system folders (`files.is_hidden`) and files named
            like results (`*.alpha.png`, ...) are not searched. Results of earlier runs among the files, as a shell's
            `*` adds them, are skipped with a warning, unless all files are results.
        output: folder for the results.

    Returns:
        Target -> photo. The target is the path of the photo's results without their suffixes (see `result_path`):
        `output/a/x` for `folder/a/x.jpg` if `folder` is an argument. Photos with the same target keep their suffixes:
        `output/IMG_1.HEIC` and `output/IMG_1.JPG`. Files are in the order given, pictures of a folder sorted.

    Raises:
        InputError: a folder without pictures, or photos whose results would overwrite each other.
        OSError: a folder cannot be listed.
    """
    photos_by_target: dict[Path, list[Path]] = {}
    for argument, folder in _skip_results(arguments):
        paths = list(_pictures_below(argument)) if folder else [argument]
        if not paths:
            raise InputError(
                f"{argument} contains no pictures.", remedy="Choose a folder with JPEG, PNG, HEIC or similar files."
            )
        for path in paths:
            subfolder = path.parent.relative_to(folder) if folder else Path()
            photos_by_target.setdefault(output / subfolder / _file_name(path.stem), []).append(path)
    photos: dict[Path, Path] = {}
    problems = []
    for target, paths in photos_by_target.items():
        distinct: dict[str, Path] = {}
        for path in paths:
            distinct.setdefault(os.path.realpath(path) if len(paths) > 1 else "", path)
        for path in distinct.values():
            unique = target if len(distinct) == 1 else target.with_name(_file_name(path.name))
            if unique in photos:
                problems.append(f"{photos[unique]} and {path}")
            photos[unique] = path
    raise_if_any(
        problems, "pairs of photos would have the same results", "Rename them, or choose an output folder for each."
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
) -> Iterator[PhotoResult]:
    """Write the results of many photos, one photo per core.

    A photo that cannot be read or processed does not stop the others.

    Args:
        photos: target -> photo, as `find_photos` returns them.
        predictor: with the variant.
        variant: name of the network.
        kinds: results to write, of `RESULT_KINDS`.
        colour: `#rrggbb` or the name of a preset; required for "recoloured".
        settings: of the recoloured photos and sheets.
        max_threads: by default the number of photos. Alphas may differ in the last bit with the number of threads: pass
            the total to get the same results when only some of the photos are left.

    Yields:
        The outcome of each photo, in the order of completion.

    Raises:
        InputError: before anything is written: a result would overwrite a file beside the photos that is not a result
            of an earlier run, such as one of the photos. WriteError: the disk is full, or nothing can be written.

    Example:
        >>> from hairseg import RecolourSettings
        >>> photos = find_photos([Path("holiday")], Path("masks"))  # doctest: +SKIP
        >>> predictor = HairPredictor.from_pretrained(variants=["pretrained"])  # doctest: +SKIP
        >>> for result in process_photos(
        ...     photos, predictor, "pretrained", ["alpha", "cutout"], None, RecolourSettings()
        ... ):  # doctest: +SKIP
        ...     print(result.photo, result.error or "done")
    """
    import torch  # here, so that mistakes which `find_photos` reports do not wait for it

    _raise_if_overwriting(photos, kinds)
    return_large_arrays_to_system()
    cores, opencv_threads = torch.get_num_threads(), cv2.getNumThreads()
    # Whole photos in parallel keep the cores busier than parallel steps of one photo.
    threads = max(1, min(cores, max_threads or len(photos)))
    memory = WeightedSemaphore(MAX_MEGAPIXELS)

    def process(target: Path, path: Path) -> PhotoResult:
        try:
            photo = load_photo(path, str(path))
            with memory.acquire(math.ceil(photo.shape[0] * photo.shape[1] / 1e6)):
                alpha = predictor.alphas(photo)[variant]
                for kind, picture in _draw_results(photo, alpha, kinds, colour, settings):
                    write_picture(result_path(target, kind), picture)
        except (WriteError, OSError):  # such as a full disk, where the other photos would fail too
            raise
        except InputError as error:
            return PhotoResult(path, str(error))
        except Exception as error:
            return PhotoResult(path, f"{path} cannot be processed ({type(error).__name__}: {error}).")
        return PhotoResult(path)

    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(cores // threads,))
    cv2.setNumThreads(cores // threads)
    try:
        futures = [pool.submit(process, target, path) for target, path in photos.items()]
        for future in as_completed(futures):
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(cores)
        cv2.setNumThreads(opencv_threads)


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Write a picture that `encode_png` accepts, atomically and marked as a result; create folders if necessary."""
    content = encode_png(picture)
    write_bytes(path, content[:PNG_HEADER_BYTES] + RESULT_MARKER + content[PNG_HEADER_BYTES:])


def is_result(path: Path) -> bool:
    """Tell whether a file has the name of a result and was written by `write_picture`."""
    if not path.name.endswith(RESULT_SUFFIXES) or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(PNG_HEADER_BYTES + len(RESULT_MARKER)).endswith(RESULT_MARKER)


class WeightedSemaphore:
    """A semaphore whose holders take several units each; one that asks for more than the capacity takes all of it."""

    def __init__(self, capacity: int):
        self._capacity = capacity
        self._units = threading.Semaphore(capacity)
        self._turn = threading.Lock()

    @contextmanager
    def acquire(self, units: int) -> Iterator[None]:
        """Hold that many units; wait until they are free."""
        units = min(units, self._capacity)
        with self._turn:  # two holders that each had some of their units would wait for each other
            for _ in range(units):
                self._units.acquire()
        try:
            yield
        finally:
            self._units.release(units)


def _skip_results(arguments: Iterable[Path]) -> list[tuple[Path, Path | None]]:
    """Return the arguments without results of earlier runs, each with itself if it is a folder."""
    arguments = list(arguments)
    results = [path for path in arguments if is_result(path)]
    if len(results) < len(arguments) and results:
        names = "; ".join(printable(path) for path in results[:5]) + ("; ..." if len(results) > 5 else "")
        logger.warning("Skipping %d results of earlier runs: %s", len(results), names)
        skipped = set(results)
        arguments = [path for path in arguments if path not in skipped]
    return [(path, path if path.is_dir() else None) for path in arguments]


def _pictures_below(folder: Path) -> Iterator[Path]:
    def raise_error(error: OSError) -> None:
        raise error

    visited = set()
    for parent, folders, names in os.walk(folder, onerror=raise_error, followlinks=True):
        status = os.stat(parent)
        if (status.st_dev, status.st_ino) in visited:  # a link to a folder that was searched, or is being searched
            folders.clear()
            continue
        visited.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        for name in sorted(names):
            is_picture = Path(name).suffix.lower() in readable_suffixes()
            if is_picture and not is_hidden(name) and not name.endswith(RESULT_SUFFIXES):
                yield Path(parent, name)


def _file_name(name: str) -> str:
    """Make a name valid with any result suffix: shorten it with a checksum, replace names made of dots only."""
    name = name if name.strip(".") else name.replace(".", "_")
    name_bytes = os.fsencode(name)
    if len(name_bytes) <= MAX_NAME_BYTES:
        return name
    return f"{name_bytes[: MAX_NAME_BYTES - 9].decode(errors='ignore')}-{zlib.crc32(name_bytes):08x}"


def _raise_if_overwriting(photos: Mapping[Path, Path], kinds: Sequence[str]) -> None:
    """Raise InputError if a result would replace a file in a folder of the photos that is not a result."""
    photo_folders = {os.path.realpath(folder) for folder in {photo.parent for photo in photos.values()}}
    shared_folders = {
        folder for folder in {target.parent for target in photos} if os.path.realpath(folder) in photo_folders
    }
    paths = [result_path(target, kind) for target in photos if target.parent in shared_folders for kind in kinds]
    raise_if_any(
        [str(path) for path in paths if path.exists() and not is_result(path)],
        "files beside the photos would be overwritten and are not results of an earlier run",
        "Move them, or choose another output folder.",
    )


def _draw_results(
    photo: np.ndarray, alpha: np.ndarray, kinds: Sequence[str], colour: str | None, settings: RecolourSettings
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the kind and the picture of each result."""
    recolourer = HairRecolourer(photo, alpha)
    if "alpha" in kinds:
        yield "alpha", alpha_to_grey(alpha)
    if "cutout" in kinds:
        yield "cutout", recolourer.cutout()
    if "recoloured" in kinds and colour:
        yield "recoloured", recolourer.recolour(colour, settings)
    if "sheet" in kinds:
        yield "sheet", contact_sheet(photo, alpha, settings)
