"""Threads: how many, what each takes up, and how much they hold at once."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager

import cv2
import torch


def in_threads(work: Callable, items: Iterable, threads: int) -> Iterator:
    """Results of `work(item)`, in the order they are ready, from that many threads.

    Items are taken up as threads become free, so what waits does not grow with their number. When one raises, or the
    caller is interrupted, those at work are finished, and no others begun.
    """
    pool = ThreadPoolExecutor(threads)
    pending = set()
    try:
        for item in items:
            pending.add(pool.submit(work, item))
            if len(pending) > threads:  # one waits, so that no thread does
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    finally:
        pool.shutdown(cancel_futures=True)


class PixelBudget:
    """A bound on what several threads hold at once: whoever finds no room waits. More than there is goes in alone."""

    def __init__(self, size: int):
        self.size = self.free = size
        self.changed = threading.Condition()
        self.door = threading.Lock()  # where one waits for much room, others do not slip in before

    @contextmanager
    def reserve(self, size: int) -> Iterator[None]:
        size = min(size, self.size)
        with self.door, self.changed:
            self.changed.wait_for(lambda: self.free >= size)
            self.free -= size
        try:
            yield
        finally:
            with self.changed:
                self.free += size
                self.changed.notify_all()


def share_cores(photos: int) -> int:
    """Share the cores among as many threads as there is work for, and return their number.

    A core that sees to one photo from reading to writing idles less than several that share every step. The number of
    photos alone decides, not how many are unfinished: on other numbers of cores the networks round differently.
    """
    cores = torch.get_num_threads()
    threads = min(cores, photos)
    torch.set_num_threads(cores // threads)
    cv2.setNumThreads(cores // threads)
    return threads
