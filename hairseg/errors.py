"""A user's mistake, as one sentence that says what was wrong, what was expected and what to do."""

import reprlib
from collections.abc import Sequence

LISTED = 20  # problems that a message names
QUOTED = 80  # characters that a message quotes of what was found


class InputError(ValueError):
    """Input that cannot be used. Commands print the message and exit with code 2; the page shows it.

    Args:
        problem: what is wrong, as a sentence.
        expected: deprecated; a clause behind "expected".
        remedy: what to do, as a sentence.

    Example:
        >>> print(InputError("Port 99999 does not exist.", remedy="Choose a --port from 1 to 65535."))
        Port 99999 does not exist. Choose a --port from 1 to 65535.
    """

    def __init__(self, problem: str, expected: str | None = None, remedy: str | None = None):
        self.problem, self.expected, self.remedy = problem, expected, remedy
        if problem.endswith(".") and not problem.endswith("..."):
            super().__init__(f"{problem} {remedy}" if remedy else problem)
            return
        expectation = f"expected {expected}" if expected else None
        rest = "; ".join(clause for clause in (expectation, remedy) if clause)
        super().__init__(f"{self.problem}: {rest}." if rest else f"{self.problem}.")


def raise_if_any(problems: Sequence[str], what: str, remedy: str) -> None:
    """Raise InputError with the list of problems, if there are any.

    Args:
        problems: a clause each; the first `LISTED` are named.
        what: what they have in common, as it goes on after their number.
        remedy: what to do about them.

    Example:
        >>> raise_if_any(["a.png", "b.png"], "masks have no photo", "add the photos")
        Traceback (most recent call last):
        hairseg.errors.InputError: 2 masks have no photo: a.png; b.png; add the photos.
    """
    if problems:
        more = [f"and {len(problems) - LISTED} more"] if len(problems) > LISTED else []
        listed = "; ".join([*problems[:LISTED], *more])
        raise InputError(f"{len(problems)} {what}: {listed}; {remedy}")


def quote(value: object) -> str:
    """What was found, for a message: at most `QUOTED` characters on one line, however long or deep it is.

    Example:
        >>> quote("vgg16"), quote([[[[[[[1]]]]]]])
        ("'vgg16'", '[[[[[[...]]]]]]')
        >>> len(quote("x" * 10_000))
        80
    """
    return _shortened(_repr.repr(value))


def printable(text: object) -> str:
    r"""A text that holds a stranger's words, for a terminal: escapes and line breaks are written out.

    Example:
        >>> print(printable("selfie\x1b[2J\n.jpg"))
        selfie\x1b[2J\n.jpg
    """
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in str(text))


def summarise(text: object, skip: int = 0) -> str:
    """The first line of a message that is not empty, at most `QUOTED` characters and without marks around it.

    Args:
        skip: lines to leave out, if there are more.

    Example:
        >>> summarise("\\n- no such file.\\n  at line 3")
        'no such file'
    """
    lines = [line.strip(" -.") for line in str(text).splitlines() if line.strip(" -.")]
    return _shortened(lines[min(skip, len(lines) - 1)]) if lines else "no details"


def _shortened(text: str) -> str:
    return text if len(text) <= QUOTED else f"{text[: QUOTED - 3]}..."


_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = _repr.maxlong = 2 * QUOTED
