"""Batch processing: files that are read, paths of the results, behaviour after an interruption."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from conftest import PROJECT, draw_portrait, run_here
from PIL import Image

from hairseg.errors import InputError
from hairseg.files import WriteError
from hairseg.images import alpha_to_grey, load_photo
from hairseg.inference import folder as folder_module
from hairseg.inference.folder import (
    PhotoResult,
    WeightedSemaphore,
    find_photos,
    is_result,
    process_photos,
)
from hairseg.inference.predictor import HairPredictor
from hairseg.recolouring.settings import RecolourSettings

READABLE = "Choose a JPEG, PNG, WebP, HEIC, AVIF, TIFF, BMP or GIF file."


@pytest.fixture
def hairseg(small_repository) -> Callable[..., str]:
    """Run the command in this process and return its standard error."""

    def command(*words: object, rc: int = 0) -> str:
        return run_here("-m", "hairseg", *words, "--repo", small_repository, rc=rc).stderr

    return command


def draw(folder: Path, *names: str, size: int = 96) -> Path:
    for seed, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw_portrait(seed, size)[0]).save(folder / name)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def results(*stems: str) -> set[str]:
    return {f"{stem}.{kind}.png" for stem in stems for kind in ("alpha", "cutout")}


def test_results_keep_the_folder_s_structure(hairseg, small_repository, tmp_path):
    """Guards against results of equal names overwriting each other, or swapped between photos."""
    folder = draw(tmp_path / "photos", "a/x.png", "b/x.png", "b/c/y.JPG", "z.png", ".hidden.png", ".cache/x.png")
    (folder / "b" / "notes.txt").write_text("text")
    (folder / "b" / "video.mpg").write_text("Pillow knows the suffix, but does not decode videos")
    single = draw(tmp_path / "elsewhere", "a.png") / "a.png"
    hairseg(folder, single, "--output", tmp_path / "out")
    assert files(tmp_path / "out").keys() == results("a/x", "b/x", "b/c/y", "z", "a")
    predictor = HairPredictor(small_repository, ["pretrained"])
    for target, path in (("a/x", "a/x.png"), ("b/x", "b/x.png"), ("b/c/y", "b/c/y.JPG"), ("z", "z.png")):
        expected = alpha_to_grey(predictor.alphas(load_photo(folder / path))["pretrained"])
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out" / f"{target}.alpha.png")), expected)


@pytest.mark.parametrize("output", ["photos", "photos/out"])
def test_results_beside_the_photos_are_not_processed(hairseg, tmp_path, output):
    """Guards against masks of masks."""
    folder = draw(tmp_path / "photos", "a.png", "b/x.png")
    for _ in range(2):
        hairseg(folder, "--output", tmp_path / output)
        found = {name for name in files(tmp_path / output) if name not in ("a.png", "b/x.png")}
        assert found == results("a", "b/x")


def test_standard_error_may_be_closed(small_repository, tmp_path):
    draw(tmp_path / "photos", *(f"{index}.png" for index in range(4)))
    words = [sys.executable, "-m", "hairseg", tmp_path / "photos", "--output", tmp_path / "out"]
    words += ["--repo", small_repository]
    close = "import os, sys; os.close(2); os.execv(sys.executable, sys.argv[1:])"
    assert subprocess.run([sys.executable, "-c", close, *words], cwd=PROJECT).returncode == 0
    assert files(tmp_path / "out").keys() == results("0", "1", "2", "3")


def test_photos_with_all_results_are_skipped(hairseg, monkeypatch, tmp_path):
    """Guards against work done twice, and against a photo with some of its results counting as finished."""
    folder, output = draw(tmp_path / "photos", "a.png", "b.png"), tmp_path / "out"
    hairseg(folder, "--output", output)
    before = {path: path.stat().st_mtime_ns for path in output.iterdir()}
    seen = []
    alphas = HairPredictor.alphas
    monkeypatch.setattr(HairPredictor, "alphas", lambda self, photo: seen.append(photo) or alphas(self, photo))
    hairseg(folder, "--output", output, "--skip-existing")
    monkeypatch.setattr(
        "hairseg.inference.predictor.HairPredictor", None
    )  # no network is loaded when all photos are finished
    hairseg(folder, "--output", output, "--skip-existing")
    monkeypatch.setattr("hairseg.inference.predictor.HairPredictor", HairPredictor)
    assert not seen
    assert before == {path: path.stat().st_mtime_ns for path in output.iterdir()}
    (output / "b.cutout.png").unlink()
    hairseg(folder, "--output", output, "--skip-existing")
    assert len(seen) == 1
    assert (output / "b.cutout.png").exists()
    assert (output / "a.alpha.png").stat().st_mtime_ns == before[output / "a.alpha.png"]
    hairseg(folder, "--output", output, "--skip-existing", "--colour", "copper")
    assert len(seen) == 3
    assert (output / "a.recoloured.png").exists()
    hairseg(folder, "--output", output)
    assert len(seen) == 5


def test_a_broken_picture_does_not_stop_the_others(hairseg, tmp_path):
    folder = draw(tmp_path / "photos", "a.png", "b/x.png", "c.png")
    content = (folder / "b" / "x.png").read_bytes()
    (folder / "b" / "x.png").write_bytes(content[: len(content) // 2])
    stderr = hairseg(folder, "--output", tmp_path / "out", rc=1)
    assert files(tmp_path / "out").keys() == results("a", "c")
    lines = stderr.splitlines()
    assert f"error: {folder / 'b' / 'x.png'} is broken" in lines[0]
    assert lines[1:] == ["2 photos done, 0 skipped, 1 unreadable"]


def test_an_unexpected_error_does_not_stop_the_other_photos(hairseg, tmp_path, monkeypatch):
    folder = draw(tmp_path / "photos", "a.png", "b.png", "c.png")
    Image.new("RGB", (1, 1)).save(folder / "b.png")
    alphas = HairPredictor.alphas

    def fault(self, photo):
        return alphas(self, photo) if photo.size > 3 else 1 // 0

    monkeypatch.setattr(HairPredictor, "alphas", fault)
    stderr = hairseg(folder, "--output", tmp_path / "out", rc=1)
    assert files(tmp_path / "out").keys() == results("a", "c")
    assert f"error: {folder / 'b.png'} cannot be processed (ZeroDivisionError" in stderr
    assert "2 photos done" in stderr


def test_photos_of_one_pixel_are_processed(hairseg, tmp_path):
    folder = draw(tmp_path / "photos", "a.png")
    for name, size in (("1x1", (1, 1)), ("1x2", (1, 2)), ("300x1", (300, 1))):
        Image.new("RGB", size, (90, 60, 40)).save(folder / f"{name}.png")
    hairseg(folder, "--output", tmp_path / "out", "--colour", "copper", "--contact-sheet")
    with Image.open(tmp_path / "out" / "1x2.recoloured.png") as picture:
        assert picture.size == (1, 2)


def test_long_names_are_shortened_and_stay_distinct(hairseg, tmp_path):
    long = ["x" * 250, "x" * 249 + "y", "\u00e4" * 125]
    folder = draw(tmp_path / "photos", "a.png", *(f"{name}.png" for name in long))
    hairseg(folder, "--output", tmp_path / "out")
    found = files(tmp_path / "out")
    assert len(found) == 8
    assert all(len(os.fsencode(name)) <= 255 for name in found)
    before = {path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    hairseg(folder, "--output", tmp_path / "out", "--skip-existing")
    assert before == {path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}


def test_conflicts_and_empty_folders_are_reported_before_anything_is_written(hairseg, tmp_path):
    first, second = draw(tmp_path / "1", "x.png") / "x.png", draw(tmp_path / "2", "x.png") / "x.png"
    assert re.search(
        r"same results: .*1/x\.png and .*2/x\.png.*Rename", hairseg(first, second, "--output", tmp_path / "out", rc=2)
    )
    assert list(find_photos([first, first.parent, first], Path("out")).values()) == [
        first
    ]  # given twice, processed once
    (tmp_path / "empty" / "deeper").mkdir(parents=True)
    assert "empty contains no pictures" in hairseg(first, tmp_path / "empty", "--output", tmp_path / "out", rc=2)
    assert not (tmp_path / "out").exists()


def test_ten_thousand_photos_are_listed(tmp_path):
    for index in range(10_000):
        path = tmp_path / str(index % 100) / f"{index}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert len(find_photos([tmp_path], Path("out"))) == 10_000


@pytest.fixture
def running_command(small_repository, tmp_path):
    """Start the command in a process, and wait until it has finished some of its many photos."""
    folder = draw(tmp_path / "photos", *(f"{index % 3}/{index}.png" for index in range(60)), size=400)
    process = subprocess.Popen(
        [sys.executable, "-m", "hairseg", folder, "--output", tmp_path / "out", "--repo", small_repository],
        cwd=PROJECT,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # ignored where tests run in the background
    until = time.monotonic() + 120
    while not list((tmp_path / "out").rglob("*.cutout.png")):
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.005)
    yield process, folder, tmp_path / "out"
    process.kill()
    process.communicate()


def test_after_a_kill_the_remaining_photos_are_processed(running_command, hairseg, tmp_path):
    """Guards against a truncated PNG counting as finished."""
    process, folder, output = running_command
    process.kill()
    process.wait()
    before = files(output)
    assert 0 < len([name for name in before if name.endswith(".cutout.png")]) < 60
    hairseg(folder, "--output", output, "--skip-existing")
    hairseg(folder, "--output", tmp_path / "uninterrupted")
    expected = files(tmp_path / "uninterrupted")
    finished = {name: content for name, content in files(output).items() if not name.endswith(".partial")}
    assert len(expected) == 120
    assert finished == expected
    assert all(expected[name] == content for name, content in before.items() if not name.endswith(".partial"))


def test_ctrl_c_ends_the_command_with_one_line(running_command):
    process, _, output = running_command
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "interrupted"
    assert "Traceback" not in errors
    found = files(output)
    assert 0 < len(found) < 120
    assert not [name for name in found if name.endswith(".partial")]


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    """Guards against a truncated file under the result's name when the disk is full."""
    photos = {tmp_path / "out" / "x": draw(tmp_path, "x.png") / "x.png"}
    process(photos, kinds=("alpha",))
    before = files(tmp_path / "out")

    def full_disk(self, content):
        self.open("wb").write(content[:3])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(WriteError, match=r"x\.alpha\.png cannot be written because the disk is full"):
        process(photos, kinds=("alpha",))
    assert files(tmp_path / "out") == before
    assert before.keys() == {"x.alpha.png"}


