"""Exit codes and error messages of all commands."""

import io
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from hairseg.errors import InputError, printable


def run(command: Callable[[], int | None]) -> NoReturn:
    """Run a command and exit with what it returns, by default 0.

    The exit code is 2 after a user's mistake or a system error such as a full disk, and 130 after Ctrl-C; one line on
    standard error says so.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # the parent process has closed it
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):  # as on stderr, characters that the terminal lacks are escaped
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        sys.exit(command())
    except InputError as error:
        _fail(f"error: {error}", 2)
    except OSError as error:
        file = f"{error.filename}: " if error.filename else ""
        _fail(f"error: {file}{error.strerror or error}", 2)
    except KeyboardInterrupt:
        _fail("interrupted", 130)


def _fail(message: str, code: int) -> NoReturn:
    if os.environ.get("RANK", "0") == "0":  # one of the processes of a distributed training
        print(printable(message), file=sys.stderr)
    sys.exit(code)
