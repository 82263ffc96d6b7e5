"""The command `hairseg`: one module per verb, combined in `hairseg.cli.app`."""

import io
import os
import sys
from typing import NoReturn

from hairseg.errors import InputError, printable

OUT_OF_MEMORY_MESSAGES = (
    "allocate memory",  # the operating system and PyTorch's CPU allocator
    "out of memory",  # CUDA
    "Insufficient memory",  # OpenCV
    "failed to map segment",  # loading a shared library
    "can't start new thread",
)


def main(*words: str) -> NoReturn:
    """Run `hairseg` with `words` before the arguments of this process, and exit.

    The exit code is 2 after a user's mistake or a system error such as a full disk, and 130 after Ctrl-C. Either prints
    one line on standard error.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # the parent process has closed it
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):  # as on stderr, characters that the terminal lacks are escaped
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        from hairseg.cli.app import invoke  # here, so that Ctrl-C during the import is handled

        sys.exit(invoke([*words, *sys.argv[1:]]))
    except InputError as error:
        _fail(f"error: {error}", 2)
    except KeyboardInterrupt:
        _fail("interrupted", 130)
    except Exception as error:
        if isinstance(error, MemoryError) or any(message in str(error) for message in OUT_OF_MEMORY_MESSAGES):
            _fail("error: Memory is exhausted. Close other programs, or raise the limit of this process.", 2)
        if not isinstance(error, OSError):
            raise
        file = f"{error.filename}: " if error.filename else ""
        _fail(f"error: {file}{error.strerror or error}", 2)


def _fail(message: str, code: int) -> NoReturn:
    if os.environ.get("RANK", "0") == "0":  # in distributed training, only the first process prints
        print(printable(message), file=sys.stderr)
    sys.exit(code)
