"""The actor of `hairseg predict --cluster`, and its settings."""

import hashlib
import math
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import torch

from hairseg.cluster.output import Output
from hairseg.cluster.sources import Ids, Photo, Source, Unit, is_safe
from hairseg.errors import InputError
from hairseg.inference.folder import MAX_MEGAPIXELS, WeightedSemaphore, catch_error
from hairseg.inference.predictor import HairPredictor
from hairseg.inference.rows import encode_results, measure_hair
from hairseg.memory import return_large_arrays_to_system
from hairseg.networks.devices import select_device
from hairseg.page.decoder import Decoder
from hairseg.recolouring.settings import RecolourSettings
from hairseg.repository.repository import CONFIG_FILE, WEIGHTS_FILE


@dataclass(frozen=True)
class Job:
    """Settings of a run, the same for all workers; see also `process_photos`.

    Attributes:
        source: URL of the photos.
        output: URL of the results.
        files: as `network_files` returns them.
        as_parquet: write rows instead of PNG files.
        device: of the networks; "auto" for the GPUs of the cluster, if it has any.
        done: ids of the photos of earlier runs.
    """

    source: str
    output: str
    files: dict[str, bytes]
    as_parquet: bool
    kinds: tuple[str, ...]
    variant: str
    colour: str | None
    settings: RecolourSettings
    device: str = "auto"
    done: Ids = field(default_factory=Ids)

    def describe(self) -> dict[str, Any]:
        """Return the settings that the results depend on, for the manifest."""
        digest = hashlib.sha256(b"".join(self.files[name] for name in sorted(self.files))).hexdigest()
        return {
            "source": self.source,
            "format": "parquet" if self.as_parquet else "png",
            "results": list(self.kinds),
            "variant": self.variant,
            "colour": self.colour,
            "settings": vars(self.settings) if {"recoloured", "sheet"} & set(self.kinds) else None,
            "model": digest,
        }


@dataclass(frozen=True)
class Finished:
    """The outcome of a unit.

    Attributes:
        photos: their number.
        errors: what is wrong with those without results, as sentences.
    """

    photos: int
    errors: list[str]


class Worker:
    """An actor that reads, decodes and segments photos, and writes their results.

    Args:
        job: the settings.
        threads: photos that are processed at the same time. On a GPU, they share forward passes.
    """

    def __init__(self, job: Job, threads: int = 1):
        self._job, self._source, self._output = job, Source(job.source), Output(job.output)
        self._decoder = Decoder(threads)
        self._predictor = load_predictor(job.files, [job.variant], job.device)
        self._memory = WeightedSemaphore(MAX_MEGAPIXELS)
        self._threads = ThreadPoolExecutor(threads, initializer=_use_one_thread)

    def process(self, unit: Unit) -> Finished:
        """Write and record the results of a unit, block by block."""
        rows: list[dict[str, Any]] = []
        for block, photos in self._source.blocks(unit, self._job.done):
            if self._output.has(block):  # by a worker that died before it returned
                rows += self._output.records([block])
                continue
            found = list(self._threads.map(self._process, photos))
            self._output.record(block, found, self._job.kinds if self._job.as_parquet else None)
            rows += [{"error": row.get("error")} for row in found]
        return Finished(len(rows), [row["error"] for row in rows if row.get("error")])

    def _process(self, photo: Photo) -> dict[str, Any]:
        """Return the row of a photo; write its PNG files unless they become part of a Parquet file."""
        row, _ = catch_error(self._segment, photo, photo.name)
        if not self._job.as_parquet and "error" not in row:
            self._output.write_pictures(photo.target, {kind: row.pop(kind) for kind in self._job.kinds})
        return {"id": photo.id, **row}

    def _segment(self, photo: Photo) -> dict[str, Any]:
        job = self._job
        if not is_safe(photo.target):
            raise InputError(f"{photo.name} has a path outside its folder.", remedy="Rename it.")
        if not job.as_parquet:
            self._output.raise_if_foreign(photo.target, job.kinds)
        pixels = self._decoder.load(self._source.read(photo), photo.name)
        with self._memory.acquire(math.ceil(pixels.shape[0] * pixels.shape[1] / 1e6)):
            alpha = self._predictor.alphas(pixels)[job.variant]
            pictures = encode_results(pixels, alpha, job.kinds, job.colour, job.settings)
            return pictures | measure_hair(alpha >= self._predictor.config.threshold)


def _use_one_thread() -> None:
    """Limit this thread's computations to one core, as `process_photos` does when it has a photo for each core."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    return_large_arrays_to_system()


def network_files(folder: Path, variants: Sequence[str]) -> dict[str, bytes]:
    """Read the files of a repository that its networks need, by name."""
    names = [CONFIG_FILE, *(f"{variant}/{WEIGHTS_FILE}" for variant in variants)]
    return {name: (folder / name).read_bytes() for name in names}


def load_predictor(files: dict[str, bytes], variants: Sequence[str], device: str) -> HairPredictor:
    """Load networks from what `network_files` has returned on another machine."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            path = Path(folder, name)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        return HairPredictor(folder, variants, select_device(device))