def test_a_full_disk_ends_the_command_which_can_be_resumed(hairseg, small_disk, tmp_path):
    """Guards against one error per photo, and against truncated results."""
    folder = draw(tmp_path / "photos", *(f"{index}.png" for index in range(6)), size=200)
    stderr = hairseg(folder, "--output", small_disk, "--colour", "copper", rc=2)
    assert re.search(r"\d\.(alpha|cutout|recoloured)\.png cannot be written", stderr)
    assert stderr.count("error:") == 1
    written = files(small_disk)
    assert 0 < len(written) < 18
    assert not [name for name in written if name.endswith(".partial")]
    shutil.copytree(small_disk, tmp_path / "out")
    hairseg(folder, "--output", tmp_path / "out", "--colour", "copper", "--skip-existing")
    hairseg(folder, "--output", tmp_path / "complete", "--colour", "copper")
    assert files(tmp_path / "out") == files(tmp_path / "complete")


class FakePredictor:
    """Predict hair everywhere."""

    def alphas(self, photo: np.ndarray) -> dict[str, np.ndarray]:
        return {"pretrained": np.ones(photo.shape[:2], np.float32)}


def process(
    photos: dict[Path, Path], predictor=None, kinds: tuple[str, ...] = ("alpha", "cutout")
) -> list[PhotoResult]:
    return list(process_photos(photos, predictor or FakePredictor(), "pretrained", kinds, None, RecolourSettings()))


