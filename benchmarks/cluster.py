"""Throughput of `hairseg predict --cluster` on nodes of one core each, relative to the folder command on two cores.

    python benchmarks/cluster.py [--photos 256] [--side 1000] [--runs 2] [--output cluster.json]

Nodes, head and command share this machine; the nodes are on the loopback interface. Rates are measured once each
node has finished a block of photos. They exclude starting Ray, imports and loading the network, which "seconds"
contains. The folder command runs in this process with a network that is already loaded. All alternate, and
medians are compared.

"bytes_per_photo" are those of the JPEG file, and of its alpha and cut-out together. "overhead_ms_per_photo" is what two
nodes take for a photo beyond the folder command, in core milliseconds. "resume" is the time to read a manifest of
--records photos and to compare it with the photos on disk.

With --names, only the driver's memory is measured, and added to the output as "memory".
"""

import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # read by `import ray`

import numpy as np
import psutil
import torch
from common import create_parser, report, run
from folder import VARIANT, write_photos

from hairseg.cli.app import invoke
from hairseg.cluster.predict import Run
from hairseg.cluster.workers import Job, network_files
from hairseg.inference import predictor as predictor_module
from hairseg.inference.predictor import HairPredictor
from hairseg.recolouring.settings import RecolourSettings
from hairseg.repository import BUNDLED

KINDS = ("alpha", "cutout")

PHOTOS_PER_FOLDER, SAMPLES = 1000, 10

OBJECT_STORE = 200 << 20  # bytes per node


@contextmanager
def start_nodes(count: int) -> Iterator[str]:
    """Start a head without cores and nodes with one core each; yield their address."""
    from ray.cluster_utils import Cluster

    options: dict[str, Any] = {
        "include_dashboard": False,
        "object_store_memory": OBJECT_STORE,
        "node_ip_address": "127.0.0.1",
    }
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **options})
    try:
        for _ in range(count):
            cluster.add_node(num_cpus=1, **options)
        yield str(cluster.address)
    finally:
        cluster.shutdown()


def create_job(photos: Path, output: Path) -> Job:
    """Return the job of the command with its defaults, on CPUs."""
    files = network_files(BUNDLED, [VARIANT])
    return Job(str(photos), str(output), files, False, KINDS, VARIANT, None, RecolourSettings(), "cpu")


def time_cluster(photos: Path, nodes: int) -> tuple[float, float]:
    """Return photos per second after as many blocks as there are nodes, and seconds until the first block."""
    with tempfile.TemporaryDirectory() as output, start_nodes(nodes) as address:
        began, times, counts = time.perf_counter(), [], []
        for block in Run(create_job(photos, Path(output))).process(address):
            times.append(time.perf_counter())
            counts.append(block.photos)
    return sum(counts[nodes:]) / (times[-1] - times[nodes - 1]), times[0] - began


def time_folder(photos: Path, predictor: HairPredictor) -> tuple[float, int]:
    """Return photos per second of the folder command, and bytes that it writes per photo."""
    predictor_module.HairPredictor = lambda *_: predictor
    with tempfile.TemporaryDirectory() as output, redirect_stderr(StringIO()):
        began = time.perf_counter()
        invoke(["predict", str(photos), "--output", output, "--device", "cpu"])
        count, seconds = len(list(photos.iterdir())), time.perf_counter() - began
        return count / seconds, sum(path.stat().st_size for path in Path(output).iterdir()) // count


def record_all(run: Run, output: str) -> None:
    """Write the manifest of a run that has finished all photos."""
    for unit in run._source.units():
        lines = "".join(
            json.dumps({"id": path, "hair": 0.1, "heads": [[0, 0, 9, 9]]}) + "\n" for path, _ in unit.pictures
        )
        (Path(output) / "manifest" / f"{unit.name}-000.jsonl").write_text(lines)


