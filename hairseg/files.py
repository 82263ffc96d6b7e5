"""Files and folders that appear whole under their names or not at all, even when the process is killed."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """A place to write a file or a folder to, hidden beside `path`, whose parents are made.

    What was written takes the name `path` when the block ends; an older file of that name stays until then. It is removed
    when the block fails. A folder must not be there yet.

    Example:
        >>> with written_whole("notes/today.txt") as beside:  # doctest: +SKIP
        ...     beside.write_text("whole or not there")
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield beside
        os.replace(beside, path)
    finally:
        if beside.is_dir():
            shutil.rmtree(beside, ignore_errors=True)
        else:
            beside.unlink(missing_ok=True)
