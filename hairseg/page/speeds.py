"""How long the models take on this machine, measured while the page has nothing else to do."""

import sys
import time
from collections.abc import Callable
from threading import Thread

from hairseg.errors import InputError
from hairseg.page.models import Models

WATCHED = 3.0  # seconds that the page must have been idle before every single run

IDLE = 0.05  # of one core's time: less is no work for a visitor

PAUSE = 30.0  # seconds until models that found no room in memory are tried again


def wait_until_idle() -> None:
    """Until this process has done next to nothing for a while."""
    while True:
        before = time.process_time()
        time.sleep(WATCHED)
        if time.process_time() - before < IDLE * WATCHED:
            return


class Speeds:
    """Milliseconds a photo by model, as far as they have been measured.

    A visitor who comes while one photo is at work or one model is being loaded shares the cores with that; nothing more
    is begun until nobody has asked for anything for a while. Models that are not in memory are measured where there is
    room beside those that are.

    Args:
        models: those of the page.
        wait: is called before every run, and returns when visitors would not notice it.
    """

    def __init__(self, models: Models, wait: Callable[[], None] = wait_until_idle):
        self._models, self._wait = models, wait
        self._milliseconds: dict[str, float] = {}

    def of(self, name: str) -> float | None:
        return self._milliseconds.get(name)

    def start(self) -> None:
        """Measure all of them in the background."""
        Thread(target=self._measure_all, name="speeds", daemon=True).start()

    def _measure_all(self) -> None:
        left = self._models.names
        while left := [name for name in left if not self.measure(name)]:
            time.sleep(PAUSE)

    def measure(self, name: str) -> bool:
        """Measure one model. Returns whether there is nothing left to do for it."""
        from hairseg.inference.speed import measure_latency  # it takes PyTorch along

        self._wait()
        try:
            predictor = self._models.aside(name)
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            return True
        if predictor is None:
            return False
        self._milliseconds[name] = measure_latency(predictor)
        return True
