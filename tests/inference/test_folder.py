"""Folders of photos from the command line: what is read, where results go, and what is left after an interruption."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from conftest import PROJECT, draw_portrait
from PIL import Image

from hairseg.cli.app import invoke
from hairseg.cli.predict import MAX_PHOTOS_WITHOUT_PROGRESS_BAR
from hairseg.errors import InputError
from hairseg.files import WriteError
from hairseg.images import alpha_to_grey, load_photo
from hairseg.inference.folder import find_photos, result_path, write_picture
from hairseg.inference.predictor import HairPredictor
from hairseg.inference.workers import PixelBudget, in_threads


@pytest.fixture
def hairseg(small_repository):
    """python -m hairseg, in this process."""

    def command(*words) -> int:
        return invoke([*map(str, words), "--repo", str(small_repository)])

    threads = torch.get_num_threads(), cv2.getNumThreads()
    yield command
    torch.set_num_threads(threads[0])
    cv2.setNumThreads(threads[1])


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
    """Guards against results of one name overwriting each other, and against a photo's going under another's name."""
    folder = draw(tmp_path / "photos", "a/x.png", "b/x.png", "b/c/y.JPG", "z.png", ".hidden.png", ".cache/x.png")
    (folder / "b" / "notes.txt").write_text("text")
    (folder / "b" / "film.mpg").write_text("Pillow knows the suffix and decodes no film")
    single = draw(tmp_path / "elsewhere", "a.png") / "a.png"
    assert hairseg(folder, single, "--output", tmp_path / "out") == 0
    assert files(tmp_path / "out").keys() == results("a/x", "b/x", "b/c/y", "z", "a")
    predictor = HairPredictor(small_repository, ["pretrained"])
    for target, path in (("a/x", "a/x.png"), ("b/x", "b/x.png"), ("b/c/y", "b/c/y.JPG"), ("z", "z.png")):
        expected = alpha_to_grey(predictor.alphas(load_photo(folder / path))["pretrained"])
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out" / f"{target}.alpha.png")), expected)


@pytest.mark.parametrize("output", ["photos", "photos/out"])
def test_results_are_not_taken_for_photos(hairseg, tmp_path, output):
    """Guards against masks of masks when the results lie among the photos."""
    folder = draw(tmp_path / "photos", "a.png", "b/x.png")
    for _ in range(2):
        assert hairseg(folder, "--output", tmp_path / output) == 0
        found = {name for name in files(tmp_path / output) if name not in ("a.png", "b/x.png")}
        assert found == results("a", "b/x")


def test_a_closed_standard_error_costs_nothing(small_repository, tmp_path):
    draw(tmp_path / "photos", *(f"{index}.png" for index in range(MAX_PHOTOS_WITHOUT_PROGRESS_BAR + 1)))
    words = [sys.executable, "-m", "hairseg", tmp_path / "photos", "--output", tmp_path / "out"]
    words += ["--repo", small_repository]
    close = "import os, sys; os.close(2); os.execv(sys.executable, sys.argv[1:])"
    assert subprocess.run([sys.executable, "-c", close, *words], cwd=PROJECT).returncode == 0
    assert files(tmp_path / "out").keys() == results("0", "1", "2", "3")


def test_what_is_finished_is_skipped(hairseg, monkeypatch, tmp_path):
    """Guards against work done twice, and against a photo that lacks one wanted result passing for finished."""
    folder, output = draw(tmp_path / "photos", "a.png", "b.png"), tmp_path / "out"
    assert hairseg(folder, "--output", output) == 0
    before = {path: path.stat().st_mtime_ns for path in output.iterdir()}
    seen = []
    alphas = HairPredictor.alphas
    monkeypatch.setattr(HairPredictor, "alphas", lambda self, photo: seen.append(photo) or alphas(self, photo))
    assert hairseg(folder, "--output", output, "--skip-existing") == 0
    monkeypatch.setattr(
        "hairseg.inference.predictor.HairPredictor", None
    )  # nothing is loaded where nothing is left to do
    assert hairseg(folder, "--output", output, "--skip-existing") == 0
    monkeypatch.setattr("hairseg.inference.predictor.HairPredictor", HairPredictor)
    assert not seen and before == {path: path.stat().st_mtime_ns for path in output.iterdir()}
    (output / "b.cutout.png").unlink()
    assert hairseg(folder, "--output", output, "--skip-existing") == 0
    assert len(seen) == 1 and (output / "b.cutout.png").exists()
    assert (output / "a.alpha.png").stat().st_mtime_ns == before[output / "a.alpha.png"]
    assert hairseg(folder, "--output", output, "--skip-existing", "--colour", "copper") == 0
    assert len(seen) == 3 and (output / "a.recoloured.png").exists()
    assert hairseg(folder, "--output", output) == 0 and len(seen) == 5


def test_a_broken_picture_does_not_stop_the_others(hairseg, tmp_path, capsys):
    folder = draw(tmp_path / "photos", "a.png", "b/x.png", "c.png")
    whole = (folder / "b" / "x.png").read_bytes()
    (folder / "b" / "x.png").write_bytes(whole[: len(whole) // 2])
    assert hairseg(folder, "--output", tmp_path / "out") == 1
    assert files(tmp_path / "out").keys() == results("a", "c")
    lines = capsys.readouterr().err.splitlines()
    assert f"error: {folder / 'b' / 'x.png'} is broken" in lines[0] and lines[1:] == [
        "2 photos done, 0 skipped, 1 unreadable"
    ]


def test_a_photo_that_cannot_be_worked_on_does_not_stop_the_others(hairseg, tmp_path, capsys, monkeypatch):
    """Guards against one photo's fault, of whatever kind, costing the results of all that come after it."""
    folder = draw(tmp_path / "photos", "a.png", "b.png", "c.png")
    Image.new("RGB", (1, 1)).save(folder / "b.png")
    alphas = HairPredictor.alphas

    def fault(self, photo):
        return alphas(self, photo) if photo.size > 3 else 1 // 0

    monkeypatch.setattr(HairPredictor, "alphas", fault)
    assert hairseg(folder, "--output", tmp_path / "out") == 1
    assert files(tmp_path / "out").keys() == results("a", "c")
    said = capsys.readouterr().err
    assert f"error: {folder / 'b.png'} cannot be processed (ZeroDivisionError" in said and "2 photos done" in said


