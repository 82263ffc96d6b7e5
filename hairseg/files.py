"""Files and folders that appear whole under their names or not at all, even when the process is killed."""

import errno
import json
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


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """A place to write a file or a folder to, hidden beside `path`, whose parents are made.

    What was written takes the name `path` when the block ends; an older file of that name stays until then. It is
    removed when the block fails. A folder of the name `path` must be empty, or not there. Threads and processes may
    write the same path at the same time: the last one wins. What killed processes of this machine left behind in the
    folder is removed when this process first writes there.

    Raises:
        InputError: the disk is full.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with written_whole(folder / "today.txt") as beside:
        ...     written = beside.write_text("whole or not there")
        >>> [path.name for path in folder.iterdir()]
        ['today.txt']
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path.parent)
    # The name is cut, so that any that fits into a folder still does.
    beside = path.with_name(f".{path.name[:40]}.{MACHINE}.{os.getpid()}.{threading.get_ident()}.partial")
    try:
        yield beside
        os.replace(beside, path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full(path) from None
        raise
    finally:
        _remove(beside)


def disk_full(path: Path) -> InputError:
    return InputError(
        f"{path} cannot be written because the disk is full", "room for it there", "free some and try again"
    )


def write_json(path: str | Path, content) -> None:
    """Write indented JSON, whole or not at all."""
    with written_whole(path) as beside:
        beside.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


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
        with suppress(FileNotFoundError):
            path.unlink()
