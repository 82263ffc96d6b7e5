"""Environment variables, and the folder of caches."""

import os
from pathlib import Path


def env(name: str) -> str | None:
    """Return the value of an environment variable, or None if it is unset or blank.

    Example:
        >>> os.environ["HAIRSEG_EXAMPLE"] = " "
        >>> env("HAIRSEG_EXAMPLE") is None
        True
    """
    return os.environ.get(name, "").strip() or None


def find_cache_folder() -> Path | None:
    """Return the folder of caches: `HAIRSEG_CACHE`, by default ~/.cache/hairseg; None if that is not writable."""
    if named := env("HAIRSEG_CACHE"):
        return Path(named)
    try:
        folder = Path.home() / ".cache" / "hairseg"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # RuntimeError: the user has no home folder
        return None
    return folder if os.access(folder, os.W_OK) else None
