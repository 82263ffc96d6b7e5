"""Settings of glibc's allocator that keep the memory of large photos from accumulating."""

import ctypes
from contextlib import suppress

MIB = 1 << 20

# From malloc.h.
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3


def return_large_arrays_to_system() -> None:
    """Make glibc return arrays of at least 8 MiB to the system when they are freed, and keep smaller ones.

    By default, glibc raises this threshold with each such array, up to 32 MiB, and spreads the arrays over the arenas
    of its threads: 200 photos of 12 megapixels double the page's memory. It also returns smaller arrays each time, so
    that a photo of 1 megapixel costs six times as many page faults. Does nothing with other C libraries.
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(M_MMAP_THRESHOLD, 8 * MIB)
        mallopt(M_TRIM_THRESHOLD, 128 * MIB)


def trim_memory() -> None:
    """Return all free memory of glibc's heap to the system. Does nothing with other C libraries."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