def test_pictures_of_one_pixel_are_photos_too(hairseg, tmp_path):
    folder = draw(tmp_path / "photos", "a.png")
    for name, size in (("1x1", (1, 1)), ("1x2", (1, 2)), ("300x1", (300, 1))):
        Image.new("RGB", size, (90, 60, 40)).save(folder / f"{name}.png")
    assert hairseg(folder, "--output", tmp_path / "out", "--colour", "copper", "--contact-sheet") == 0
    with Image.open(tmp_path / "out" / "1x2.recoloured.png") as picture:
        assert picture.size == (1, 2)


def test_names_as_long_as_files_allow_are_shortened_and_stay_apart(hairseg, tmp_path):
    long = ["x" * 250, "x" * 249 + "y", "\u00e4" * 125]
    folder = draw(tmp_path / "photos", "a.png", *(f"{name}.png" for name in long))
    assert hairseg(folder, "--output", tmp_path / "out") == 0
    found = files(tmp_path / "out")
    assert len(found) == 8 and all(len(os.fsencode(name)) <= 255 for name in found)
    before = {path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    assert hairseg(folder, "--output", tmp_path / "out", "--skip-existing") == 0
    assert before == {path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}


def test_names_of_dots_alone_stay_in_the_folder_of_results(tmp_path):
    found = find_photos([tmp_path / "..jpg", tmp_path / "...jpg"], tmp_path / "out")
    assert {result_path(target, "alpha") for target in found} == {
        tmp_path / "out" / "_.alpha.png",
        tmp_path / "out" / "__.alpha.png",
    }


def test_what_would_overwrite_or_is_missing_is_said_before_anything_is_done(hairseg, tmp_path):
    folder = draw(tmp_path / "photos", "a/x.png", "a/x.jpg")
    with pytest.raises(InputError, match=r"a/x\.jpg and .*a/x\.png would overwrite"):
        hairseg(folder, "--output", tmp_path / "out")
    first, second = draw(tmp_path / "1", "x.png") / "x.png", draw(tmp_path / "2", "x.png") / "x.png"
    with pytest.raises(InputError, match=r"1/x\.png and .*2/x\.png would overwrite"):
        hairseg(first, second, "--output", tmp_path / "out")
    assert list(find_photos([first, first.parent, first], Path("out")).values()) == [first]  # named twice, done once
    (tmp_path / "empty" / "deeper").mkdir(parents=True)
    with pytest.raises(InputError, match="empty holds no pictures"):
        hairseg(first, tmp_path / "empty", "--output", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_ten_thousand_photos_are_listed(tmp_path):
    for index in range(10_000):
        path = tmp_path / str(index % 100) / f"{index}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert len(find_photos([tmp_path], Path("out"))) == 10_000


@pytest.fixture
def at_work(small_repository, tmp_path):
    """Many photos, and the command as a process that is in the midst of them."""
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
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.005)
    yield process, folder, tmp_path / "out"
    process.kill()
    process.communicate()


def test_after_a_kill_the_rest_is_done_as_if_nothing_had_happened(at_work, hairseg, tmp_path):
    """Guards against half a PNG passing for a finished one."""
    process, folder, output = at_work
    process.kill()
    process.wait()
    left = files(output)
    assert 0 < len([name for name in left if name.endswith(".cutout.png")]) < 60
    assert hairseg(folder, "--output", output, "--skip-existing") == 0
    assert hairseg(folder, "--output", tmp_path / "whole") == 0
    whole = files(tmp_path / "whole")
    finished = {name: content for name, content in files(output).items() if not name.endswith(".partial")}
    assert len(whole) == 120 and finished == whole
    assert all(whole[name] == content for name, content in left.items() if not name.endswith(".partial"))


def test_ctrl_c_stops_with_one_line(at_work):
    process, _, output = at_work
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "interrupted" and "Traceback" not in errors
    found = files(output)
    assert 0 < len(found) < 120 and not [name for name in found if name.endswith(".partial")]


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    """Guards against a full disk's half a file under the result's name."""
    write_picture(tmp_path / "a" / "x.png", draw_portrait(1)[0])
    before = files(tmp_path)

    def full_disk(self, content):
        self.open("wb").write(content[:3])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(WriteError, match=r"x\.png cannot be written because the disk is full"):
        write_picture(tmp_path / "a" / "x.png", draw_portrait(2)[0])
    assert files(tmp_path) == before and before.keys() == {"a/x.png"}


def test_a_full_disk_ends_the_command_and_the_rest_is_done_once_there_is_room(hairseg, small_disk, tmp_path, capsys):
    """Guards against the same sentence for each of many photos, which all lack room, and a result that is not whole."""
    folder = draw(tmp_path / "photos", *(f"{index}.png" for index in range(6)), size=200)
    with pytest.raises(WriteError, match=r"\d\.(alpha|cutout|recoloured)\.png .* because the disk is full"):
        hairseg(folder, "--output", small_disk, "--colour", "copper")
    assert "error:" not in capsys.readouterr().err
    left = files(small_disk)
    assert 0 < len(left) < 18 and not [name for name in left if name.endswith(".partial")]
    shutil.copytree(small_disk, tmp_path / "out")
    assert hairseg(folder, "--output", tmp_path / "out", "--colour", "copper", "--skip-existing") == 0
    assert hairseg(folder, "--output", tmp_path / "whole", "--colour", "copper") == 0
    assert files(tmp_path / "out") == files(tmp_path / "whole")


def test_threads_take_up_no_more_than_they_can_work_on():
    """Guards against memory that grows with the number of photos, and against going on after a failure."""
    begun, finished = [], []

    def items():
        for item in range(50):
            assert item - len(finished) <= 5  # three at work, one that waits, and this one
            yield item

    def work(item):
        begun.append(item)
        time.sleep(0.001 * (item % 4))
        if item == 30:
            raise OSError("full disk")
        finished.append(item)
        return item

    taken = []
    with pytest.raises(OSError, match="full disk"):
        taken.extend(in_threads(work, items(), 3))
    assert set(range(27)) <= set(begun) and max(begun) <= 35 and len(begun) == len(finished) + 1
    assert sorted(in_threads(lambda item: item * item, range(20), 3)) == [item * item for item in range(20)]


def test_large_photos_wait_for_the_budget():
    """Guards against many large photos in memory at once, and against one larger than the budget waiting for ever."""
    budget, inside, most, lock = PixelBudget(10), [], [], threading.Lock()

    def work(size):
        with budget.reserve(size):
            with lock:
                inside.append(size)
                most.append(sum(inside))
                assert sum(inside) <= 10 or inside == [size]
            time.sleep(0.002)
            with lock:
                inside.remove(size)

    list(in_threads(work, [3, 3, 3, 20, 6, 6, 1, 1, 10, 2, 2, 20, 20, 1], 8))
    assert max(most) == 20 and budget.free == 10
