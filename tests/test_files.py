import errno
import os
import platform
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hairseg.files import WriteError, atomic_write, write_bytes, write_json


def test_an_older_file_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    with atomic_write(path, 1) as beside:
        beside.write_text("first")
    with pytest.raises(KeyError), atomic_write(path, 1) as beside:
        beside.write_text("sec")
        assert path.read_text() == "first"
        raise KeyError
    assert [(found.name, found.read_text()) for found in path.parent.iterdir()] == [("file.txt", "first")]


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    with pytest.raises(KeyError), atomic_write(tmp_path / "new", 1) as beside:
        (beside / "inner").mkdir(parents=True)
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    with atomic_write(tmp_path / "new", 1) as beside:
        (beside / "inner").mkdir(parents=True)
    assert [found.name for found in (tmp_path / "new").iterdir()] == ["inner"]


def test_threads_that_write_the_same_path_do_not_mix(tmp_path):
    everyone_is_there = threading.Barrier(8)
    failures = []

    def write(number: int) -> None:
        try:
            with atomic_write(tmp_path / "file", 1) as beside:
                everyone_is_there.wait()
                beside.write_text(str(number) * 100_000)
                everyone_is_there.wait()
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


def test_a_name_of_the_longest_length_can_be_written(tmp_path):
    for name in ("x" * 255, "ä" * 127):
        write_json(tmp_path / name, [])
        assert (tmp_path / name).read_text() == "[]\n"


def test_what_a_killed_process_left_goes_with_the_next_writing(tmp_path):
    script = (
        "import os, signal, sys; from hairseg.files import atomic_write\n"
        "with atomic_write(sys.argv[1], 1) as beside:\n"
        "    beside.mkdir(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path / "pulled"], env={**os.environ, "PYTHONPATH": os.getcwd()})
    left = [path.name for path in tmp_path.iterdir()]
    assert len(left) == 1 and left[0].startswith(".pulled.")
    running = tmp_path / f".pulled.{platform.node()[:20]}.{os.getpid()}.1.partial"
    elsewhere = tmp_path / ".pulled.another-machine.1.1.partial"
    for path in (running, elsewhere):
        path.write_text("not ours to remove")
    with atomic_write(tmp_path / "pulled", 1) as beside:
        beside.mkdir()
    assert {path.name for path in tmp_path.iterdir()} == {"pulled", running.name, elsewhere.name}


@pytest.mark.parametrize(
    "number, why", [(errno.ENOSPC, "the disk is full"), (errno.EDQUOT, "this user may use no more of the disk")]
)
@pytest.mark.parametrize("hidden", [False, True])
def test_a_full_disk_is_named_with_the_room_that_is_needed(tmp_path, number, why, hidden):
    with pytest.raises(WriteError, match=rf"out\.bin cannot be written because {why} .* free\): expected 1.3 MB of"):
        with atomic_write(tmp_path / "out.bin", 1_234_567) as beside:
            beside.write_text("half")
            try:
                raise OSError(number, os.strerror(number))
            except OSError:
                if hidden:
                    raise RuntimeError("unexpected pos 640 vs 598")  # noqa: B904  as torch.save does
                raise
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_keeps_the_older_file(small_disk):
    path = small_disk / "deep" / "out.bin"
    write_bytes(path, b"older")
    with pytest.raises(WriteError, match=r"out\.bin cannot .* \(2\d\d kB free\): expected 300 kB of room there; make"):
        write_bytes(path, bytes(300_000))
    assert path.read_bytes() == b"older" and [found.name for found in path.parent.iterdir()] == ["out.bin"]
    write_bytes(path, bytes(200_000))


def test_a_disk_on_which_not_even_a_folder_can_be_made(small_disk):
    with open(small_disk / "filler", "wb", buffering=0) as filler, pytest.raises(OSError, match="No space"):
        while True:
            filler.write(bytes(4096))
    with pytest.raises(WriteError, match=r"deep/out\.bin cannot be written because the disk is full \(0 kB free\)"):
        write_bytes(small_disk / "deep" / "out.bin", bytes(100_000))


def test_a_place_that_cannot_be_written_to_is_named_by_its_final_name(tmp_path, small_disk):
    (tmp_path / "file").write_text("a file")
    (tmp_path / "folder" / "full").mkdir(parents=True)
    for path, why in (
        (tmp_path / "file" / "out.bin", "(File exists|Not a directory)"),
        (tmp_path / "folder", "Is a directory"),
        ("/proc/out.bin", "(No such file or directory|Operation not permitted)"),
    ):
        with pytest.raises(WriteError, match=rf"^{path} cannot be written \({why}\): expected a place where"):
            write_bytes(path, b"")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(WriteError, match=r"disk.*/out\.bin cannot be written \(Read-only file system\)"):
        write_bytes(small_disk / "out.bin", b"")


def test_an_error_about_another_place_is_left_alone(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere"), atomic_write(tmp_path / "new", 1):
        (tmp_path / "nowhere").read_bytes()


def test_a_folder_of_many_results_is_listed_once(tmp_path, monkeypatch):
    listed = []
    iterdir = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda folder: listed.append(folder) or iterdir(folder))
    for number in range(5):
        write_json(tmp_path / f"{number}.json", number)
    assert listed == [tmp_path]
