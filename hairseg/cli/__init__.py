"""The command `hairseg`: one module per verb, put together in `hairseg.cli.app`."""

import sys
from typing import NoReturn

from hairseg.cli.common import run


def main(*words: str) -> NoReturn:
    """Run `hairseg` with `words` before the arguments of this process, and exit as `run` does."""

    def command() -> int:
        from hairseg.cli.app import invoke  # imported here, so that `run` handles Ctrl-C during the import

        return invoke([*words, *sys.argv[1:]])

    run(command)
