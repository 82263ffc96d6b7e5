"""Results of photos as rows of Parquet files, and the pictures and measurements in them."""

import threading
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hairseg.errors import InputError
from hairseg.files import write_bytes
from hairseg.images import alpha_to_grey, encode_png
from hairseg.recolouring.collages import contact_sheet
from hairseg.recolouring.recolourer import HairRecolourer
from hairseg.recolouring.settings import RecolourSettings

MIN_HEAD_FRACTION = 1e-4  # of the photo's pixels; smaller components are mostly strands and specks

MAX_SHARD_BYTES = 64 << 20  # of encoded pictures; they are kept in memory until the shard is complete

MAX_SHARD_ROWS = 1000


def encode_results(
    photo: np.ndarray, alpha: np.ndarray, kinds: Sequence[str], colour: str | None, settings: RecolourSettings
) -> dict[str, bytes]:
    """Draw the results of a photo as PNG files.

    Args:
        photo: uint8 RGB, (height, width, 3).
        alpha: float32 in [0, 1], (height, width).
        kinds: results to draw, of `folder.RESULT_KINDS`.
        colour: `#rrggbb` or the name of a preset; required for "recoloured".
        settings: of the recoloured photo and the sheet.

    Returns:
        PNG file contents by kind.
    """
    return {kind: encode_png(picture) for kind, picture in _draw_results(photo, alpha, kinds, colour, settings)}


def measure_hair(mask: np.ndarray) -> dict[str, Any]:
    """Measure a hair mask.

    Args:
        mask: bool, (height, width).

    Returns:
        "hair", the fraction of pixels that are hair, and "heads", the bounding boxes of its connected components as
        [left, top, width, height] in pixels, the largest first. Heads whose hair touches share a box.

    Example:
        >>> measure_hair(np.array([[1, 1, 0, 0], [1, 1, 0, 1]], bool))
        {'hair': 0.625, 'heads': [[0, 0, 2, 2], [3, 1, 1, 1]]}
    """
    components = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)[2][1:].tolist()
    heads = [
        component[:4]
        for component in sorted(components, key=lambda component: -component[4])
        if component[4] >= MIN_HEAD_FRACTION * mask.size
    ]
    return {"hair": float(mask.mean()), "heads": heads}


def encode_shard(rows: Sequence[dict[str, Any]], kinds: Sequence[str]) -> bytes:
    """Return the contents of a Parquet file.

    Args:
        rows: "id", and either "error" or what `measure_hair` returns and a PNG file for each kind.
        kinds: the pictures, which become columns.

    Returns:
        A file with the columns id, the kinds, hair, heads and error, sorted by id.
    """
    pyarrow = import_pyarrow()
    import pyarrow.parquet as parquet

    schema = pyarrow.schema(
        [
            ("id", pyarrow.string()),
            *((kind, pyarrow.binary()) for kind in kinds),
            ("hair", pyarrow.float64()),
            ("heads", pyarrow.list_(pyarrow.list_(pyarrow.int32(), 4))),
            ("error", pyarrow.string()),
        ]
    )
    # File names may be invalid Unicode, which Parquet strings cannot hold.
    readable = [{**row, "id": row["id"].encode(errors="replace").decode()} for row in rows]
    table, file = pyarrow.Table.from_pylist(sorted(readable, key=lambda row: row["id"]), schema), BytesIO()
    parquet.write_table(table, file, compression="none")  # PNG files do not compress further
    return file.getvalue()


class ShardWriter:
    """Collects rows, and writes them to `part-00000.parquet` and so on. Threads may share it.

    Args:
        folder: where to write the shards.
        kinds: the pictures in each row.
        resume: continue after existing shards.

    Attributes:
        ids: ids of the rows in existing shards.

    Raises:
        InputError: the folder contains shards and `resume` is False, or pyarrow is not installed.
    """

    def __init__(self, folder: Path, kinds: Sequence[str], resume: bool = False):
        import_pyarrow()
        import pyarrow.parquet as parquet

        self._folder, self._kinds = folder, kinds
        self._rows: list[dict[str, Any]] = []
        self._bytes, self._lock = 0, threading.Lock()
        shards = sorted(folder.glob("part-*.parquet"))
        if shards and not resume:
            raise InputError(
                f"{folder} already contains Parquet files of an earlier run.",
                remedy="Continue it with --skip-existing, or choose another output folder.",
            )
        self._next = 1 + max((int(path.stem.removeprefix("part-")) for path in shards), default=-1)
        self.ids = {name for path in shards for name in parquet.read_table(path, columns=["id"])["id"].to_pylist()}

    def photo_id(self, target: Path, photo: Path) -> str:
        """Return the id of a photo: its name within the folder structure of the results.

        Args:
            target: as `folder.find_photos` returns it, within the folder of the shards.
            photo: path of the photo.
        """
        return (target.parent.relative_to(self._folder) / photo.name).as_posix()

    def add(self, row: dict[str, Any]) -> None:
        """Add a row, as for `encode_shard`. Writes a shard when enough rows are collected.

        Raises:
            WriteError: the disk is full, or the folder is not writable.
        """
        with self._lock:
            self._rows.append(row)
            self._bytes += sum(len(row[kind]) for kind in self._kinds if kind in row)
            if self._bytes >= MAX_SHARD_BYTES or len(self._rows) >= MAX_SHARD_ROWS:
                self._write()

    def flush(self) -> None:
        """Write the remaining rows.

        Raises:
            WriteError: the disk is full, or the folder is not writable.
        """
        with self._lock:
            if self._rows:
                self._write()

    def _write(self) -> None:
        path = self._folder / f"part-{self._next:05d}.parquet"
        write_bytes(path, encode_shard(self._rows, self._kinds))
        self._rows, self._bytes, self._next = [], 0, self._next + 1


def import_pyarrow() -> Any:
    """Import pyarrow, which is optional.

    Raises:
        InputError: it is not installed.
    """
    try:
        import pyarrow
    except ImportError:
        raise InputError(
            "Parquet files need pyarrow.", remedy='Install it with pip install "hairseg[cluster]".'
        ) from None
    return pyarrow


def _draw_results(
    photo: np.ndarray, alpha: np.ndarray, kinds: Sequence[str], colour: str | None, settings: RecolourSettings
) -> Iterator[tuple[str, np.ndarray]]:
    recolourer = HairRecolourer(photo, alpha)
    if "alpha" in kinds:
        yield "alpha", alpha_to_grey(alpha)
    if "cutout" in kinds:
        yield "cutout", recolourer.cutout()
    if "recoloured" in kinds and colour:
        yield "recoloured", recolourer.recolour(colour, settings)
    if "sheet" in kinds:
        yield "sheet", contact_sheet(photo, alpha, settings)
