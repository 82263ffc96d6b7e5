"""Thread pools for the page's work, so that one visitor's photo does not block the others."""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from typing import Literal, TypeVar, get_args

from hairseg.errors import InputError
from hairseg.page.store import is_huge

MAX_PENDING = 500  # running and waiting requests; more are refused

Pool = Literal["predict", "recolour", "full size"]

T = TypeVar("T")


class Workers:
    """Thread pools with a bounded queue.

    Predictions, recolouring and full-size results have a pool each, so that another colour does not wait for a new
    photo. Photos of `HUGE_PIXELS` and more share one thread of low priority.
    """

    def __init__(self) -> None:
        self._pools = {name: ThreadPoolExecutor(4, name) for name in get_args(Pool)}
        self._huge = ThreadPoolExecutor(1, "huge", lower_priority)
        self._pending = 0

    @property
    def pending(self) -> int:
        """Number of requests that are running or waiting."""
        return self._pending

    async def run(self, pool: Pool, path: str, work: Callable[[], T]) -> T:
        """Run a function in a pool, or in the pool for huge photos.

        Args:
            pool: Name of the pool.
            path: The photo that the function processes.
            work: The function.

        Raises:
            InputError: Too many requests are pending, or raised by `work`.
        """
        if self._pending >= MAX_PENDING:
            raise InputError("Too many visitors are waiting.", remedy="Try again in a minute.")
        self._pending += 1
        loop = asyncio.get_running_loop()
        try:
            executor = self._pools[pool]
            if await loop.run_in_executor(executor, is_huge, path):
                executor = self._huge
            return await loop.run_in_executor(executor, copy_context().run, work)  # as `asyncio.to_thread` does
        finally:
            self._pending -= 1


def lower_priority(nice: int = 19) -> None:
    """Lower the priority of the calling thread, where the platform supports it."""
    with suppress(OSError, AttributeError):
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, max(nice, os.getpriority(os.PRIO_PROCESS, thread)))
