"""A pool of Ray actors that follows machines as they join and leave the cluster."""

import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hairseg.errors import InputError, summarise

CALLS_PER_ACTOR = 2  # one running and one queued, so that the actor is never idle

MAX_DEATHS = 3  # of actors in succession: with the same call, or before they have started

SECONDS_BETWEEN_COUNTS = 1  # of machines

MAX_SECONDS_WITHOUT_ACTOR = 300

Call = tuple[int, tuple[Any, ...]]  # its index and arguments


class Pool:
    """As many actors as the machines of a cluster have cores or GPUs for.

    Each call goes to an actor that is free. If an actor dies, another one repeats its unfinished calls: a call may run
    more than once. Ray's own restarts are not used, since a restarted actor keeps its calls while it waits for a core.

    Args:
        ray: the module, connected.
        actor: a class with a method `process`.
        arguments: of its constructor.
        resources: of each actor: "num_cpus", "num_gpus".
        max_seconds_without_actor: time to wait for the first actor, or for another one after the last one has died.
    """

    def __init__(
        self,
        ray: Any,
        actor: type,
        arguments: Iterable[Any],
        resources: Mapping[str, float],
        max_seconds_without_actor: float = MAX_SECONDS_WITHOUT_ACTOR,
    ):
        self._ray, self._class, self._resources = ray, ray.remote(**resources)(actor), resources
        self._arguments = [ray.put(argument) for argument in arguments]
        self._max_seconds = max_seconds_without_actor
        self._actors: set[Any] = set()
        self._free: deque[Any] = deque()  # an actor for each call that it may take
        self._pending: dict[Any, tuple[Any, Call | None]] = {}  # actor and call; no call until the actor has started
        self._lost: deque[Call] = deque()
        self._deaths: Counter[int | None] = Counter()  # of actors, by call; None: before they had started
        self._next_count = 0.0

    def run(self, calls: Iterable[tuple[Any, ...]]) -> Iterator[tuple[int, Any]]:
        """Call `process` with each tuple of arguments; yield the index and result of each call when it is finished.

        `calls` is consumed lazily, as actors become free.

        Raises:
            Exception: `process` raised it.
            InputError: actors die repeatedly, or no machine is free.
        """
        waiting, last_success = enumerate(calls), time.monotonic()
        while True:
            self._start_actors()
            while self._free and (call := self._lost.popleft() if self._lost else next(waiting, None)):
                actor = self._free.popleft()
                self._pending[actor.process.remote(*call[1])] = actor, call
            is_working = any(call for _, call in self._pending.values())
            if self._free and not is_working:
                return
            if not is_working and time.monotonic() - last_success > self._max_seconds:
                raise InputError(
                    f"No machine of the cluster has been free for {self._max_seconds:g} seconds.",
                    remedy="Add machines, and repeat the command to continue.",
                )
            for result in self._wait():
                actor, call = self._pending.pop(result)
                try:
                    value = self._ray.get(result)
                except self._ray.exceptions.RayTaskError as error:
                    raise error.cause or error from None
                except self._ray.exceptions.RayError as error:
                    self._lose(actor, call, error)
                    continue
                last_success = time.monotonic()
                self._free.extend([actor] * (1 if call else CALLS_PER_ACTOR))
                if call:
                    yield call[0], value
                else:
                    self._deaths.pop(None, None)

    def close(self) -> None:
        """Stop the actors."""
        for actor in self._actors:
            self._ray.kill(actor)

    def _start_actors(self) -> None:
        if time.monotonic() < self._next_count:
            return
        self._next_count = time.monotonic() + SECONDS_BETWEEN_COUNTS
        for _ in range(count_slots(self._ray, self._resources) - len(self._actors)):
            actor = self._class.remote(*self._arguments)
            self._actors.add(actor)
            self._pending[actor.__ray_ready__.remote()] = actor, None

    def _wait(self) -> list[Any]:
        """Return results that are available, at most after `SECONDS_BETWEEN_COUNTS`."""
        if not self._pending:
            time.sleep(SECONDS_BETWEEN_COUNTS)
            return []
        results = list(self._pending)
        return self._ray.wait(results, num_returns=1, timeout=SECONDS_BETWEEN_COUNTS)[0]

    def _lose(self, actor: Any, call: Call | None, error: Exception) -> None:
        """Remove an actor that has died or cannot be reached, and repeat its call elsewhere."""
        if actor in self._actors:
            self._actors.remove(actor)
            self._ray.kill(actor)  # it may be alive on a machine that cannot be reached
            self._free = deque(other for other in self._free if other != actor)
        self._deaths[call and call[0]] += 1
        # The loss of one machine ends all of its actors, which may all be starting.
        if self._deaths[call and call[0]] >= MAX_DEATHS * (1 if call else 1 + len(self._actors)):
            raise InputError(
                f"Workers of the cluster have died {MAX_DEATHS} times in succession ({summarise(error)}).",
                remedy="Check that all machines have the same version of hairseg and enough memory; "
                "repeat the command to continue.",
            )
        if call:
            self._lost.append(call)


def count_slots(ray: Any, resources: Mapping[str, float]) -> int:
    """Return the number of actors with these resources for which the live machines of a cluster have cores and GPUs."""
    names = {"num_cpus": "CPU", "num_gpus": "GPU"}
    return sum(
        int(min(node["Resources"].get(names[name], 0) / amount for name, amount in resources.items()))
        for node in ray.nodes()
        if node["Alive"]
    )
