"""Environment variables."""

import os


def env(name: str) -> str | None:
    """Return the value of an environment variable, or None if it is unset or blank.

    Example:
        >>> os.environ["HAIRSEG_EXAMPLE"] = " "
        >>> env("HAIRSEG_EXAMPLE") is None
        True
    """
    return os.environ.get(name, "").strip() or None
