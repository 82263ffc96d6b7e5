"""Stages of prediction: read and decode, segment, draw and write. One actor runs all of them where there is no GPU."""

import hashlib
import pickle
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from hairseg.cluster.output import Output
from hairseg.cluster.sources import Ids, Photo, Source, Unit, is_safe
from hairseg.errors import InputError, summarise
from hairseg.files import WriteError
from hairseg.inference.multiscale import TwoPassPrediction
from hairseg.inference.predictor import HairPredictor
from hairseg.inference.rows import encode_results, measure_hair
from hairseg.memory import return_large_arrays_to_system
from hairseg.networks.devices import select_device
from hairseg.page.decoder import Decoder
from hairseg.recolouring.settings import RecolourSettings
from hairseg.repository.repository import CONFIG_FILE, WEIGHTS_FILE

Row = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """What all workers of a run need to know. Settings are those of `process_photos`.

    Attributes:
        source: URL of the photos.
        output: URL of the results.
        files: as `network_files` returns them.
        as_parquet: write rows instead of PNG files.
        threshold: alpha from which a pixel is hair.
        device: of the networks; "auto" for the GPUs of the cluster, if it has any.
        done: ids of the photos of earlier runs.
    """

    source: str
    output: str
    files: dict[str, bytes]
    as_parquet: bool
    kinds: tuple[str, ...]
    variant: str
    threshold: float
    colour: str | None
    settings: RecolourSettings
    device: str = "auto"
    done: Ids = field(default_factory=Ids)

    def describe(self) -> dict[str, Any]:
        """Return what the results depend on, for the manifest."""
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


@dataclass
class Item:
    """A photo on its way through the stages; `error` ends it."""

    photo: Photo
    pixels: np.ndarray | None = None
    prediction: TwoPassPrediction | None = None
    error: str | None = None


class Reader:
    """Decodes photos in subprocesses with bounded memory and time."""

    def __init__(self, job: Job):
        self._job, self._source, self._decoder = job, Source(job.source), Decoder()

    def blocks(self, unit: Unit) -> Iterator[tuple[str, list[Photo]]]:
        """Read the photos of a unit in blocks."""
        return self._source.blocks(unit, self._job.done)

    def decode(self, photo: Photo) -> Item:
        """Read and decode a photo."""
        try:
            if not is_safe(photo.target):
                raise InputError(f"{photo.name} has a name outside of its folder.", remedy="Rename it.")
            return Item(photo, self._decoder.load(photo.read(), photo.name))
        except InputError as error:
            return Item(photo, error=str(error))
        except Exception as error:  # of the client of an object store
            return Item(photo, error=f"{photo.name} cannot be read ({type(error).__name__}: {summarise(error)}).")


class Network:
    """A network, from the files of its repository."""

    def __init__(self, job: Job):
        self._variant = job.variant
        self._predictor = load_predictor(job.files, [job.variant], job.device)

    def segment(self, items: list[Item]) -> None:
        """Segment the decoded photos in one batch; if that fails, one by one."""
        decoded = [item for item in items if item.pixels is not None]
        try:
            found = self._predictor.predict_batch(
                [item.pixels for item in decoded if item.pixels is not None], self._variant
            )
            for item, prediction in zip(decoded, found, strict=True):
                item.prediction = prediction
        except Exception as error:
            if len(decoded) == 1:
                decoded[0].error = _explain(decoded[0], error)
                return
            for item in decoded:
                self.segment([item])


