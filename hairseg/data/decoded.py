"""Data sets as arrays of one size, decoded once and cached."""

import hashlib
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch.utils.data import Dataset
from tqdm import tqdm

from hairseg.data.datasets import Pair, load_pair
from hairseg.data.hats import load_hat, paste_hat
from hairseg.environment import find_cache_folder
from hairseg.errors import InputError, raise_if_any
from hairseg.files import WriteError, atomic_write
from hairseg.networks.preprocessing import Preprocessing

CACHE_FORMAT = "4"  # to be increased when decoded arrays change


logger = logging.getLogger(__name__)


class PhotoArrays(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Photos and masks of one size as tensors, in memory or memory-mapped.

    Args:
        photos: uint8 RGB (images, side, side, 3).
        masks: uint8 (images, side, side) of {0, 1, IGNORE}.
        windows: int64 (images, 4), left, top, right and bottom of each photo in its square; by default, all of it.
        weights: float64 (images,), expected number of times that an epoch shows each photo; 1 by default.
    """

    def __init__(
        self,
        photos: torch.Tensor,
        masks: torch.Tensor,
        windows: torch.Tensor | None = None,
        weights: torch.Tensor | None = None,
    ):
        side = photos.shape[1]
        self.photos, self.masks = photos, masks
        self.windows = torch.tensor([0, 0, side, side]).expand(len(photos), 4) if windows is None else windows
        self.weights = torch.ones(len(photos), dtype=torch.float64) if weights is None else weights

    @classmethod
    def empty(cls, side: int) -> "PhotoArrays":
        """Return arrays without photos."""
        return cls(torch.empty(0, side, side, 3, dtype=torch.uint8), torch.empty(0, side, side, dtype=torch.uint8))

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int | list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a photo and its mask, or a batch of them."""
        return self.photos[index], self.masks[index]

    def to(self, device: torch.device) -> "PhotoArrays":
        """Copy photos and masks to a device."""
        return PhotoArrays(self.photos.to(device), self.masks.to(device), self.windows, self.weights)


def load_arrays(pairs: dict[str, list[Pair]], preprocessing: Preprocessing, workers: int) -> PhotoArrays:
    """Decode the pairs of one or more data sets into the cache, unless they are cached, and memory-map them.

    The cache folder is `HAIRSEG_CACHE`, by default ~/.cache/hairseg, or a temporary folder if that is not writable. Its
    entries are named by a digest of the files' contents and take 0.25 MB per photo at 256 x 256, 1 MB at 512 x 512.

    Args:
        pairs: pairs by the name of their data set.
        preprocessing: defines the size of the arrays.
        workers: number of threads.

    Raises:
        InputError: lists every pair that cannot be read.
        WriteError: the cache cannot be written.
    """
    named_pairs = [(dataset, pair) for dataset, of_dataset in pairs.items() for pair in of_dataset]
    if not named_pairs:
        return PhotoArrays.empty(preprocessing.image_size)
    entry = (find_cache_folder() or Path(_create_temporary_cache().name)) / _cache_key(
        named_pairs, preprocessing, workers
    )
    if not entry.is_dir():
        try:
            with atomic_write(entry) as partial:
                _decode(named_pairs, preprocessing, workers, partial)
        except WriteError as error:
            if not entry.is_dir():  # otherwise another process has just written the same entry
                remedy = "Free some space, or choose another folder with HAIRSEG_CACHE."
                raise WriteError(error.problem, remedy=remedy) from None
    photos, masks, windows = (
        torch.from_numpy(np.load(entry / f"{name}.npy", mmap_mode="c")) for name in ("photos", "masks", "windows")
    )
    return PhotoArrays(photos, masks, windows)


@cache
def _create_temporary_cache() -> TemporaryDirectory[str]:
    """Create a folder that is removed when the process ends."""
    folder = TemporaryDirectory(prefix="hairseg-")
    logger.warning(
        "Decoded photos are cached in %s until this process ends. HAIRSEG_CACHE names another folder.", folder.name
    )
    return folder


def _cache_key(pairs: list[tuple[str, Pair]], preprocessing: Preprocessing, workers: int) -> str:
    with ThreadPoolExecutor(max(1, workers)) as pool:
        paths = [path for _, pair in pairs for path in (pair.photo, pair.mask, pair.hat)]
        digests = tqdm(
            pool.map(_file_digest, paths), "hashing files", len(paths), unit="file", delay=2, leave=False, disable=None
        )
        contents = [CACHE_FORMAT, repr(preprocessing), *(dataset for dataset, _ in pairs), *digests]
    contents += [str(pair.window) for _, pair in pairs]
    return hashlib.sha256("\n".join(contents).encode()).hexdigest()[:32]


def _file_digest(path: Path | None) -> str:
    if path is None:
        return "none"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _decode(pairs: list[tuple[str, Pair]], preprocessing: Preprocessing, workers: int, folder: Path) -> None:
    """Write photos.npy, masks.npy and windows.npy, the arrays of `PhotoArrays`, to a new folder."""
    folder.mkdir()
    side = preprocessing.image_size
    photos = _create_memmap(folder / "photos.npy", (len(pairs), side, side, 3))
    masks = _create_memmap(folder / "masks.npy", (len(pairs), side, side))
    windows = np.empty((len(pairs), 4), np.int64)

    def decode_pair(index: int) -> str | None:
        dataset, pair = pairs[index]
        try:
            # A window is cropped from the photo at full resolution.
            photo, mask = load_pair(pair, dataset, longer_side=None if pair.window else side)
            hat = load_hat(pair.hat) if pair.hat else None
            if hat is not None:
                photo, mask = paste_hat(photo, mask, hat, pair.id)
        except InputError as error:
            return str(error).rstrip(".")
        photos[index], masks[index] = preprocessing.fit_photo(photo), preprocessing.fit_mask(mask)
        rows, columns = preprocessing.window(*photo.shape[:2])
        windows[index] = columns.start, rows.start, columns.stop, rows.stop
        return None

    with ThreadPoolExecutor(max(1, workers)) as pool:
        results = pool.map(decode_pair, range(len(pairs)))
        bar = tqdm(results, "reading photos", len(pairs), unit="photo", disable=None)  # only on a terminal
        problems = [problem for problem in bar if problem]
    raise_if_any(problems, "pairs cannot be used", "Repair or remove these files.")
    photos.flush()
    masks.flush()
    np.save(folder / "windows.npy", windows)


def _create_memmap(path: Path, shape: tuple[int, ...]) -> np.memmap:
    """Create a memory-mapped uint8 array and reserve its disk space, since a full disk would kill the process later."""
    array = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    if hasattr(os, "posix_fallocate"):  # not on macOS
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array