def test_every_photo_has_an_outcome(tmp_path):
    folder = draw(tmp_path / "photos", "a.png", "b.png")
    (folder / "c.png").write_text("not a picture")
    threads = torch.get_num_threads(), cv2.getNumThreads()
    outcomes = {result.photo.name: result.error for result in process(find_photos([folder], tmp_path / "out"))}
    assert outcomes.pop("c.png").endswith("c.png is not a picture that can be read. " + READABLE)
    assert outcomes == {"a.png": None, "b.png": None}
    assert (torch.get_num_threads(), cv2.getNumThreads()) == threads, "restored"


def test_after_a_full_disk_no_other_photo_is_started(tmp_path, monkeypatch):
    folder, written = draw(tmp_path / "photos", *(f"{index:02}.png" for index in range(40)), size=16), []

    def fill_up(path: Path, content: bytes) -> None:
        written.append(path)
        raise WriteError("The disk is full.")

    monkeypatch.setattr(folder_module, "write_bytes", fill_up)
    with pytest.raises(WriteError, match="disk is full"):
        process(find_photos([folder], tmp_path / "out"))
    assert len(written) < 20


def test_a_weighted_semaphore_bounds_the_sum_of_its_holders():
    """Guards against many large photos in memory at once, and against one above the capacity waiting forever."""
    semaphore, held, sums, lock = WeightedSemaphore(10), [], [], threading.Lock()

    def hold(units: int) -> None:
        with semaphore.acquire(units):
            with lock:
                held.append(units)
                sums.append(sum(held))
                assert sum(held) <= 10 or held == [units]
            time.sleep(0.002)
            with lock:
                held.remove(units)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(hold, [3, 3, 3, 20, 6, 6, 1, 1, 10, 2, 2, 20, 20, 1]))
    assert max(sums) == 20
    with semaphore.acquire(10):
        pass  # all units were released


