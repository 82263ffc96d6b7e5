"""How functions that score a part of the photos are run: here one after the other, or elsewhere in parallel."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from tqdm import tqdm

from hairseg.inference.predictor import HairPredictor

PHOTOS_PER_PART = 16  # also the batch size at which networks are scored, whose sums of errors depend on it

Function = Callable[[HairPredictor, Any], Any]

Runner = Callable[[Function, Iterable[Any]], Iterator[Any]]
"""Calls a function with a predictor and each part; yields the results in the order of the parts."""


def run_here(predictor: HairPredictor) -> Runner:
    """Return a runner that uses a predictor in this process."""
    return lambda function, parts: (function(predictor, part) for part in parts)


def parts_of(pairs: Sequence[Any]) -> list[tuple[int, Sequence[Any]]]:
    """Return parts of at most `PHOTOS_PER_PART` pairs, each with the index of its first pair.

    Example:
        >>> [(first, len(part)) for first, part in parts_of(range(20))]
        [(0, 16), (16, 4)]
    """
    return [(first, pairs[first : first + PHOTOS_PER_PART]) for first in range(0, len(pairs), PHOTOS_PER_PART)]


def with_progress(results: Iterator[Any], description: str, photos: int) -> Iterator[Any]:
    """Yield the results of `parts_of`, with a progress bar."""
    with tqdm(total=photos, desc=description, unit="photo", leave=False) as bar:
        for result in results:
            yield result
            bar.update(min(PHOTOS_PER_PART, photos - bar.n))
