"""What the commands share: mistakes end with one line and exit code 2; the choice of a device."""

import argparse
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from hairseg.errors import InputError, printable

if TYPE_CHECKING:
    pass


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaint is one line."""

    def error(self, message: str):
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def run(main: Callable[[], int | None]) -> None:
    """Run a command and exit: 2 after a user's mistake, 130 after Ctrl-C, each with one line on standard error."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started the command
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))
    try:
        sys.exit(main())
    except InputError as error:
        _end(f"error: {error}", 2)
    except OSError as error:  # an output folder that cannot be written, a full disk
        _end(f"error: {f'{error.filename}: ' if error.filename else ''}{error.strerror or error}", 2)
    except KeyboardInterrupt:
        _end("interrupted", 130)


def _end(line: str, code: int) -> None:
    if os.environ.get("RANK", "0") == "0":  # of several processes that train together, one speaks
        print(printable(line), file=sys.stderr)
    sys.exit(code)
