"""Prediction on a cluster: sources, results, and the manifest. The stages are called in this process."""

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import draw_portrait, run_here
from PIL import Image

parquet = pytest.importorskip("pyarrow.parquet")

import pyarrow  # noqa: E402

from hairseg.cluster.output import Output  # noqa: E402
from hairseg.cluster.predict import Run  # noqa: E402
from hairseg.cluster.sources import Ids, Source, name_targets  # noqa: E402
from hairseg.cluster.workers import Finished, Job, Worker, network_files  # noqa: E402
from hairseg.errors import InputError  # noqa: E402
from hairseg.inference.folder import find_photos, process_photos  # noqa: E402
from hairseg.inference.predictor import HairPredictor  # noqa: E402
from hairseg.recolouring.settings import RecolourSettings  # noqa: E402


@pytest.fixture
def job(small_repository, tmp_path) -> Job:
    files = network_files(small_repository, ["pretrained"])
    settings = RecolourSettings()
    return Job(str(tmp_path / "photos"), str(tmp_path / "out"), files, False, ("alpha",), "pretrained", None, settings)


def png(seed: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(draw_portrait(seed)[0]).save(file, "PNG")
    return file.getvalue()


def draw(folder: Path, *names: str) -> None:
    for seed, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png(seed))


def process(run: Run, threads: int = 1) -> list[Finished]:
    """Process the units in this process, as an actor would."""
    worker = Worker(run._job, threads)
    return [worker.process(unit) for unit in run._source.units(run._job.done, run._number)]


