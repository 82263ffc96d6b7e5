"""The command in unusual environments, with unusual file names."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import PROJECT, draw_portrait
from PIL import Image

NAMES = ["A.jpg", "a.jpg", "a\\b.jpg", "new\nline.jpg", "\U0001f600.jpg", "%s{0}.jpg", " spa ce .jpg", "-dash.jpg"]


def run(*words: object, rc: int = 0, folder: Path = PROJECT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m hairseg WORDS...`, and check its exit code and that it prints no traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "hairseg", *map(os.fspath, words)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PROJECT), **environment},
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=300,
    )
    assert done.returncode == rc, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Photos whose names differ in case only, are Windows paths, or are not valid UTF-8."""
    folder = tmp_path_factory.mktemp("photos")
    for number, name in enumerate([*NAMES, os.fsdecode(b"caf\xe9.jpg")]):
        try:
            Image.fromarray(draw_portrait(number, 32)[0]).save(folder / name)
        except OSError:
            pytest.skip("this file system does not allow such names")
    return folder


def test_any_file_name_gets_results_of_its_own_in_an_ascii_locale(photos, small_repository, tmp_path):
    locale = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    run(photos, "--output", tmp_path, "--repo", small_repository, **locale)
    assert {path.name for path in tmp_path.glob("*.alpha.png")} == {
        f"{path.stem}.alpha.png" for path in photos.iterdir()
    }


def test_models_in_folders_that_the_terminal_cannot_print_are_listed(small_repository, tmp_path):
    shutil.copytree(small_repository, tmp_path / "modèle")
    done = run("models", tmp_path, "--no-speed", PYTHONIOENCODING="ascii")
    assert "mod\\xe8le" in done.stdout


def test_help_needs_no_docstrings_terminal_or_width(tmp_path):
    done = run("predict", "--help", PYTHONOPTIMIZE="2", COLUMNS="20", TERM="dumb", NO_COLOR="1")
    assert "--colour" in done.stdout


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONWARNINGS": "error", "PYTHONOPTIMIZE": "2"},
        {"OMP_NUM_THREADS": "0"},
        {"HF_HUB_OFFLINE": "1", "HF_HOME": "/proc/none", "HOME": "/nonexistent"},
    ],
    ids=["strict warnings", "no threads", "no home"],
)
def test_unusual_environments_do_not_matter(environment, small_repository, tmp_path):
    Image.fromarray(draw_portrait(0, 32)[0]).save(tmp_path / "photo.jpg")
    run("photo.jpg", "--output", "out", "--repo", small_repository, folder=tmp_path, **environment)
    assert np.asarray(Image.open(tmp_path / "out" / "photo.alpha.png")).shape == (32, 32)


def test_a_full_temporary_folder_does_not_matter(small_disk, small_repository, tmp_path):
    Image.fromarray(draw_portrait(0, 32)[0]).save(tmp_path / "photo.jpg")
    (small_disk / "fill").write_bytes(bytes(256 * 1024))
    run("photo.jpg", "--output", "out", "--repo", small_repository, folder=tmp_path, TMPDIR=str(small_disk))
    assert (tmp_path / "out" / "photo.alpha.png").is_file()


@pytest.mark.parametrize("device", ["cuda:99", "mps", "meta", ""])
def test_a_device_that_is_missing_ends_the_command_with_one_line(device, small_repository, tmp_path):
    Image.fromarray(draw_portrait(0, 32)[0]).save(tmp_path / "photo.jpg")
    done = run("photo.jpg", "--repo", small_repository, "--device", device, rc=2, folder=tmp_path)
    assert done.stderr == f"error: The device {device!r} is not available. Choose auto, cpu or cuda.\n"


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_is_only_named_like_a_photo_gets_one_line(make, small_repository, tmp_path):
    make(tmp_path / "photo.jpg")
    done = run("photo.jpg", "--repo", small_repository, folder=tmp_path, rc=2 if make is Path.mkdir else 1)
    assert done.stderr.count("\n") == 1


def test_an_output_folder_that_is_a_file_gets_one_line(small_repository, tmp_path):
    Image.fromarray(draw_portrait(0, 32)[0]).save(tmp_path / "photo.jpg")
    before = (tmp_path / "photo.jpg").read_bytes()
    done = run("photo.jpg", "--output", "photo.jpg", "--repo", small_repository, folder=tmp_path, rc=2)
    assert done.stderr.count("\n") == 1
    assert (tmp_path / "photo.jpg").read_bytes() == before
