"""A user's mistake, as one sentence that says what was wrong, what was expected and what to do."""


class InputError(ValueError):
    """Something a user handed over cannot be used.

    The message is one sentence that names the value, what was expected and the remedy; commands print it as one line
    and exit with code 2, the page shows it.
    """


def raise_if_any(problems: list[str], what: str, remedy: str) -> None:
    """Raise InputError with the list of problems, if there are any."""
    if problems:
        listed = "; ".join(problems[:20]) + (f"; and {len(problems) - 20} more" if len(problems) > 20 else "")
        raise InputError(f"{len(problems)} {what}: {listed}; {remedy}.")