def test_photos_with_equal_stems_keep_their_suffixes(tmp_path):
    folder = draw(tmp_path / "photos", "a/IMG_1.png", "a/IMG_1.jpg", "a/IMG_2.jpg", "b/IMG_1.jpg")
    photos = find_photos([folder], tmp_path / "out")
    assert {target.relative_to(tmp_path / "out").as_posix(): path.name for target, path in photos.items()} == {
        "a/IMG_1.jpg": "IMG_1.jpg",
        "a/IMG_1.png": "IMG_1.png",
        "a/IMG_2": "IMG_2.jpg",
        "b/IMG_1": "IMG_1.jpg",
    }
    assert not [result.error for result in process(photos) if result.error]
    assert files(tmp_path / "out").keys() == results("a/IMG_1.jpg", "a/IMG_1.png", "a/IMG_2", "b/IMG_1")


def test_wildcards_are_expanded_without_a_shell(hairseg, tmp_path):
    folder = draw(tmp_path / "photos", "a.png", "b.png", "[c].png", "d.jpg")
    hairseg(folder / "*.png", "--output", tmp_path / "out")
    assert files(tmp_path / "out").keys() == results("a", "b", "[c]")
    hairseg(folder / "[c].png", "--output", tmp_path / "c")
    assert files(tmp_path / "c").keys() == results("[c]")
    assert "?.gif is not a file. Check the path." in hairseg(folder / "?.gif", "--output", tmp_path / "out", rc=1)


@pytest.mark.parametrize("ignores_case", [True, False])
def test_results_of_names_that_differ_in_case_only_are_kept_apart(tmp_path, monkeypatch, ignores_case):
    monkeypatch.setattr(folder_module, "ignores_case", lambda folder: ignores_case)
    names = ["a/IMG_1.png", "b/img_1.JPG", "b/IMG_1.jpeg", "b/Caf\u00e9.png", "b/Cafe\u0301.bmp", "b/2.png"]
    folder = draw(tmp_path / "photos", *names)
    targets = {target.name: path.name for target, path in find_photos([folder / "a", folder / "b"], tmp_path).items()}
    if ignores_case:  # then IMG_1 of both folders is one name, too
        assert targets == {path.name: path.name for path in folder.rglob("*.*") if path.stem != "2"} | {"2": "2.png"}
    else:
        assert targets.keys() == {"IMG_1.png", "img_1", "IMG_1.jpeg", "Caf\u00e9", "Cafe\u0301", "2"}
    (folder / "c").mkdir()
    shutil.copy(folder / "a/IMG_1.png", folder / "c/img_1.PNG")
    if ignores_case:
        with pytest.raises(InputError, match=r"same results: .*IMG_1\.png and .*img_1\.PNG\. Rename them"):
            find_photos([folder / "a", folder / "c"], tmp_path)
    else:
        assert len(find_photos([folder / "a", folder / "c"], tmp_path)) == 2


@pytest.mark.parametrize("hidden", [".Trash-1000/files", ".thumbnails", ".ipynb_checkpoints", "@eaDir", "__MACOSX"])
def test_hidden_and_system_folders_are_not_searched(tmp_path, hidden):
    folder = draw(tmp_path / "photos", "a.png", f"{hidden}/b.png", f"c/{hidden}/d.png", "c/$RECYCLE.BIN/e.png")
    assert [path.name for path in find_photos([folder], tmp_path).values()] == ["a.png"]
    assert len(find_photos([folder / hidden], tmp_path)) == 1, "unless they are named"


def test_stereo_photos_and_linked_folders_are_found(tmp_path):
    folder = draw(tmp_path / "photos", "a/x.png")
    portraits = [Image.fromarray(draw_portrait(seed)[0]) for seed in (1, 2)]
    portraits[0].save(folder / "stereo.mpo", save_all=True, append_images=portraits[1:])
    (folder / "linked").symlink_to(draw(tmp_path / "elsewhere", "y.png"))
    (folder / "a" / "loop").symlink_to(folder)
    targets = {target.relative_to(tmp_path / "out").as_posix() for target in find_photos([folder], tmp_path / "out")}
    assert targets == {"a/x", "linked/y", "stereo"}


