"""InputError, the error for a user's mistake, and helpers that format untrusted text for messages."""

import reprlib
from collections.abc import Iterable, Sequence

MAX_LISTED_PROBLEMS = 20
MAX_QUOTE_LENGTH = 80


class InputError(ValueError):
    """Input that cannot be used. Commands print the message and exit with code 2; the page shows it.

    Args:
        problem: what is wrong, as a sentence.
        remedy: what to do, as a sentence.

    Example:
        >>> print(InputError("Port 99999 is out of range.", remedy="Choose a --port from 1 to 65535."))
        Port 99999 is out of range. Choose a --port from 1 to 65535.
    """

    def __init__(self, problem: str, remedy: str | None = None) -> None:
        self.problem, self.remedy = problem, remedy
        super().__init__(f"{problem} {remedy}" if remedy else problem)


def raise_if_any(problems: Sequence[str], what: str, remedy: str) -> None:
    """Raise InputError with a list of problems, unless the list is empty.

    Args:
        problems: one clause per problem; at most `MAX_LISTED_PROBLEMS` are listed.
        what: what they have in common, as the rest of a sentence that begins with their number.
        remedy: what to do, as a sentence.

    Raises:
        InputError: `problems` is not empty.

    Example:
        >>> raise_if_any(["a.png", "b.png"], "masks have no photo", "Add the photos.")
        Traceback (most recent call last):
        hairseg.errors.InputError: 2 masks have no photo: a.png; b.png. Add the photos.
    """
    if not problems:
        return
    hidden = len(problems) - MAX_LISTED_PROBLEMS
    more = [f"and {hidden} more"] if hidden > 0 else []
    listed = "; ".join([*problems[:MAX_LISTED_PROBLEMS], *more])
    raise InputError(f"{len(problems)} {what}: {listed}.", remedy=remedy)


def raise_if_unknown(what: str, value: str, choices: Iterable[str]) -> None:
    """Raise InputError with the list of choices, unless the value is one of them.

    Example:
        >>> raise_if_unknown("--recipe", "papers", ["paper", "modern"])
        Traceback (most recent call last):
        hairseg.errors.InputError: --recipe 'papers' is unknown. Choose one of paper, modern.
    """
    choices = list(choices)
    if value not in choices:
        raise InputError(f"{what} {quote(value)} is unknown.", remedy=f"Choose one of {', '.join(choices)}.")


def quote(value: object) -> str:
    """Return the repr of a value on one line, shortened to `MAX_QUOTE_LENGTH` characters.

    Example:
        >>> quote("vgg16"), quote([[[[[[[1]]]]]]])
        ("'vgg16'", '[[[[[[...]]]]]]')
        >>> len(quote("x" * 10_000))
        80
    """
    return _shorten(_repr.repr(value))


def printable(text: object) -> str:
    r"""Return text with control characters and line breaks escaped, safe to print on a terminal.

    Example:
        >>> print(printable("selfie\x1b[2J\n.jpg"))
        selfie\x1b[2J\n.jpg
    """
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in str(text))


def summarise(text: object, skip: int = 0) -> str:
    r"""Return the first non-empty line of a message, without list marks and shortened as by `quote`.

    Args:
        text: the message, for example of another library's exception.
        skip: number of lines to skip, if there are more.

    Example:
        >>> summarise("\n- no such file.\n  at line 3")
        'no such file'
    """
    lines = [line.strip(" -.") for line in str(text).splitlines() if line.strip(" -.")]
    return _shorten(lines[min(skip, len(lines) - 1)]) if lines else "no details"


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_QUOTE_LENGTH else f"{text[: MAX_QUOTE_LENGTH - 3]}..."


_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = _repr.maxlong = 2 * MAX_QUOTE_LENGTH
