"""Memory of large photos goes back to the system."""

import ctypes
from contextlib import suppress

MIB = 1 << 20

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h


def return_large_arrays_to_system() -> None:
    """Have glibc hand arrays of 8 MiB and more straight back to the system when they are freed, and keep smaller ones.

    Left alone, it raises that size with every such array, up to 32 MiB, and scatters the others over the arenas of its
    threads: 200 photos of 12 megapixels double the page's memory. And it hands back and asks for smaller ones again and
    again: a photo of 1 megapixel costs six times as many page faults. Other C libraries have no such setting.
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(M_MMAP_THRESHOLD, 8 * MIB)
        mallopt(M_TRIM_THRESHOLD, 128 * MIB)


def trim_memory() -> None:
    """And what smaller ones have left behind."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
