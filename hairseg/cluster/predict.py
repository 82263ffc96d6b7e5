"""`hairseg predict --cluster`: many photos on the machines of a Ray cluster."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from threading import Thread

from hairseg.cluster.connect import connect
from hairseg.cluster.output import Output
from hairseg.cluster.pool import Pool, count_slots
from hairseg.cluster.sources import PHOTOS_PER_BLOCK, Ids, Source
from hairseg.cluster.workers import Finished, Job, Worker
from hairseg.errors import InputError, summarise

GPU_FRACTION = 0.25  # of a GPU per worker, so that forward passes of one overlap with copies and Python code of others


class Run:
    """A run over a source that resumes earlier runs with the same output.

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
        self._job = replace(job, done=done)
        self.skipped = len(done)
        self.total: int | None = None

    def count(self) -> None:
        """Set `total` in a background thread that lists the source."""

        def count_units() -> None:
            total = 0
            with suppress(OSError):  # the workers report these errors
                for unit in self._source.units(self._job.done):
                    if unit.photos is None:
                        return
                    total += unit.photos
                self.total = total

        Thread(target=count_units, daemon=True).start()

    def process(self, address: str = "") -> Iterator[Finished]:
        """Process the photos; yield the outcome of each unit when it is finished.

        Args:
            address: as for `connect`.

        Raises:
            InputError: the cluster is unreachable or fails, a folder cannot be listed, or results cannot be written.
        """
        with connect(address) as ray:
            has_gpu = self._job.device != "cpu" and count_slots(ray, {"num_gpus": 1}) > 0
            if has_gpu:
                resources, threads = {"num_gpus": GPU_FRACTION}, PHOTOS_PER_BLOCK
            else:
                resources, threads = {"num_cpus": 1}, 1
            pool = Pool(ray, Worker, [self._job, threads], resources)
            try:
                for _, finished in pool.run((unit,) for unit in self._source.units(self._job.done, self._number)):
                    yield finished
            except InputError:
                raise
            except OSError as error:
                problem = f"A file or folder cannot be read or written ({summarise(error)})."
                raise InputError(problem, remedy="Repeat the command to continue.") from None
            finally:
                pool.close()
