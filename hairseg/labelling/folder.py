"""A folder of photos to label: `photos/` and `masks/` as training reads them, and drafts of masks in `drafts/`."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hairseg.data.datasets import PHOTO_SUFFIXES, Pair, find_files, index_by_stem, load_pair
from hairseg.errors import InputError, quote
from hairseg.files import write_bytes
from hairseg.images import encode_jpeg, encode_png, load_photo, readable_suffixes, scale_down
from hairseg.networks.preprocessing import IGNORE
from hairseg.page.studio.strokes import Stroke, apply_strokes

HAIR, UNLABELLED, OTHER = 255, 128, 0  # values in mask files

THUMBNAIL_SIDE = 160  # pixels

Window = tuple[int, int, int, int]


class LabelFolder:
    """The photos of a folder, and their labels: uint8, (height, width), of `HAIR`, `UNLABELLED` and `OTHER`.

    Args:
        root: Folder that contains `photos/`.
        segment: Returns the hair mask of a photo, bool (height, width). Called for photos without a mask or a draft.

    Raises:
        InputError: `photos/` has no photos, or two photos or two masks have the same name.
    """

    def __init__(self, root: Path, segment: Callable[[np.ndarray], np.ndarray]):
        self.root, self._segment = root, segment
        folder = root / "photos"
        self._photos = index_by_stem(find_files(folder, PHOTO_SUFFIXES))
        if not self._photos:
            raise InputError(f"{folder} contains no photos.", remedy="Add .jpg, .jpeg or .png files.")
        self._masks = index_by_stem(find_files(root / "masks", (".png",)))
        self._drafts = index_by_stem(find_files(root / "drafts", (".png",)))
        other_suffixes = tuple(readable_suffixes() - set(PHOTO_SUFFIXES))
        self._others = [path.name for path in find_files(folder, other_suffixes)]
        self._load = lru_cache(2)(load_photo)

    def entries(self) -> list[dict[str, Any]]:
        """Return name and state ("done", "draft" or "new") of each photo, and an error for each unusable file."""
        entries: list[dict[str, Any]] = [
            {"name": name, "state": "done" if name in self._masks else "draft" if name in self._drafts else "new"}
            for name in sorted(self._photos)
        ]
        error = "Training does not read this format. Convert the photo to JPEG or PNG."
        return entries + [{"name": name, "state": "new", "error": error} for name in self._others]

    def thumbnail(self, name: str) -> bytes:
        """Return a small JPEG file of a photo."""
        photo = load_photo(self._path(name), longer_side=THUMBNAIL_SIDE)
        return encode_jpeg(scale_down(photo, THUMBNAIL_SIDE), 80)

    def photo(self, name: str) -> bytes:
        """Return the upright photo as a JPEG file."""
        return encode_jpeg(self._load(self._path(name)))

    def labels(self, name: str) -> np.ndarray:
        """Return the saved labels of a photo, else its draft, else the network's mask; at the size of the photo.

        Raises:
            InputError: The photo or the file of the mask cannot be read, or their aspect ratios differ.
        """
        path = self._path(name)
        saved = self._masks.get(name) or self._drafts.get(name)
        photo, mask = load_pair(Pair(name, path, saved, split=""), "folder")
        if saved is None:
            mask = self._segment(photo)
        labels = np.select([mask == IGNORE, mask == 1], [np.uint8(UNLABELLED), np.uint8(HAIR)], np.uint8(OTHER))
        return cv2.resize(labels, photo.shape[1::-1], interpolation=cv2.INTER_NEAREST)

    def snap(self, name: str, stroke: Stroke) -> tuple[Window, np.ndarray]:
        """Find the pixels that a stroke paints if its outline snaps to the photo's edges.

        Returns:
            Left, top, width and height of a window in pixels, and a bool mask of that size.
        """
        photo = self._load(self._path(name))
        alpha = apply_strokes(photo, np.zeros(photo.shape[:2], np.float32), [stroke])
        painted = cv2.medianBlur((alpha >= 0.5).view(np.uint8), 3)  # removes single pixels
        left, top, width, height = cv2.boundingRect(painted)
        return (left, top, width, height), painted[top : top + height, left : left + width].view(bool)

    def save(self, name: str, content: bytes) -> None:
        """Write the mask of a photo, atomically.

        Args:
            name: Name of the photo.
            content: The labels row by row, one byte per pixel of the photo.

        Raises:
            InputError: The labels have other values or another size.
            WriteError: The file cannot be written.
        """
        height, width = self._load(self._path(name)).shape[:2]
        labels = np.frombuffer(content, np.uint8)
        if labels.size != height * width or not np.isin(labels, (HAIR, UNLABELLED, OTHER)).all():
            raise InputError("The mask does not belong to this photo.", remedy="Reload the page.")
        path = self._masks.get(name, self.root / "masks" / f"{name}.png")
        write_bytes(path, encode_png(labels.reshape(height, width)))
        self._masks[name] = path

    def _path(self, name: Any) -> Path:
        if not isinstance(name, str) or name not in self._photos:
            raise InputError(f"{quote(name)} is not a photo of this folder.", remedy="Reload the page.")
        return self._photos[name]
