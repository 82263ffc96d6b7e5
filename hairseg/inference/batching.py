"""Dynamic batching: threads share forward passes, since a GPU processes a batch in hardly more time than one photo."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock

import numpy as np
import torch
from torch import nn

MAX_BATCH_SIZE = 16  # squares per forward pass


class Batcher:
    """Combines the squares of several threads into one batch per network and input size.

    One forward pass runs at a time. The next one starts as soon as it ends, with the squares that have arrived in the
    meantime; it never waits for a batch to fill.

    The last bits of a result may depend on the size of the batch, since the GPU chooses its algorithms by size.

    Args:
        run: runs a network on a batch and returns an array with one entry per square.
        max_batch_size: squares per forward pass; more only if one caller passes more.

    Example:
        >>> batcher = Batcher(lambda network, squares: network(squares).numpy())
        >>> batcher(nn.Identity(), torch.zeros(2, 3, 8, 8)).shape
        (2, 3, 8, 8)
    """

    def __init__(
        self, run: Callable[[nn.Module, torch.Tensor], np.ndarray], max_batch_size: int = MAX_BATCH_SIZE
    ) -> None:
        self._run, self._max_batch_size = run, max_batch_size
        self._waiting: dict[tuple[nn.Module, torch.Size], _Batch] = {}
        self._lock = Lock()  # for `_waiting`
        self._device = Lock()  # held during a forward pass

    def __call__(self, network: nn.Module, squares: torch.Tensor) -> np.ndarray:
        """Run a network on squares, in a batch with those of other threads if there are any. Blocks until it is done.

        Args:
            network: a network, which must not be changed meanwhile.
            squares: preprocessed photos, float32 (squares, channels, height, width), on the network's device.

        Returns:
            The result of `run` for these squares.

        Raises:
            Exception: `run` raised it; every thread whose squares were in the batch gets it.
        """
        key = network, squares.shape[1:]
        with self._lock:
            batch = self._waiting.get(key)
            is_first = batch is None or batch.size + len(squares) > self._max_batch_size
            if batch is None or is_first:
                batch = self._waiting[key] = _Batch()
            start = batch.add(squares)
        if is_first:  # the thread that opens a batch runs it
            try:
                with self._device:
                    self._close(key, batch)
                    batch.result.set_result(self._run(network, batch.squares()))
            except BaseException as error:  # also KeyboardInterrupt, or the other threads would wait for ever
                self._close(key, batch)
                batch.result.set_exception(error)
        return batch.result.result()[start : start + len(squares)]

    def _close(self, key: tuple[nn.Module, torch.Size], batch: "_Batch") -> None:
        """Close a batch to further squares."""
        with self._lock:
            if self._waiting.get(key) is batch:
                del self._waiting[key]


class _Batch:
    """The squares of several threads, and the result that they wait for."""

    def __init__(self) -> None:
        self.size = 0
        self.result: Future[np.ndarray] = Future()
        self._parts: list[torch.Tensor] = []

    def add(self, squares: torch.Tensor) -> int:
        """Append squares and return the index of the first one."""
        self._parts.append(squares)
        self.size += len(squares)
        return self.size - len(squares)

    def squares(self) -> torch.Tensor:
        return torch.cat(self._parts) if len(self._parts) > 1 else self._parts[0]