def test_results_matched_by_a_shell_wildcard_are_skipped(tmp_path, caplog):
    """`hairseg *` twice in the same folder."""
    folder = draw(tmp_path / "photos", "a.png")
    for _ in range(2):
        process(find_photos(sorted(folder.iterdir()), folder))
        assert files(folder).keys() == {"a.png"} | results("a")
    assert caplog.messages == [
        f"Skipping 2 results of earlier runs: {folder / 'a.alpha.png'}; {folder / 'a.cutout.png'}"
    ]
    cutout = folder / "a.cutout.png"
    assert list(find_photos([cutout], folder).values()) == [cutout], "a result alone is a photo"


@pytest.mark.parametrize("arguments", [["a.png", "a.cutout.png"], ["."], ["a.png"]])
def test_a_user_s_own_file_is_not_overwritten(tmp_path, arguments):
    folder = draw(tmp_path / "photos", "a.png", "a.cutout.png", "b.png")
    before = files(folder)
    photos = find_photos([folder / argument for argument in arguments], folder)
    with pytest.raises(InputError, match=r"1 files would be overwritten.*a\.cutout\.png.*Move them"):
        process(photos)
    assert files(folder) == before
    process(photos, kinds=("alpha",))
    process(find_photos([folder / "a.png"], tmp_path / "out"))
    assert files(tmp_path / "out").keys() == results("a")


def test_results_are_recognised_by_name_and_encoding(tmp_path):
    """A mask that was edited by hand, here saved by Pillow, is not overwritten."""
    process({tmp_path / name: draw(tmp_path, "photo.png") / "photo.png" for name in ("a", "b")})
    (tmp_path / "a.alpha.png").rename(tmp_path / "a.png")
    Image.open(tmp_path / "b.alpha.png").save(tmp_path / "b.alpha.png")
    (tmp_path / "c.alpha.png").write_bytes((tmp_path / "b.cutout.png").read_bytes()[:41] + b"not compressed")
    assert {path.name for path in tmp_path.iterdir() if is_result(path)} == {"a.cutout.png", "b.cutout.png"}
    assert not is_result(tmp_path / "missing.alpha.png")


def test_rows_of_parquet_hold_what_the_png_files_hold(hairseg, tmp_path):
    """Guards against rows swapped between photos, and rows lost or doubled by an interruption."""
    parquet = pytest.importorskip("pyarrow.parquet")
    folder = draw(tmp_path / "photos", "a/x.png", "a/x.jpg", "b/x.png")
    (folder / "b" / "broken.png").write_bytes(b"\x89PNG")
    hairseg(folder, "--output", tmp_path / "png", rc=1)
    hairseg(folder / "a", "--output", tmp_path / "rows/a", "--format", "parquet")
    stderr = hairseg(folder, "--output", tmp_path / "rows", "--format", "parquet", rc=1)
    assert stderr.splitlines()[-1] == "3 photos done, 0 skipped, 1 unreadable"
    rows = {row["id"]: row for row in parquet.read_table(tmp_path / "rows" / "part-00000.parquet").to_pylist()}
    assert list(rows) == ["a/x.jpg", "a/x.png", "b/broken.png", "b/x.png"]
    broken = rows.pop("b/broken.png")
    assert broken["error"].startswith(f"{folder / 'b' / 'broken.png'} is ") and broken["alpha"] is None
    png = files(tmp_path / "png")
    for name, target in (("a/x.jpg", "a/x.jpg"), ("a/x.png", "a/x.png"), ("b/x.png", "b/x")):
        row = rows[name]
        assert row["alpha"] == png[f"{target}.alpha.png"] and row["cutout"] == png[f"{target}.cutout.png"]
        alpha = np.asarray(Image.open(tmp_path / "png" / f"{target}.alpha.png"))
        assert row["error"] is None and abs(row["hair"] - (alpha > 127).mean()) < 0.01
        assert all(left + width <= 96 and top + height <= 96 for left, top, width, height in row["heads"])
    draw(folder, "c.png")
    assert "already contains" in hairseg(folder, "--output", tmp_path / "rows", "--format", "parquet", rc=2)
    stderr = hairseg(folder, "--output", tmp_path / "rows", "--format", "parquet", "--skip-existing")
    assert stderr.splitlines()[-1] == "1 photos done, 4 skipped, 0 unreadable"
    assert parquet.read_table(tmp_path / "rows" / "part-00001.parquet")["id"].to_pylist() == ["c.png"]
