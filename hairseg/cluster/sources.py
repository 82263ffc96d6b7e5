"""Photos of a source, local or remote: pictures in folders, Parquet files with an image column, WebDataset shards.

A source is listed lazily, folder after folder, as units: some pictures, a row group of a Parquet file, or a shard. A
worker reads the photos of a unit in blocks, and records each block after its results are written.
"""

import hashlib
import re
import tarfile
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np
from fsspec.core import has_magic, url_to_fs
from fsspec.implementations.local import LocalFileSystem
from fsspec.utils import glob_translate

from hairseg.errors import InputError, summarise
from hairseg.files import is_hidden
from hairseg.images import readable_suffixes
from hairseg.inference.folder import RESULT_SUFFIXES, find_files, shorten_name

PHOTOS_PER_BLOCK = 16

MAX_FILE_BYTES = 512 << 20

PARQUET, TAR = ".parquet", ".tar"

T = TypeVar("T")


@dataclass(frozen=True)
class Photo:
    """A photo of a source.

    Attributes:
        id: its name within the source.
        target: path of its results without suffix, relative to the output.
        name: its name in messages.
        content: contents of its file, or the error of reading it; None if `Source.read` has yet to read the file.
    """

    id: str
    target: str
    name: str
    content: bytes | InputError | None = None


@dataclass(frozen=True)
class Unit:
    """Photos that one worker reads.

    Attributes:
        photos: their number; None for a shard, which would have to be read to count them.
        pictures: paths and targets of pictures, relative to the root of the source.
        file: a Parquet file or shard instead.
        row_group: of the Parquet file.
        first_row: of the row group, counted from the start of the file.
        name: unique within a run.
    """

    photos: int | None
    pictures: tuple[tuple[str, str], ...] = ()
    file: str = ""
    row_group: int = 0
    first_row: int = 0
    name: str = ""


class Ids:
    """A set of ids, stored as hashes of 64 bits."""

    def __init__(self, ids: Iterable[str] = ()):
        self._hashes = np.unique(np.fromiter((_hash(name) for name in ids), np.uint64))

    def __len__(self) -> int:
        return len(self._hashes)

    def __contains__(self, name: object) -> bool:
        wanted = np.uint64(_hash(str(name)))
        index = np.searchsorted(self._hashes, wanted)
        return bool(index < len(self._hashes) and self._hashes[index] == wanted)


