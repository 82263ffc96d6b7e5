"""A cluster of two nodes on this machine: one is killed, and scores equal those of one machine."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import draw_figaro1k, draw_portrait, run_here
from PIL import Image

pytest.importorskip("ray", reason="Ray is not installed")
from ray.cluster_utils import Cluster

from hairseg.cluster.connect import connect
from hairseg.cluster.pool import Pool
from hairseg.cluster.predict import Run
from hairseg.cluster.workers import Job, network_files
from hairseg.errors import InputError
from hairseg.recolouring.settings import RecolourSettings

MEMORY = 80 << 20  # bytes of each node's object store

# Ray detects a dead node sooner.
SYSTEM = {"health_check_period_ms": 500, "health_check_timeout_ms": 2000, "health_check_failure_threshold": 4}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head without cores, and two nodes with one each; all on the loopback interface."""
    options = {"object_store_memory": MEMORY, "node_ip_address": "127.0.0.1", "include_dashboard": False}
    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "_system_config": SYSTEM, **options})
    try:
        for _ in range(2):
            started.add_node(num_cpus=1, **options)
        with connect(str(started.address)):  # actors of all tests start from the same idle processes
            yield started
    finally:
        started.shutdown()


def link(folder: Path, photos: int, distinct: int = 8, per_folder: int = 1000) -> Path:
    """Write photos, of which only a few are distinct."""
    drawn = folder.with_name(f"{folder.name}-drawn")
    drawn.mkdir()
    for seed in range(distinct):
        Image.fromarray(draw_portrait(seed)[0]).save(drawn / f"{seed}.png")
    for index in range(photos):
        path = folder / str(index // per_folder) / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(drawn / f"{index % distinct}.png", path)
    return folder


def test_an_address_where_nothing_listens_is_an_error_at_once():
    """The first test of this file: a process connects to one cluster only."""
    with pytest.raises(InputError, match=r"^The cluster 127\.0\.0\.1:1 cannot be reached"), connect("127.0.0.1:1"):
        pass


def test_scores_equal_those_of_one_machine(cluster, small_repository, portraits, tmp_path):
    """Two data sets, and scenes without people."""
    figaro = draw_figaro1k(tmp_path / "Figaro1k", [1, 2], [3])
    scenes = tmp_path / "scenes" / "animals"
    scenes.mkdir(parents=True)
    for seed in range(3):
        Image.fromarray(draw_portrait(seed)[0][::-1]).save(scenes / f"{seed}.jpg")
    words = ["evaluate", "--data", figaro, portraits, "--split", "all", "--repo", small_repository]
    words += ["--scenes", tmp_path / "scenes"]
    run_here("-m", "hairseg", *words, "--output", tmp_path / "here")
    run_here("-m", "hairseg", *words, "--output", tmp_path / "there", "--cluster", cluster.address)
    here, there = (tmp_path / name for name in ("here", "there"))
    assert (here / "metrics.json").read_bytes() == (there / "metrics.json").read_bytes()
    assert (here / "worst.png").read_bytes() == (there / "worst.png").read_bytes()


class Dying:
    """An actor that dies in each call."""

    def process(self) -> None:
        os._exit(1)


def test_a_cluster_that_cannot_finish_is_an_error(cluster):
    """Guards against waiting forever for a machine, and against a photo that kills one worker after the other."""
    with connect(cluster.address) as ray:
        pool = Pool(ray, Dying, [], {"num_cpus": 1})
        with pytest.raises(InputError, match=r"Workers of the cluster have died 3 times in succession \(.*repeat the"):
            list(pool.run([()]))
        pool.close()
        pool = Pool(ray, Dying, [], {"num_gpus": 1}, max_seconds_without_actor=1)
        with pytest.raises(InputError, match=r"No machine of the cluster has been free for 1 seconds\. Add"):
            list(pool.run([()]))


def test_a_killed_node_loses_and_repeats_nothing(cluster, small_repository, tmp_path):
    photos, output = link(tmp_path / "photos", 160), tmp_path / "out"
    files = network_files(small_repository, ["pretrained"])
    kinds = ("alpha", "cutout")
    job = Job(str(photos), str(output), files, False, kinds, "pretrained", None, RecolourSettings(), "cpu")
    finished, written = [], {}
    for block in Run(job).process(cluster.address):
        finished.append(block.photos)
        if len(finished) == 3:
            recorded = [json.loads(line)["id"] for path in output.glob("manifest/*.jsonl") for line in path.open()]
            written = {name: (output / name).with_suffix(".alpha.png").stat().st_mtime_ns for name in recorded}
            cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
    assert sum(finished) == 160
    ids = Counter(json.loads(line)["id"] for path in output.glob("manifest/*.jsonl") for line in path.open())
    assert len(ids) == 160 and set(ids.values()) == {1}
    assert len(written) >= 48
    for name, time in written.items():
        assert (output / name).with_suffix(".alpha.png").stat().st_mtime_ns == time
    words = ["predict", tmp_path / "photos-drawn", "--output", tmp_path / "here", "--repo", small_repository]
    run_here("-m", "hairseg", *words)
    for index in range(160):
        for kind in kinds:
            expected = (tmp_path / "here" / f"{index % 8}.{kind}.png").read_bytes()
            assert (output / "0" / f"{index}.{kind}.png").read_bytes() == expected


def test_memory_does_not_grow_with_the_number_of_photos(cluster, small_repository, tmp_path):
    """Guards against lists of all names; the workers only find records of an earlier run."""
    photos, output = link(tmp_path / "photos", 16_000), tmp_path / "out"
    files = network_files(small_repository, ["pretrained"])
    job = Job(str(photos), str(output), files, False, ("alpha",), "pretrained", None, RecolourSettings(), "cpu")
    run = Run(job)
    for unit in run._source.units():
        lines = "".join(json.dumps({"id": path, "hair": 0.0, "heads": []}) + "\n" for path, _ in unit.pictures)
        (output / "manifest" / f"{unit.name}-000.jsonl").write_text(lines)
    process, peak, done = psutil.Process(), [], 0
    for block in run.process(cluster.address):  # `run` was created before the records
        done += block.photos
        if done % 1600 == 0:
            peak.append(process.memory_info().rss)
    assert done == 16_000
    assert peak[-1] - peak[1] < 8 << 20
    run = Run(job)
    assert run.skipped == 16_000
    assert process.memory_info().rss - peak[-1] < 8 << 20
