"""Threads that do the page's work, so that no visitor's photo blocks the others."""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from hairseg.errors import InputError
from hairseg.page.store import is_huge

MAX_PENDING = 500  # requests; more are refused

T = TypeVar("T")


class Workers:
    """Thread pools with a bounded queue.

    Predictions, recolouring and full-size results each have a pool: another colour does not wait behind a new photo.
    Photos of more than `HUGE_PIXELS` share one thread of low priority.
    """

    def __init__(self) -> None:
        self._pools = {
            "predict": ThreadPoolExecutor(4, "predict"),
            "recolour": ThreadPoolExecutor(4, "recolour"),
            "full size": ThreadPoolExecutor(4, "full size"),
        }
        self._huge = ThreadPoolExecutor(1, "huge", lower_priority)
        self._pending = 0

    @property
    def pending(self) -> int:
        """Number of requests that are running or waiting."""
        return self._pending

    async def run(self, kind: str, path: str, work: Callable[[], T]) -> T:
        """Run `work` in the pool for its kind, or in the one for huge photos.

        Args:
            kind: "predict", "recolour" or "full size".
            path: The photo.
            work: What to run.

        Raises:
            InputError: Too many requests are pending, or raised by `work`.
        """
        if self._pending >= MAX_PENDING:
            raise InputError("Too many visitors are waiting.", remedy="Try again in a minute.")
        self._pending += 1
        loop = asyncio.get_running_loop()
        try:
            pool = self._pools[kind]
            if await loop.run_in_executor(pool, is_huge, path):
                pool = self._huge
            return await loop.run_in_executor(pool, work)
        finally:
            self._pending -= 1


def lower_priority(nice: int = 19) -> None:
    """Lower the priority of the calling thread, where the platform supports it."""
    with suppress(OSError, AttributeError):
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, max(nice, os.getpriority(os.PRIO_PROCESS, thread)))