class Source:
    """A folder, a glob or a file, on any file system of fsspec.

    Args:
        url: a path, or for example `s3://bucket/photos`, `gs://bucket/**/*.jpg`, `hf://datasets/USER/NAME`.

    Raises:
        InputError: it does not exist, or its file system is unknown.
    """

    def __init__(self, url: str):
        self.url = url
        try:
            self.files, path = url_to_fs(url)
            is_glob = has_magic(path) and not self.files.exists(path)
            is_file = not is_glob and self.files.isfile(path)
            root = path.rstrip("/")
            if is_glob:
                root = re.split(r"[*?\[]", path)[0].rpartition("/")[0]
            elif is_file:
                root = path.rpartition("/")[0]
            exists = self.files.isdir(root or "/")
        except (ImportError, ValueError, OSError) as error:
            raise InputError(f"{url} cannot be opened ({summarise(error)}).", remedy="Check the address.") from None
        if not exists:
            raise InputError(f"{url} does not exist.", remedy="Check the path.")
        self._root = root
        self._pattern = re.compile(glob_translate(path)) if is_glob else None
        self._file = path if is_file else None
        label = root if self._pattern else url.rstrip("/")
        self._label = label.rpartition("/")[0] if is_file else label

    def units(self, done: Container[str] = (), run: int = 1) -> Iterator[Unit]:
        """List the photos, without those that are done.

        Args:
            done: ids of photos.
            run: number of the run, with which the names of its units begin.

        Raises:
            OSError: a folder cannot be listed.
        """
        for index, unit in enumerate(self._units(done)):
            yield replace(unit, name=f"{run}-{index:06d}")

    def blocks(self, unit: Unit, done: Container[str] = ()) -> Iterator[tuple[str, list[Photo]]]:
        """Read the photos of a unit, without those that are done.

        Yields:
            The name of each block, unique within a run, and at most `PHOTOS_PER_BLOCK` photos. If a Parquet file
            or shard is broken, the last photo contains the error.
        """
        if unit.pictures:
            photos = (Photo(path, target, self._name(path)) for path, target in unit.pictures)
        else:
            read = self._read_parquet if unit.file.endswith(PARQUET) else self._read_tar
            photos = (photo for photo in read(unit) if photo.id not in done)
        for index, block in enumerate(_batched(photos, PHOTOS_PER_BLOCK)):
            yield f"{unit.name}-{index:03d}", block

    def read(self, photo: Photo) -> bytes:
        """Return the contents of a photo's file.

        Raises:
            InputError: it cannot be read, is empty or too large.
        """
        if isinstance(photo.content, InputError):
            raise photo.content
        content = self._read_file(photo) if photo.content is None else photo.content
        if not content:
            raise InputError(f"{photo.name} is empty.", remedy="Remove it.")
        return content

    def _units(self, done: Container[str]) -> Iterator[Unit]:
        block: list[tuple[str, str]] = []
        for _, paths in groupby(self._walk(), lambda path: path.rpartition("/")[0]):
            pictures = []
            for path in paths:
                if path.endswith(TAR):
                    yield Unit(None, file=path)
                elif path.endswith(PARQUET):
                    yield from self._row_groups(path)
                else:
                    pictures.append(path)
            for path, target in name_targets(pictures):
                if path not in done:
                    block.append((path, target))
                if len(block) == PHOTOS_PER_BLOCK:
                    yield Unit(len(block), tuple(block))
                    block = []
        if block:
            yield Unit(len(block), tuple(block))

    def _walk(self) -> Iterator[str]:
        """Yield paths relative to the root, folder after folder."""
        suffixes = {*readable_suffixes(), PARQUET, TAR}
        if self._file:
            yield self._file.rpartition("/")[2]
            return
        if isinstance(self.files, LocalFileSystem):
            found = (path.as_posix() for path in find_files(Path(self._root), suffixes))
        else:
            found = (
                f"{folder}/{name}"
                for folder, _, names in self.files.walk(self._root)
                for name in sorted(names)
                if PurePosixPath(name).suffix.lower() in suffixes and not name.endswith(RESULT_SUFFIXES)
            )
        for path in found:
            relative = path.removeprefix(self._root).lstrip("/")
            is_wanted = not self._pattern or self._pattern.match(path)
            if is_wanted and not any(is_hidden(part) for part in relative.split("/")):
                yield relative

    def _name(self, path: str) -> str:
        return f"{self._label}/{path}" if self._label else path

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}"

    def _read_file(self, photo: Photo) -> bytes:
        try:
            size = self.files.size(self._full(photo.id)) or 0
            if size > MAX_FILE_BYTES:
                raise _too_large(photo.name)
            return self.files.cat_file(self._full(photo.id))
        except OSError as error:
            reason = error.strerror or summarise(error)
            raise InputError(f"{photo.name} cannot be read ({reason}).", remedy="Check the file.") from None

    def _row_groups(self, path: str) -> Iterator[Unit]:
        """Yield a unit for each row group of a Parquet file; one unit for a broken file."""
        import pyarrow.parquet as parquet

        try:
            with self.files.open(self._full(path), "rb") as file:
                metadata = parquet.ParquetFile(file).metadata
        except (OSError, ValueError):  # the worker that reads it reports the error
            yield Unit(None, file=path)
            return
        first = 0
        for group in range(metadata.num_row_groups):
            rows = metadata.row_group(group).num_rows
            yield Unit(rows, file=path, row_group=group, first_row=first)
            first += rows

    def _read_parquet(self, unit: Unit) -> Iterator[Photo]:
        import pyarrow.parquet as parquet

        try:
            with self.files.open(self._full(unit.file), "rb") as opened:
                file = parquet.ParquetFile(opened)
                column = find_image_column(file.schema_arrow, self._name(unit.file))
                batches = file.iter_batches(PHOTOS_PER_BLOCK, row_groups=[unit.row_group], columns=[column])
                row = unit.first_row
                for batch in batches:
                    for value in batch.column(0).to_pylist():
                        path = f"{unit.file}/{row:06d}"
                        content = value.get("bytes") if isinstance(value, dict) else value
                        yield Photo(path, path, self._name(path), content or b"")
                        row += 1
        except (OSError, ValueError) as error:
            group = f"/row-group-{unit.row_group}" if unit.row_group else ""
            yield self._unreadable(unit.file + group, error)

    def _read_tar(self, unit: Unit) -> Iterator[Photo]:
        """Yield the first picture of each sample; the files of a sample have the same name up to its first dot."""
        previous = None
        try:
            with (
                self.files.open(self._full(unit.file), "rb") as opened,
                tarfile.open(fileobj=opened, mode="r|") as tar,
            ):
                for member in tar:
                    path = PurePosixPath(member.name)
                    sample = path.with_name(path.name.partition(".")[0] or path.name).as_posix()
                    if not member.isfile() or path.suffix.lower() not in readable_suffixes() or sample == previous:
                        continue
                    previous = sample
                    full = f"{unit.file}/{member.name}"
                    if member.size > MAX_FILE_BYTES:
                        content = _too_large(self._name(full))
                    else:
                        content = tar.extractfile(member).read()  # pyright: ignore[reportOptionalMemberAccess]
                    yield Photo(full, f"{unit.file}/{sample}", self._name(full), content)
        except (OSError, tarfile.TarError) as error:
            yield self._unreadable(unit.file, error)

    def _unreadable(self, path: str, error: Exception) -> Photo:
        problem = f"{self._name(path)} is broken and cannot be read ({summarise(error)})."
        found = error if isinstance(error, InputError) else InputError(problem, remedy="Copy it again.")
        return Photo(path, path, self._name(path), found)