def pictures(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.png")}


def test_results_are_those_of_one_machine(job, small_repository, tmp_path):
    names = ["a/x.png", "a/x.jpg", "b/y.png", "z.png", *(f"c/{index}.png" for index in range(14))]
    draw(tmp_path / "photos", *names)
    (tmp_path / "photos" / "b" / "broken.png").write_bytes(b"\x89PNG")
    run = Run(job)
    reports = process(run)
    assert [finished.photos for finished in reports] == [16, 3]
    errors = [error for finished in reports for error in finished.errors]
    found = find_photos([tmp_path / "photos"], tmp_path / "here")
    predictor = HairPredictor(small_repository, ["pretrained"])
    here = process_photos(found, predictor, "pretrained", ["alpha"], None, RecolourSettings())
    assert errors == [result.error for result in here if result.error]
    assert len(errors) == 1 and errors[0].startswith(f"{tmp_path / 'photos' / 'b' / 'broken.png'} is ")
    assert pictures(tmp_path / "out") == pictures(tmp_path / "here") and len(pictures(tmp_path / "here")) == 18


def test_a_run_continues_the_manifest(job, tmp_path):
    """Guards against photos lost or processed twice after an interruption, and against results of mixed settings."""
    draw(tmp_path / "photos", *(f"{index:02d}.png" for index in range(20)))
    unit = next(Run(job)._source.units())
    worker = Worker(job)
    assert worker.process(unit) == Finished(16, [])
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.png")}
    assert worker.process(unit) == Finished(16, [])  # the return value was lost
    draw(tmp_path / "photos", "0.png")
    run = Run(job)
    run.count()
    assert run.skipped == 16
    assert [finished.photos for finished in process(run)] == [5]
    assert all(path.stat().st_mtime_ns == time for path, time in written.items())
    output = Output(job.output)
    records = list(output.records(output.blocks()))
    assert output.blocks() == ["1-000000-000", "2-000000-000"] and len(records) == 21
    assert {record["id"] for record in records} == {path.name for path in (tmp_path / "photos").iterdir()}
    assert all(0 <= record["hair"] <= 1 for record in records)
    assert process(Run(job)) == []
    with pytest.raises(InputError, match=r"1 settings differ from those of the earlier run .*: variant"):
        Run(replace(job, variant="random"))


def test_files_that_are_no_results_are_kept(job, tmp_path):
    draw(tmp_path / "photos", "a.png", "b.png")
    mask = draw(tmp_path / "out", "a.alpha.png") or (tmp_path / "out" / "a.alpha.png").read_bytes()
    (finished,) = process(Run(job))
    (error,) = finished.errors
    assert "would be overwritten" in error
    assert (tmp_path / "out" / "a.alpha.png").read_bytes() == mask and (tmp_path / "out" / "b.alpha.png").exists()


def test_photos_in_parquet_files_and_shards(job, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    contents = [png(seed) for seed in range(3)]
    images = [{"bytes": contents[0], "path": "0.png"}, {"bytes": contents[1], "path": None}, None]
    table = pyarrow.table({"label": [1, 2, 3], "image": images})
    parquet.write_table(table, folder / "train.parquet", row_group_size=2)
    (folder / "bad.parquet").write_bytes(b"PAR1")
    with tarfile.open(folder / "shard.tar", "w") as tar:
        for name in ("a.json", "a.png", "a.seg.png", "../b.png", "c.png"):
            member = tarfile.TarInfo(name)
            member.size = len(contents[2])
            tar.addfile(member, io.BytesIO(contents[2]))
    cut = (folder / "shard.tar").read_bytes()
    (folder / "cut.tar").write_bytes(cut[: len(cut) // 2])
    process(Run(replace(job, as_parquet=True, kinds=("alpha", "cutout"))))
    rows = [row for path in (tmp_path / "out").glob("part-*.parquet") for row in parquet.read_table(path).to_pylist()]
    rows = {row["id"]: row for row in rows}
    assert {name for name in rows if not rows[name]["error"]} - {"cut.tar/a.png"} == {
        *("train.parquet/000000", "train.parquet/000001", "shard.tar/a.png", "shard.tar/c.png")
    }
    assert rows["train.parquet/000002"]["error"] == f"{folder}/train.parquet/000002 is empty. Remove it."
    assert rows["shard.tar/../b.png"]["error"].endswith("has a path outside its folder. Rename it.")
    assert "bad.parquet is broken" in rows["bad.parquet"]["error"] and "cut.tar" in rows
    assert rows["train.parquet/000000"]["alpha"] != rows["train.parquet/000001"]["alpha"]
    shapes = {np.asarray(Image.open(io.BytesIO(rows["shard.tar/c.png"][kind]))).shape for kind in ("alpha", "cutout")}
    assert shapes == {(96, 96), (96, 96, 4)}
    assert not (tmp_path / "b.alpha.png").exists()


def test_threads_of_a_gpu_give_the_same(job, tmp_path):
    draw(tmp_path / "photos", *(f"{index}.png" for index in range(20)))
    assert [finished.photos for finished in process(Run(job))] == [16, 4]
    apart = replace(job, output=str(tmp_path / "apart"))
    assert [finished.photos for finished in process(Run(apart), threads=16)] == [16, 4]
    assert pictures(tmp_path / "out") == pictures(tmp_path / "apart") and len(pictures(tmp_path / "out")) == 20


def test_sources_are_folders_globs_and_files(tmp_path):
    draw(tmp_path, "a/x.png", "a/b/y.png", "a/.hidden.png", "a/x.alpha.png", "c/z.png")

    def listed(url: str) -> list[str]:
        return [path for unit in Source(url).units() for path, _ in unit.pictures]

    assert listed(f"{tmp_path}/a") == ["x.png", "b/y.png"]
    assert listed(f"{tmp_path}/**/*.png") == ["a/x.png", "a/b/y.png", "c/z.png"]
    assert listed(f"{tmp_path}/a/*.png") == ["x.png"]
    assert listed(f"{tmp_path}/c/z.png") == ["z.png"]
    assert [unit.name for unit in Source(f"{tmp_path}").units(run=3)] == ["3-000000"]
    source = Source(f"{tmp_path}/c/z.png")
    (block,) = source.blocks(next(source.units()))
    assert block[0] == "1-000000-000" and source.read(block[1][0]) == (tmp_path / "c" / "z.png").read_bytes()
    for wrong in (f"{tmp_path}/missing", "nowhere://bucket/photos"):
        with pytest.raises(InputError):
            Source(wrong)


def test_a_remote_source_and_output(job):
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe({f"/photos/{name}": png(seed) for seed, name in enumerate(("x.png", "a/y.png", "a/x.alpha.png"))})
    process(Run(replace(job, source="memory://photos", output="memory://out")))
    found = sorted(memory.find("/out"))
    assert [path for path in found if path.endswith(".png")] == ["/out/a/y.alpha.png", "/out/x.alpha.png"]
    lines = memory.cat("/out/manifest/1-000000-000.jsonl").splitlines()
    assert sorted(json.loads(line)["id"] for line in lines) == ["a/y.png", "x.png"]


def test_targets_are_unique():
    names = ["x.jpg", "x.png", "x.jpg.png", "y.jpg"]
    targets = [target for _, target in name_targets([f"a/{name}" for name in names])]
    assert targets == ["a/x.jpg", "a/x.png", "a/x.jpg.png", "a/y"]


def test_a_million_ids_take_8_megabytes():
    ids = Ids(str(index) for index in range(0, 100_000, 2))
    assert len(ids) == 50_000 and ids._hashes.nbytes == 400_000
    assert all((str(index) in ids) == (index % 2 == 0) for index in range(1000))


@pytest.mark.parametrize(
    "words,address",
    [(["--cluster"], ""), (["--cluster", "auto"], "auto"), (["--cluster", "10.0.0.1:6379"], "10.0.0.1:6379")],
)
def test_the_command(words, address, small_repository, tmp_path, monkeypatch):
    """An address may be omitted, also before the source."""
    draw(tmp_path / "photos", "a.png", "b.png")
    (tmp_path / "photos" / "c.png").write_bytes(b"\x89PNG")
    addresses = []

    def process_here(run: Run, address: str) -> list[Finished]:
        addresses.append(address)
        return process(run)

    monkeypatch.setattr(Run, "process", process_here)
    words = ["predict", *words, tmp_path / "photos", "--output", tmp_path / "out", "--repo", small_repository]
    lines = run_here("-m", "hairseg", *words, "--format", "parquet", rc=1).stderr.splitlines()
    assert addresses == [address]
    assert any(line.startswith(f"error: {tmp_path}/photos/c.png is not a picture") for line in lines)
    assert lines[-1] == "2 photos done, 0 skipped, 1 unreadable"
    (path,) = (tmp_path / "out").glob("part-*.parquet")
    assert parquet.read_table(path)["id"].to_pylist() == ["a.png", "b.png", "c.png"]
    lines = run_here("-m", "hairseg", *words, "--format", "parquet").stderr.splitlines()
    assert lines[-1] == "0 photos done, 3 skipped, 0 unreadable"
    assert "1 settings differ" in run_here("-m", "hairseg", *words, rc=2).stderr
    assert "takes one source" in run_here("-m", "hairseg", *words, tmp_path, rc=2).stderr