def time_resume(photos: Path, records: int) -> dict[str, float]:
    """Return the seconds to read a manifest, and to list photos that it contains."""
    with tempfile.TemporaryDirectory() as output:
        job = create_job(photos, Path(output))
        record_all(Run(job), output)
        began = time.perf_counter()
        resumed = Run(job)
        read = time.perf_counter()
        left = sum(1 for _ in resumed._source.units(resumed._job.done))
        listed = time.perf_counter()
    if left or resumed.skipped != records:
        raise RuntimeError(f"{resumed.skipped} of {records} photos were skipped.")
    return {"reading the manifest": round(read - began, 2), "listing the photos": round(listed - read, 2)}


def measure_memory(folder: Path, count: int) -> dict[str, Any]:
    """Measure the driver while two nodes find all results in the manifest.

    Returns:
        Its resident set at ten points of the run, and photos per second, an upper limit for any number of nodes.
    """
    folder.mkdir()
    for index in range(0, count, PHOTOS_PER_FOLDER):
        write_photos(folder / str(index), 8, min(PHOTOS_PER_FOLDER, count - index))
    process, megabytes, done = psutil.Process(), [], 0
    with tempfile.TemporaryDirectory() as output, start_nodes(2) as address:
        job = create_job(folder, Path(output))
        run = Run(job)
        record_all(run, output)
        began = 0.0
        for finished in run.process(address):  # `run` was created before the records
            if done % (count // SAMPLES) < finished.photos:
                megabytes.append(process.memory_info().rss >> 20)
            began, done = began or time.perf_counter(), done + finished.photos
        seconds = time.perf_counter() - began
        skipped = Run(job).skipped
    if not done == skipped == count:
        raise RuntimeError(f"{done} of {count} photos were processed, {skipped} skipped.")
    return {
        "photos": count,
        "photos_per_second": round(count / seconds),
        "resident_mb": megabytes,
        "resident_mb_after_resuming": process.memory_info().rss >> 20,
    }


def main() -> None:
    parser = create_parser(__doc__)
    parser.add_argument("--photos", type=int, default=256)
    parser.add_argument("--side", type=int, default=1000, help="pixels")
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--records", type=int, default=50_000)
    parser.add_argument("--names", type=int, default=0, help="measure only the memory, with this many photos")
    args = parser.parse_args()
    if args.names:
        with tempfile.TemporaryDirectory() as temporary:
            memory = measure_memory(Path(temporary) / "photos", args.names)
        report((json.loads(args.output.read_text()) if args.output else {}) | {"memory": memory}, args.output)
        return
    predictor = HairPredictor(BUNDLED, [VARIANT], "cpu")
    cores = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as temporary:
        photos = write_photos(Path(temporary) / "photos", args.side, args.photos)
        rates: dict[str, list[float]] = {"folder command": [], "1 node": [], "2 nodes": []}
        starts, written = [], 0
        for _ in range(args.runs):
            rate, written = time_folder(photos, predictor)
            rates["folder command"].append(rate)
            for nodes, name in ((1, "1 node"), (2, "2 nodes")):
                rate, start = time_cluster(photos, nodes)
                rates[name].append(rate)
                starts.append(start)
        sizes = {"read": (photos / "0.jpg").stat().st_size, "written": written}
        many = write_photos(Path(temporary) / "many", 8, args.records)
        resume = time_resume(many, args.records)
    medians = {name: float(np.median(found)) for name, found in rates.items()}
    ms = {name: 2000 / medians[name] for name in ("folder command", "2 nodes")}
    result: dict[str, Any] = {
        "cores": cores,
        "side": args.side,
        "photos_per_run": args.photos,
        "runs": args.runs,
        "photos_per_second": {name: round(rate, 2) for name, rate in medians.items()},
        "relative_to_folder_command": round(medians["2 nodes"] / medians["folder command"], 3),
        "overhead_ms_per_photo": round(ms["2 nodes"] - ms["folder command"], 1),
        "bytes_per_photo": sizes,
        "seconds": {"until the first block": round(float(np.median(starts)), 1)},
        "resume": {"records": args.records, "seconds": resume},
    }
    report(result, args.output)


if __name__ == "__main__":
    run(main)
