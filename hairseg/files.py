"""Atomic writes: a file or folder appears under its name complete, or not at all."""

import errno
import json
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from hairseg.errors import InputError

DISK_FULL = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is exceeded"}
"""Reasons of a failed write, by error number."""

SYSTEM_FOLDERS = {
    "__macosx", "$recycle.bin", "recycler", "system volume information", "lost+found",
    "@eadir", "@tmp", "@recycle", "@recently-snapshot", "#recycle", "#snapshot",
}  # fmt: skip

STALE_SECONDS = 86_400


class WriteError(InputError):
    """A file or folder cannot be written, for example because the disk is full."""


@contextmanager
def atomic_write(path: str | Path) -> Generator[Path]:
    """Yield a temporary path beside `path` to write a file or folder to; rename it to `path` when the block succeeds.

    An existing file of that name is kept until then. If the block raises an exception, the temporary file or folder is
    removed. Threads and processes may write the same path concurrently; the last one wins. A killed process leaves a
    hidden file `.*.partial`, which the first write to the same folder a day later removes.

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
    # File systems limit the length of names, so only the start of `path.name` is kept.
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


def is_running(process: int) -> bool:
    """Return whether a process of that id exists on this machine."""
    if os.name != "posix":  # os.kill would end the process on Windows
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # the process belongs to another user
        pass
    return True


def is_hidden(path: str | Path) -> bool:
    """Return whether a file or folder is hidden or created by a system, such as a recycle bin or thumbnails.

    Example:
        >>> [is_hidden(name) for name in ("photos/.Trash-1000", "photos/@eaDir", "photos/._a.jpg", "photos/a.jpg")]
        [True, True, True, False]
    """
    name = Path(path).name
    return name.startswith(".") or name.lower() in SYSTEM_FOLDERS


def ignores_case(folder: Path) -> bool:
    """Return whether the file system of a folder is case-insensitive, as on macOS, Windows and USB sticks.

    Creates a temporary file in the folder, or in its nearest existing parent. False if that is not writable.
    """
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir())
    try:
        with tempfile.NamedTemporaryFile(prefix=".case-", dir=existing) as file:
            return Path(file.name.replace(".case-", ".CASE-")).exists()
    except OSError:
        return False


@cache
def _remove_stale_partials(folder: Path) -> None:
    """Remove partial files of killed processes. Cached, so that each folder is listed once per process."""
    for partial in folder.glob(".*.partial"):
        with suppress(OSError):  # another process has renamed or removed it
            if time.time() - partial.stat().st_mtime > STALE_SECONDS:
                _remove(partial)


def _is_about(error: OSError, path: Path) -> bool:
    """Return whether an error is about the path, its contents or its parents; errors of open files name no file."""
    name = str(error.filename)
    return error.filename is None or path.is_relative_to(name) or Path(name).is_relative_to(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):  # it does not exist, or the disk has become read-only
            path.unlink()
