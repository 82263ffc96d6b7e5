"""Atomic writes."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import PROJECT

from hairseg.files import DISK_FULL, STALE_SECONDS, WriteError, atomic_write, ignores_case, write_bytes, write_json


def test_existing_file_is_kept_until_the_new_one_is_complete(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    with atomic_write(path) as partial:
        partial.write_text("first")
    with pytest.raises(KeyError), atomic_write(path) as partial:
        partial.write_text("sec")
        assert path.read_text() == "first"
        raise KeyError
    assert [(found.name, found.read_text()) for found in path.parent.iterdir()] == [("file.txt", "first")]


def test_folder_is_written_atomically(tmp_path):
    with pytest.raises(KeyError), atomic_write(tmp_path / "new") as partial:
        (partial / "inner").mkdir(parents=True)
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    with atomic_write(tmp_path / "new") as partial:
        (partial / "inner").mkdir(parents=True)
    assert [found.name for found in (tmp_path / "new").iterdir()] == ["inner"]


def test_concurrent_writes_of_one_path_do_not_mix(tmp_path):
    barrier = threading.Barrier(8)
    failures = []

    def write(number: int) -> None:
        try:
            with atomic_write(tmp_path / "file") as partial:
                barrier.wait()
                partial.write_text(str(number) * 100_000)
                barrier.wait()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    content = (tmp_path / "file").read_text()
    assert failures == [] and content == content[0] * 100_000
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_names_of_maximum_length_are_written(tmp_path):
    for name in ("x" * 255, "ä" * 127):
        write_json(tmp_path / name, [])
        assert (tmp_path / name).read_text() == "[]\n"


def test_partial_files_of_killed_processes_are_removed_after_a_day(tmp_path):
    script = (
        "import os, signal, sys; from hairseg.files import atomic_write\n"
        "with atomic_write(sys.argv[1]) as partial:\n"
        "    partial.mkdir(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    for name in ("old", "new"):
        killed = subprocess.run([sys.executable, "-c", script, tmp_path / name], cwd=PROJECT)
        assert killed.returncode == -signal.SIGKILL
    (old,), (new,) = tmp_path.glob(".old.*.partial"), tmp_path.glob(".new.*.partial")
    past = time.time() - STALE_SECONDS - 1
    os.utime(old, (past, past))
    write_json(tmp_path / "written.json", [])
    assert {path.name for path in tmp_path.iterdir()} == {"written.json", new.name}


@pytest.mark.parametrize("number", DISK_FULL)
@pytest.mark.parametrize("is_hidden", [False, True])
def test_full_disk_is_reported_and_leaves_nothing(tmp_path, number, is_hidden):
    message = rf"out\.bin cannot be written because {DISK_FULL[number]}\. Free some space"
    with pytest.raises(WriteError, match=message), atomic_write(tmp_path / "out.bin") as partial:
        partial.write_text("half")
        try:
            raise OSError(number, os.strerror(number))
        except OSError:
            if is_hidden:
                raise RuntimeError("unexpected pos 640 vs 598")  # noqa: B904  as torch.save does
            raise
    assert list(tmp_path.iterdir()) == []


def test_errors_of_a_full_disk_are_explained():
    assert DISK_FULL == {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is exceeded"}


def test_full_disk_keeps_the_existing_file(small_disk):
    path = small_disk / "deep" / "out.bin"
    write_bytes(path, b"existing")
    with pytest.raises(WriteError, match=r"out\.bin cannot be written because the disk is full"):
        write_bytes(path, bytes(300_000))
    assert path.read_bytes() == b"existing" and list(path.parent.iterdir()) == [path]


def test_disk_that_is_already_full(small_disk):
    with pytest.raises(OSError, match="No space"), (small_disk / "filler").open("wb") as filler:
        while True:
            filler.write(bytes(4096))
    with pytest.raises(WriteError, match=r"deep/out\.bin cannot be written because the disk is full"):
        write_bytes(small_disk / "deep" / "out.bin", bytes(100_000))


def test_unwritable_path_is_named(tmp_path, small_disk):
    (tmp_path / "file").write_text("a file")
    (tmp_path / "folder" / "full").mkdir(parents=True)
    for path, reason in (
        (tmp_path / "file" / "out.bin", "(File exists|Not a directory)"),
        (tmp_path / "folder", "Is a directory"),
        ("/proc/out.bin", "(No such file or directory|Operation not permitted)"),
    ):
        with pytest.raises(WriteError, match=rf"^{path} cannot be written \({reason}\)\. Choose another path"):
            write_bytes(path, b"")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(WriteError, match=r"disk.*/out\.bin cannot be written \(Read-only file system\)"):
        write_bytes(small_disk / "out.bin", b"")


def test_error_about_another_file_is_not_changed(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"), atomic_write(tmp_path / "new"):
        (tmp_path / "nowhere").read_bytes()


def test_folder_is_listed_once_per_process(tmp_path, monkeypatch):
    listed = []
    glob = Path.glob
    monkeypatch.setattr(Path, "glob", lambda folder, pattern: listed.append(folder) or glob(folder, pattern))
    for number in range(5):
        write_json(tmp_path / f"{number}.json", number)
    assert listed == [tmp_path]


def test_disks_that_ignore_case_are_recognised(tmp_path):
    (tmp_path / "name").touch()
    is_ignored = (tmp_path / "NAME").exists()
    assert ignores_case(tmp_path) == ignores_case(tmp_path / "new" / "folder") == is_ignored
    assert [path.name for path in tmp_path.iterdir()] == ["name"]
    if sys.platform == "linux":
        assert not ignores_case(Path("/proc"))  # in which no file can be created
