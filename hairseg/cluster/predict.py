"""`hairseg predict --cluster`: many photos on the machines of a Ray cluster."""

import pickle
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from typing import Any

from hairseg.cluster.connect import configure_data, connect
from hairseg.cluster.output import Output
from hairseg.cluster.sources import Ids, Source
from hairseg.cluster.workers import AllStages, Job, NetworkStage, ReadStage, WriteStage
from hairseg.errors import InputError, summarise

GPU_FRACTION = 0.25  # of a GPU per network, so that copying and Python of one overlap with the passes of another


@dataclass(frozen=True)
class Finished:
    """A block of finished photos.

    Attributes:
        photos: their number.
        errors: what is wrong with those without results, as sentences.
    """

    photos: int
    errors: list[str]


class Run:
    """A run over a source, which continues earlier runs with the same output.

    Args:
        job: its settings. `done` is replaced.

    Attributes:
        skipped: number of photos of earlier runs.
        total: number of photos of this run; None until `count` has listed the source, or with shards.

    Raises:
        InputError: the source does not exist, or the output was written with other settings.
        WriteError: the output is not writable.
    """

    def __init__(self, job: Job):
        self._source, output = Source(job.source), Output(job.output)
        output.start(job.describe())
        blocks = output.blocks()
        done = Ids(record["id"] for record in output.records(blocks))
        self._number = 1 + max((int(name.partition("-")[0]) for name in blocks), default=0)
        self._job = Job(**{**vars(job), "done": done})
        self.skipped = len(done)
        self.total: int | None = None

    def count(self) -> None:
        """List the source in a thread of its own, to set `total`."""

        def count_units() -> None:
            total = 0
            with suppress(OSError):  # which the workers report
                for unit in self._source.units(self._job.done):
                    if unit.photos is None:
                        return
                    total += unit.photos
                self.total = total

        Thread(target=count_units, daemon=True).start()

    def process(self, address: str = "") -> Iterator[Finished]:
        """Process the photos; yield each block in the order of completion.

        Args:
            address: as for `connect`.

        Raises:
            InputError: no cluster, or a folder cannot be listed, or the results cannot be written.
        """
        with connect(address) as ray:
            configure_data(ray)
            job, number = self._job, self._number

            def list_units(_row: dict[str, Any]) -> Iterator[dict[str, Any]]:
                for unit in Source(job.source).units(job.done, number):
                    yield {"unit": pickle.dumps(unit)}

            # Listed on this machine: if another one failed, its part of the list would have to be listed again.
            here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
                ray.get_runtime_context().get_node_id(), soft=True
            )
            units = ray.data.from_items([{"run": number}]).flat_map(list_units, num_cpus=0, scheduling_strategy=here)
            try:
                for row in _pipeline(ray, units, job).iter_rows():
                    yield Finished(row["photos"], pickle.loads(row["errors"]))
            except ray.exceptions.RayError as error:
                raise explain(error) from None


def explain(error: BaseException) -> Exception:
    """Return the error of a worker as an InputError, if it is a user's, such as a full disk."""
    cause: BaseException = error
    while following := getattr(cause, "cause", None) or cause.__cause__:
        cause = following
    if isinstance(cause, InputError):
        return InputError(str(cause))
    if isinstance(cause, OSError):
        return InputError(f"A worker has failed ({summarise(cause)}).", remedy="Repeat the command to continue.")
    return error if isinstance(error, Exception) else RuntimeError(str(error))


def _pipeline(ray: Any, units: Any, job: Job) -> Any:
    """Add the stages to a data set of units: one actor per core, or actors on GPUs between actors on cores."""
    cores, gpus = (int(ray.cluster_resources().get(name, 0)) for name in ("CPU", "GPU"))

    def actors(number: int) -> dict[str, Any]:
        # A dead actor's units wait for its restart, which may need the core of an idle one. So the minimum is 1.
        compute = ray.data.ActorPoolStrategy(min_size=1, initial_size=max(1, number), max_tasks_in_flight_per_actor=2)
        return {"compute": compute, "fn_constructor_args": [job]}

    if not gpus or job.device == "cpu":
        return units.flat_map(AllStages, num_cpus=1, **actors(cores))
    decoded = units.flat_map(ReadStage, num_cpus=1, **actors(cores // 2))
    segmented = decoded.map(NetworkStage, num_gpus=GPU_FRACTION, **actors(int(gpus / GPU_FRACTION)))
    return segmented.map(WriteStage, num_cpus=1, **actors(cores // 2))
