"""Photos and masks of data sets as arrays of one size, decoded once and mapped into memory ever after."""

import hashlib
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset
from tqdm import tqdm

from hairseg.data.datasets import Pair, load_pair
from hairseg.data.hats import load_hat, paste_hat
from hairseg.errors import InputError, raise_if_any
from hairseg.files import WriteError, atomic_write
from hairseg.networks.preprocessing import Preprocessing

FORMAT = "4"  # of what is written into the cache: to be changed with it

STALE_SECONDS = 6 * 3600  # after which a half-written one is taken for that of a process that was killed


@dataclass
class PhotoArrays(Dataset):
    """Photos and masks at the network's input size or larger, in memory or mapped from a file."""

    photos: torch.Tensor  # uint8 (images, side, side, 3)
    masks: torch.Tensor  # uint8 (images, side, side) of {0, 1, IGNORE}
    # int64 (images, 4): left, top, right, bottom of the photo in its square; None: all of it
    windows: torch.Tensor = None  # pyright: ignore[reportAssignmentType]  (None only until __post_init__)
    # float64 (images,): how often an epoch shows each, on average; None: once
    weights: torch.Tensor = None  # pyright: ignore[reportAssignmentType]  (None only until __post_init__)

    def __post_init__(self):
        if self.windows is None:
            side = self.photos.shape[1]
            self.windows = torch.tensor([0, 0, side, side]).expand(len(self.photos), 4)
        if self.weights is None:
            self.weights = torch.ones(len(self.photos), dtype=torch.float64)

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int | list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """A photo and its mask, or a batch of them."""
        return self.photos[index], self.masks[index]

    def to(self, device: torch.device) -> "PhotoArrays":
        return PhotoArrays(self.photos.to(device), self.masks.to(device), self.windows, self.weights)


def load_arrays(pairs: dict[str, list[Pair]], preprocessing: Preprocessing, workers: int) -> PhotoArrays:
    """The pairs of one or more data sets, by their names, at the preprocessing's size, decoded once.

    The decoded arrays stay in a cache folder (HAIRSEG_CACHE, else ~/.cache/hairseg) under a digest of the files'
    contents, and are mapped into memory from there: a quarter megabyte per photo at 256 x 256, one at 512 x 512.

    Raises:
        InputError: lists every pair that cannot be read; WriteError, its subclass, where the cache has no room.
    """
    named = [(dataset, pair) for dataset, of_dataset in pairs.items() for pair in of_dataset]
    if not named:
        side = preprocessing.image_size
        return PhotoArrays(
            torch.empty(0, side, side, 3, dtype=torch.uint8), torch.empty(0, side, side, dtype=torch.uint8)
        )
    with ThreadPoolExecutor(max(1, workers)) as pool:
        digests = pool.map(_digest, (path for _, pair in named for path in (pair.photo, pair.mask, pair.hat)))
        contents = [FORMAT, repr(preprocessing), *(dataset for dataset, _ in named), *digests]
        contents += [str(pair.window) for _, pair in named]
        key = hashlib.sha256("\n".join(contents).encode()).hexdigest()[:32]
    folder = Path(os.environ.get("HAIRSEG_CACHE") or Path.home() / ".cache" / "hairseg") / key
    if not folder.is_dir():
        _remove_stale(folder.parent)
        room = len(named) * preprocessing.image_size**2 * 4  # a photo's three channels and its mask
        try:
            with atomic_write(folder, room, "make room, or name another folder in HAIRSEG_CACHE") as beside:
                _decode(named, preprocessing, workers, beside)
        except WriteError:
            if not folder.is_dir():  # else another process has just written the same
                raise
    files = (folder / f"{name}.npy" for name in ("photos", "masks", "windows"))
    return PhotoArrays(*(torch.from_numpy(np.load(file, mmap_mode="c")) for file in files))


def _digest(path: Path | None) -> str:
    if path is None:
        return "none"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remove_stale(cache: Path) -> None:
    """Remove what killed processes have left half-written, also those of other machines that share the cache."""
    for partial in cache.glob(".*.partial"):
        with suppress(OSError):  # it has just become whole
            if time.time() - max(path.stat().st_mtime for path in (partial, *partial.iterdir())) > STALE_SECONDS:
                shutil.rmtree(partial, ignore_errors=True)


def _decode(pairs: list[tuple[str, Pair]], preprocessing: Preprocessing, workers: int, folder: Path) -> None:
    """Write photos.npy, masks.npy and windows.npy of `PhotoArrays` into a new folder."""
    folder.mkdir()
    side = preprocessing.image_size
    photos = _allocated(folder / "photos.npy", (len(pairs), side, side, 3))
    masks = _allocated(folder / "masks.npy", (len(pairs), side, side))
    windows = np.empty((len(pairs), 4), np.int64)

    def load(index: int) -> str | None:
        dataset, pair = pairs[index]
        try:
            photo, mask = load_pair(pair, dataset, side)
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
        results = pool.map(load, range(len(pairs)))
        problems = [problem for problem in tqdm(results, "reading photos", len(pairs), unit="photo") if problem]
    raise_if_any(problems, "pairs cannot be used", "repair or remove these files")
    photos.flush()
    masks.flush()
    np.save(folder / "windows.npy", windows)


def _allocated(path: Path, shape: tuple[int, ...]) -> np.memmap:
    """A new uint8 array mapped from a file that has its room on the disk: writing to the map cannot find it full."""
    array = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    if hasattr(os, "posix_fallocate"):  # macOS has none
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array