def name_targets(paths: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Pair the pictures of one folder with the paths of their results, as `folder.find_photos` does.

    Example:
        >>> list(name_targets(["a/x.jpg", "a/x.png", "a/y.jpg"]))
        [('a/x.jpg', 'a/x.jpg'), ('a/x.png', 'a/x.png'), ('a/y.jpg', 'a/y')]
    """
    names = {PurePosixPath(path).name for path in paths}
    stems = Counter(PurePosixPath(path).stem for path in paths)
    for path in paths:
        name = PurePosixPath(path)
        unique = name.stem if stems[name.stem] == 1 and name.stem not in names else name.name
        yield path, name.with_name(shorten_name(unique)).as_posix()


def find_image_column(schema: Any, name: str) -> str:
    """Return the column of a Parquet file that holds pictures: "image", or the first one with binary contents.

    Pictures are binary, or structs with a binary field `bytes`, as the data sets of the Hugging Face Hub have them.

    Raises:
        InputError: there is none.
    """
    import pyarrow.types as types

    def is_image(type_: Any) -> bool:
        if types.is_struct(type_):
            return type_.get_field_index("bytes") >= 0
        return types.is_binary(type_) or types.is_large_binary(type_)

    found = [field.name for field in schema if is_image(field.type)]
    if not found:
        raise InputError(f"{name} has no column with pictures.", remedy="Choose another file.")
    return "image" if "image" in found else found[0]


def is_safe(path: str) -> bool:
    """Return whether a relative path stays within its folder.

    Example:
        >>> [is_safe(path) for path in ("a/x", "../x", "/x", "a/../../x")]
        [True, False, False, False]
    """
    return not path.startswith("/") and ".." not in path.split("/") and "\\" not in path


def _too_large(name: str) -> InputError:
    return InputError(f"{name} is larger than {MAX_FILE_BYTES >> 20} MiB.", remedy="Save it as JPEG.")


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(errors="surrogateescape"), digest_size=8).digest())


def _batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
