"""Files and folders that appear whole under their names or not at all, even when the process is killed."""

import errno
import json
import math
import os
import platform
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from hairseg.errors import InputError

MACHINE = platform.node()[:20]

FULL = {  # errors of the system, and what they mean
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "this user may use no more of the disk",
}


class WriteError(InputError):
    """A file or folder cannot be written, and others beside it probably neither."""


@contextmanager
def atomic_write(path: str | Path, room: int = 0, remedy: str = "make room and try again") -> Iterator[Path]:
    """A place to write a file or a folder to, hidden beside `path`, whose parents are made.

    What was written takes the name `path` when the block ends; an older file of that name stays until then. It is
    removed when the block fails. A folder of the name `path` must be empty, or not there. Threads and processes may
    write the same path at the same time: the last one wins. What killed processes of this machine left behind in the
    folder is removed when this process first writes there.

    Args:
        path: of the file or folder.
        room: about how many bytes it takes, for the message where there is no room.
        remedy: what to do in that case.

    Raises:
        WriteError: the disk is full, or nothing can be written there.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with atomic_write(folder / "today.txt", room=20) as beside:
        ...     written = beside.write_text("whole or not there")
        >>> [path.name for path in folder.iterdir()]
        ['today.txt']
    """
    path = Path(path)
    # The name is cut, so that any that fits into a folder still does.
    beside = path.with_name(f".{path.name[:40]}.{MACHINE}.{os.getpid()}.{threading.get_ident()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path.parent)
        yield beside
        os.replace(beside, path)
    except InputError:
        raise
    except Exception as error:
        # Some libraries raise an error of their own while they handle the system's, which stays behind as its context.
        fault = error if isinstance(error, OSError) else error.__context__
        if isinstance(fault, OSError) and fault.errno in FULL:
            _remove(beside)
            raise WriteError(
                f"{path} cannot be written because {FULL[fault.errno]} ({format_bytes(free_bytes(path.parent))} free)",
                f"{format_bytes(room)} of room there",
                remedy,
            ) from None
        if isinstance(error, OSError) and error.errno and _concerns(error, beside):
            raise WriteError(
                f"{path} cannot be written ({error.strerror})",
                "a place where this user may write",
                "choose another one, or change its permissions",
            ) from None
        raise
    finally:
        _remove(beside)


def format_bytes(size: int) -> str:
    """A number of bytes, rounded up.

    Example:
        >>> format_bytes(1), format_bytes(740_000), format_bytes(12_340_000)
        ('1 kB', '740 kB', '12.4 MB')
    """
    return f"{math.ceil(size / 1000)} kB" if size < 1e6 else f"{math.ceil(size / 1e5) / 10:,.1f} MB"


def free_bytes(folder: str | Path) -> int:
    """How many bytes are free where a folder is, or would be made."""
    folder = Path(folder)
    return shutil.disk_usage(next(known for known in (folder, *folder.parents) if known.is_dir())).free


def _concerns(error: OSError, place: Path) -> bool:
    """Whether the system spoke of that place, or of a folder that it lies in; writing to an open file names none."""
    named = str(error.filename)
    return error.filename is None or place.is_relative_to(named) or Path(named).is_relative_to(place)


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file, whole or not at all.

    Raises:
        WriteError: the disk is full, or nothing can be written there.
    """
    with atomic_write(path, len(content)) as beside:
        beside.write_bytes(content)


def write_json(path: str | Path, content) -> None:
    """Write indented JSON, as `write_bytes` does."""
    write_bytes(path, (json.dumps(content, indent=2) + "\n").encode())


@cache
def _remove_leftovers(folder: Path) -> None:
    """Once in a process, so that a folder of many results is not listed for every one of them."""
    left_behind = re.compile(rf"\..*\.{re.escape(MACHINE)}\.(\d+)\.\d+\.partial")
    for path in folder.iterdir():
        named = left_behind.fullmatch(path.name)
        if named and not is_running(int(named[1])):
            _remove(path)


def is_running(process: int) -> bool:
    """Whether there is a process of that number on this machine, this user's or another's."""
    if os.name != "posix":  # elsewhere os.kill ends the process
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):  # it is not there, or the disk cannot be written to any more
            path.unlink()
