"""Results that several requests share, as far as there is room for them."""

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any


class Remembered:
    """The last results by key. Each is computed once, however many ask for it meanwhile; a failure is not remembered.

    Args:
        size: what all results together weigh at most; one that is heavier is remembered alone.
        weigh: what the result of a key weighs, known before it is computed; all the same by default.

    Example:
        >>> squares = Remembered(2)
        >>> [squares.get(number, lambda: print("computed") or number * number) for number in (3, 3)]
        computed
        [9, 9]
    """

    def __init__(self, size: float, weigh: Callable[[Any], float] = lambda key: 1):
        self.size, self._weigh = size, weigh
        self._begun: dict[Hashable, float] = {}
        self._results: dict[Hashable, Future] = {}  # the one used last comes last
        self._lock = threading.Lock()

    def get(self, key: Hashable, compute: Callable):
        """What `compute()` gives or gave for this key. Raises what it raises, and so for all who wait for it."""
        with self._lock:
            result = self._results.pop(key, None)
            is_new = result is None
            self._results[key] = result = result or Future()
            while len(self._results) > 1 and self._weight() > self.size:
                del self._results[next(iter(self._results))]
            if is_new:
                self._begun = {key: self._begun.get(key, time.monotonic()) for key in self._results}
        if is_new:
            try:
                result.set_result(compute())
            except BaseException as error:
                with self._lock:
                    if self._results.get(key) is result:
                        del self._results[key]
                result.set_exception(error)
        return result.result()

    def peek(self, key: Hashable):
        """The result for this key, without counting as a use; None where there is none yet."""
        with self._lock:
            result = self._results.get(key)
        return result.result() if result and result.done() and not result.exception() else None

    def room(self) -> float:
        """How much more finds room beside what is there."""
        with self._lock:
            return self.size - self._weight()

    def _weight(self) -> float:
        return sum(map(self._weigh, self._results))

    def forget(self, seconds: float) -> None:
        """Let go of what was begun longer ago than that."""
        with self._lock:
            for key, begun in list(self._begun.items()):
                if time.monotonic() - begun > seconds:
                    self._results.pop(key, None)
                    del self._begun[key]
