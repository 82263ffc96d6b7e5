"""Results that several requests share."""

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future


class Remembered:
    """The last results by key. Each is computed once, however many ask for it meanwhile; a failure is not remembered.

    Example:
        >>> squares = Remembered(2)
        >>> [squares.get(number, lambda: print("computed") or number * number) for number in (3, 3)]
        computed
        [9, 9]
    """

    def __init__(self, size: int):
        self.size = size
        self._begun: dict[Hashable, float] = {}
        self._results: dict[Hashable, Future] = {}  # the one used last comes last
        self._lock = threading.Lock()

    def get(self, key: Hashable, compute: Callable):
        """What `compute()` gives or gave for this key. Raises what it raises, and so for all who wait for it."""
        with self._lock:
            result = self._results.pop(key, None)
            is_new = result is None
            self._results[key] = result = result or Future()
            while len(self._results) > self.size:
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

    def forget(self, seconds: float) -> None:
        """Let go of what was begun longer ago than that."""
        with self._lock:
            for key, begun in list(self._begun.items()):
                if time.monotonic() - begun > seconds:
                    self._results.pop(key, None)
                    del self._begun[key]
