"""The output of a run: results, and a manifest from which the next run continues.

    manifest/settings.json      what the results depend on
    manifest/1-000012-000.jsonl a line per photo of a block: id, hair, heads, or id and error
    part-1-000012-000.parquet   its rows; or NAME.alpha.png and so on

A block is recorded after its results are written. The next run skips recorded blocks and repeats the others.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from hairseg.errors import InputError, raise_if_any, summarise
from hairseg.files import write_bytes
from hairseg.inference.folder import is_result, result_path
from hairseg.inference.rows import encode_shard

MANIFEST, SETTINGS = "manifest", "settings.json"

RECORDS_PER_REQUEST = 1000

MEASUREMENTS = ("id", "hair", "heads", "error")


class Output:
    """A folder on any file system of fsspec, to which many workers write.

    Args:
        url: a path, or for example `s3://bucket/masks`.

    Raises:
        InputError: its file system is unknown.
    """

    def __init__(self, url: str):
        self.url = url
        try:
            self._files, root = url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise InputError(f"{url} cannot be opened ({summarise(error)}).", remedy="Check the address.") from None
        self._root = root.rstrip("/")
        self._is_local = isinstance(self._files, LocalFileSystem)

    def start(self, settings: dict[str, Any]) -> None:
        """Record the settings of a run, or compare them with those of the run that it continues.

        Raises:
            InputError: they differ.
            WriteError: the folder is not writable.
        """
        name, content = f"{MANIFEST}/{SETTINGS}", json.dumps(settings, indent=2) + "\n"
        if not self._files.exists(self._full(name)):
            self._write(name, content.encode())
            return
        previous = json.loads(self._files.cat_file(self._full(name)))
        raise_if_any(
            [key for key, value in json.loads(content).items() if previous.get(key) != value],
            f"settings differ from those of the earlier run in {self.url}",
            "Repeat its command to continue it, or choose another output.",
        )

    def blocks(self) -> list[str]:
        """Return the names of the recorded blocks."""
        folder = self._full(MANIFEST)
        names = (path.rpartition("/")[2] for path in self._files.ls(folder, detail=False))
        return sorted(name.removesuffix(".jsonl") for name in names if name.endswith(".jsonl"))

    def records(self, blocks: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Read the records of blocks, a dict per photo."""
        for start in range(0, len(blocks), RECORDS_PER_REQUEST):
            paths = [self._full(_record(name)) for name in blocks[start : start + RECORDS_PER_REQUEST]]
            for content in self._files.cat(paths).values() if paths else ():
                yield from map(json.loads, content.splitlines())

    def has(self, block: str) -> bool:
        """Return whether a block is recorded."""
        return self._files.exists(self._full(_record(block)))

    def raise_if_foreign(self, target: str, kinds: Sequence[str]) -> None:
        """Raise InputError if the PNG files of a photo would overwrite files that are not results."""
        paths = [result_path(Path(self._full(target)), kind) for kind in kinds] if self._is_local else []
        raise_if_any(
            [str(path) for path in paths if path.exists() and not is_result(path)],
            "files would be overwritten and are not results of an earlier run",
            "Move them, or choose another output folder.",
        )

    def write_pictures(self, target: str, pictures: dict[str, bytes]) -> None:
        """Write the PNG files of a photo.

        Args:
            target: their path without suffix, relative to the output.
            pictures: PNG file contents by kind.

        Raises:
            WriteError: the disk is full, or the folder is not writable.
        """
        for kind, content in pictures.items():
            self._write(result_path(Path(target), kind).as_posix(), content)

    def record(self, block: str, rows: Sequence[dict[str, Any]], kinds: Sequence[str] | None) -> None:
        """Record a block; if `kinds` is not None, write its rows to a Parquet file first.

        Raises:
            WriteError: the disk is full, or the folder is not writable.
        """
        if kinds is not None:
            self._write(f"part-{block}.parquet", encode_shard(rows, kinds))
        lines = [json.dumps({key: row[key] for key in MEASUREMENTS if key in row}) + "\n" for row in rows]
        self._write(_record(block), "".join(lines).encode())

    def _full(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _write(self, name: str, content: bytes) -> None:
        if self._is_local:
            write_bytes(self._full(name), content)
        else:  # writes to object stores are atomic
            self._files.pipe_file(self._full(name), content)


def _record(block: str) -> str:
    return f"{MANIFEST}/{block}.jsonl"
