import errno
import os
import platform
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hairseg.errors import InputError
from hairseg.files import write_json, written_whole


def test_an_older_file_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    with written_whole(path) as beside:
        beside.write_text("first")
    with pytest.raises(KeyError), written_whole(path) as beside:
        beside.write_text("sec")
        assert path.read_text() == "first"
        raise KeyError
    assert [(found.name, found.read_text()) for found in path.parent.iterdir()] == [("file.txt", "first")]


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    with pytest.raises(KeyError), written_whole(tmp_path / "new") as beside:
        (beside / "inner").mkdir(parents=True)
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    with written_whole(tmp_path / "new") as beside:
        (beside / "inner").mkdir(parents=True)
    assert [found.name for found in (tmp_path / "new").iterdir()] == ["inner"]


def test_threads_that_write_the_same_path_do_not_mix(tmp_path):
    everyone_is_there = threading.Barrier(8)
    failures = []

    def write(number: int) -> None:
        try:
            with written_whole(tmp_path / "file") as beside:
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
        "import os, signal, sys; from hairseg.files import written_whole\n"
        "with written_whole(sys.argv[1]) as beside:\n"
        "    beside.mkdir(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path / "pulled"], env={**os.environ, "PYTHONPATH": os.getcwd()})
    left = [path.name for path in tmp_path.iterdir()]
    assert len(left) == 1 and left[0].startswith(".pulled.")
    running = tmp_path / f".pulled.{platform.node()[:20]}.{os.getpid()}.1.partial"
    elsewhere = tmp_path / ".pulled.another-machine.1.1.partial"
    for path in (running, elsewhere):
        path.write_text("not ours to remove")
    with written_whole(tmp_path / "pulled") as beside:
        beside.mkdir()
    assert {path.name for path in tmp_path.iterdir()} == {"pulled", running.name, elsewhere.name}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named(tmp_path, number):
    with pytest.raises(InputError, match=r"out\.bin cannot be written because the disk is full: expected room"):
        with written_whole(tmp_path / "out.bin") as beside:
            beside.write_text("half")
            raise OSError(number, os.strerror(number))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_many_results_is_listed_once(tmp_path, monkeypatch):
    listed = []
    iterdir = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda folder: listed.append(folder) or iterdir(folder))
    for number in range(5):
        write_json(tmp_path / f"{number}.json", number)
    assert listed == [tmp_path]
