"""The folder of a page's uploads and results, and that nothing stays in it.

It goes with the page. What a killed page leaves behind, the next one on the machine removes. While a page runs, files
older than an hour are deleted.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

from gradio import mcp

from hairseg.files import is_running

PREFIX = "hairseg-page-"

HOUR = 3600  # seconds that photos, masks and results are kept

SWEEP = 300  # seconds from one look for old files to the next


@contextmanager
def temporary_files(forget: Callable[[float], None] = lambda seconds: None, sweep: float = SWEEP) -> Iterator[Path]:
    """Keep Gradio's files in a folder of this page's own, readable by its user alone, until the block ends.

    Args:
        forget: is called at every sweep with the seconds after which what is held in memory goes too.
        sweep: seconds from one sweep to the next.
    """
    remove_abandoned()
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    lock = locked(folder)
    before, ended = (os.environ.get("GRADIO_TEMP_DIR"), mcp.DEFAULT_TEMP_DIR), Event()
    # Where Gradio puts what assistants send as data: URLs, it decides when it is imported.
    os.environ["GRADIO_TEMP_DIR"] = mcp.DEFAULT_TEMP_DIR = str(folder)

    def watch() -> None:
        while not ended.wait(sweep):
            remove_old(folder, HOUR)
            forget(HOUR)

    Thread(target=watch, daemon=True).start()
    try:
        yield folder
    finally:
        ended.set()
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)
        os.environ.pop("GRADIO_TEMP_DIR")
        variable, mcp.DEFAULT_TEMP_DIR = before
        if variable is not None:
            os.environ["GRADIO_TEMP_DIR"] = variable


def remove_abandoned() -> None:
    """Remove folders whose page is no more: it was killed, or its machine went down.

    In containers pages often have the same number, one after another or at once: those that run hold a lock.
    """
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        number = folder.name.removeprefix(PREFIX).partition("-")[0]
        if not folder.is_dir() or folder.is_symlink() or not number.isdigit():
            continue
        is_of_this_number = int(number) == os.getpid()
        if not is_of_this_number and is_running(int(number)):
            continue
        with suppress(BlockingIOError):
            lock = locked(folder)
            if lock is not None or not is_of_this_number:
                shutil.rmtree(folder, ignore_errors=True)
            if lock is not None:
                os.close(lock)


def locked(folder: Path) -> int | None:
    """An open descriptor of a folder that nobody else can lock while it is open; None where there is no such thing.

    Raises:
        BlockingIOError: somebody else holds it.
    """
    try:
        import fcntl

        lock = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        if isinstance(error, BlockingIOError):
            raise
        return None
    return lock


def remove_old(folder: Path, seconds: float) -> None:
    """Remove files that were written longer ago than that, and the folders that they leave empty."""
    for path in sorted(folder.rglob("*"), reverse=True):  # what is in a folder before the folder
        with suppress(OSError):  # another thread was faster, or the folder holds newer files
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()) and time.time() - path.stat().st_mtime > 1:
                    path.rmdir()
            elif time.time() - path.lstat().st_mtime > seconds:
                path.unlink()
