"""Atomic writes: a file or folder appears under its name complete, or not at all."""

import errno
import json
import math
import os
import secrets
import shutil
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from hairseg.errors import InputError

DISK_FULL = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is exceeded"}
"""What the errors of a full disk mean, by their number."""

SYSTEM_FOLDERS = {
    "__macosx", "$recycle.bin", "recycler", "system volume information", "lost+found",
    "@eadir", "@tmp", "@recycle", "@recently-snapshot", "#recycle", "#snapshot",
}  # fmt: skip

STALE_SECONDS = 86_400


class WriteError(InputError):
    """A file or folder cannot be written; others beside it probably cannot either."""


@contextmanager
def atomic_write(path: str | Path) -> Generator[Path]:
    """Yield a temporary path beside `path` to write a file or folder to; rename it to `path` when the block succeeds.

    An existing file of that name is kept until then. When the block fails, what was written is removed. Several threads
    and processes may write the same path at the same time; the last one wins. A killed process leaves a hidden file
    `.*.partial`, which is removed when a process first writes to that folder a day later.

    Args:
        path: the file to write, or a folder that is empty or does not exist. Its parent folders are created.

    Raises:
        WriteError: the disk is full, or the path is not writable.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with atomic_write(folder / "today.txt") as partial:
        ...     length = partial.write_text("complete")
        >>> [path.name for path in folder.iterdir()]
        ['today.txt']
    """
    path = Path(path)
    # Cut to 40 characters, so that the temporary name is not too long for the file system if `path.name` is not.
    partial = path.with_name(f".{path.name[:40]}.{secrets.token_hex(8)}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale_partials(path.parent)
        yield partial
        os.replace(partial, path)
    except InputError:
        raise
    except Exception as error:
        # torch.save raises a RuntimeError while it handles the OSError of a full disk.
        cause = error if isinstance(error, OSError) else error.__context__
        if isinstance(cause, OSError) and cause.errno in DISK_FULL:
            problem = f"{path} cannot be written because {DISK_FULL[cause.errno]}."
            raise WriteError(problem, remedy="Free some space and try again.") from None
        if isinstance(error, OSError) and _is_about(error, partial):
            problem = f"{path} cannot be written ({error.strerror})."
            raise WriteError(problem, remedy="Choose another path, or change its permissions.") from None
        raise
    finally:
        _remove(partial)


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file atomically.

    Raises:
        WriteError: the disk is full, or the path is not writable.
    """
    with atomic_write(path) as partial:
        partial.write_bytes(content)


def write_json(path: str | Path, content: object) -> None:
    """Write indented JSON atomically.

    Raises:
        WriteError: the disk is full, or the path is not writable.
    """
    write_bytes(path, (json.dumps(content, indent=2) + "\n").encode())


def format_bytes(size: int) -> str:
    """Format a number of bytes, rounded up.

    Example:
        >>> format_bytes(1), format_bytes(740_000), format_bytes(12_340_000)
        ('1 kB', '740 kB', '12.4 MB')
    """
    return f"{math.ceil(size / 1000)} kB" if size < 1e6 else f"{math.ceil(size / 1e5) / 10:,.1f} MB"


def free_bytes(folder: str | Path) -> int:
    """Return the free space of the disk that holds a folder, which need not exist yet."""
    folder = Path(folder)
    return shutil.disk_usage(next(parent for parent in (folder, *folder.parents) if parent.is_dir())).free


def is_running(process: int) -> bool:
    """Return whether a process of that id exists on this machine, of this user or another."""
    if os.name != "posix":  # elsewhere os.kill would end the process
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def is_hidden(path: str | Path) -> bool:
    """Return whether a file or folder is hidden or belongs to a system: a recycle bin, thumbnails, archive metadata.

    Example:
        >>> [is_hidden(name) for name in ("photos/.Trash-1000", "photos/@eaDir", "photos/._a.jpg", "photos/a.jpg")]
        [True, True, True, False]
    """
    name = Path(path).name
    return name.startswith(".") or name.lower() in SYSTEM_FOLDERS


@cache
def _remove_stale_partials(folder: Path) -> None:
    """Cached, so that a folder of many files is listed once per process and not once per file."""
    for partial in folder.glob(".*.partial"):
        with suppress(OSError):  # another process has renamed or removed it
            if time.time() - partial.stat().st_mtime > STALE_SECONDS:
                _remove(partial)


def _is_about(error: OSError, path: Path) -> bool:
    """Return whether an error names the path or one of its parents; errors of an open file name none."""
    name = str(error.filename)
    return error.filename is None or path.is_relative_to(name) or Path(name).is_relative_to(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):  # it does not exist, or the disk has become read-only
            path.unlink()
