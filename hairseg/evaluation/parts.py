"""Parts of a data set, scored one after the other, or in parallel on a cluster."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, Self, TypeVar

from tqdm import tqdm

PHOTOS_PER_PART = 16  # also the batch size at which networks are scored, on which the sums of errors depend

T = TypeVar("T")


class Sliceable(Protocol):
    """A sequence or a tensor."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: slice, /) -> Self: ...


S = TypeVar("S", bound=Sliceable)

Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]
"""Calls a function with each part, and yields the results in the order of the parts, as `map` does."""


def split_parts(photos: S) -> Iterator[S]:
    """Yield parts of at most `PHOTOS_PER_PART` photos.

    Example:
        >>> list(map(len, split_parts(range(20))))
        [16, 4]
    """
    for first in range(0, len(photos), PHOTOS_PER_PART):
        yield photos[first : first + PHOTOS_PER_PART]


def with_progress(results: Iterable[T], description: str, photos: int) -> Iterator[T]:
    """Yield the results of parts, with a progress bar of their photos."""
    with tqdm(total=photos, desc=description, unit="photo", leave=False) as bar:
        for result in results:
            yield result
            bar.update(min(PHOTOS_PER_PART, photos - bar.n))