class Writer:
    """Draws and writes results."""

    def __init__(self, job: Job):
        self._job, self._output = job, Output(job.output)

    def has(self, block: str) -> bool:
        """Return whether a block is finished: a worker died, or lost its answer, after it had recorded the block."""
        return self._output.has(block)

    def draw(self, item: Item) -> Row:
        """Draw the results of a photo as a row; write them now unless they become a row of a Parquet file."""
        row: Row = {"id": item.photo.id}
        if item.pixels is None or item.prediction is None:
            return {**row, "error": item.error}
        job = self._job
        try:
            alpha = item.prediction.alpha(item.pixels)
            pictures = encode_results(item.pixels, alpha, job.kinds, job.colour, job.settings)
            row |= measure_hair(alpha >= job.threshold)
            if not job.as_parquet:
                self._output.raise_if_foreign(item.photo.target, job.kinds)
                self._output.write_pictures(item.photo.target, pictures)
                return row
        except (WriteError, OSError):
            raise
        except InputError as error:
            return {"id": item.photo.id, "error": str(error)}
        except Exception as error:
            return {"id": item.photo.id, "error": _explain(item, error)}
        return row | pictures

    def record(self, block: str, rows: list[Row]) -> Row:
        """Record a block, and return what is reported of it."""
        self._output.record(block, rows, self._job.kinds if self._job.as_parquet else None)
        return report(rows)

    def report_recorded(self, block: str) -> Row:
        """Return what is reported of a block that is recorded."""
        return report(list(self._output.records([block])))


class AllStages:
    """An actor that runs all stages on one core, one photo at a time."""

    def __init__(self, job: Job):
        use_one_thread()
        self._reader, self._network, self._writer = Reader(job), Network(job), Writer(job)

    def __call__(self, row: Row) -> Iterator[Row]:
        """Process a unit; yield a report per block."""
        for block, photos in self._reader.blocks(pickle.loads(row["unit"])):
            if self._writer.has(block):
                yield self._writer.report_recorded(block)
                continue
            rows = []
            for photo in photos:
                item = self._reader.decode(photo)
                self._network.segment([item])
                rows.append(self._writer.draw(item))
            yield self._writer.record(block, rows)


class ReadStage:
    """Reads and decodes the photos of a unit on a CPU; yields a row per block."""

    def __init__(self, job: Job):
        use_one_thread()
        self._reader, self._output = Reader(job), Output(job.output)

    def __call__(self, row: Row) -> Iterator[Row]:
        """Decode a unit; yield its blocks. The items of a recorded block are empty."""
        for block, photos in self._reader.blocks(pickle.loads(row["unit"])):
            items = [] if self._output.has(block) else [self._reader.decode(photo) for photo in photos]
            yield {"block": block, "items": _pack(items)}


class NetworkStage:
    """Segments the photos of a block on a GPU, or a part of one, in one batch."""

    def __init__(self, job: Job):
        self._network = Network(job)

    def __call__(self, row: Row) -> Row:
        """Add predictions to a block."""
        items = pickle.loads(row["items"])
        if items:
            self._network.segment(items)
        return {"block": row["block"], "items": _pack(items)}


class WriteStage:
    """Draws and writes the results of a block on a CPU."""

    def __init__(self, job: Job):
        use_one_thread()
        self._writer = Writer(job)

    def __call__(self, row: Row) -> Row:
        """Write a block, and report it."""
        block, items = row["block"], pickle.loads(row["items"])
        if self._writer.has(block):
            return self._writer.report_recorded(block)
        return self._writer.record(block, [self._writer.draw(item) for item in items])


def report(rows: list[Row]) -> Row:
    """Return what is reported of a block: its number of photos, and what is wrong with those without results."""
    return {"photos": len(rows), "errors": pickle.dumps([row["error"] for row in rows if row.get("error")])}


def use_one_thread() -> None:
    """Compute in one thread, as `process_photos` does for each photo if there are at least as many as cores."""
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


def _pack(items: list[Item]) -> bytes:
    """Pickle items; their contents have been decoded and need not travel."""
    return pickle.dumps(
        [Item(_without_contents(item.photo), item.pixels, item.prediction, item.error) for item in items]
    )


def _without_contents(photo: Photo) -> Photo:
    return Photo(photo.id, photo.target, photo.name, bytes)


def _explain(item: Item, error: Exception) -> str:
    return f"{item.photo.name} cannot be processed ({type(error).__name__}: {summarise(error)})."
