"""Photos and what is made of them do not stay."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from gradio.utils import get_upload_folder

from hairseg.page.temporary import PREFIX, remove_abandoned, remove_old, temporary_files


@pytest.fixture(autouse=True)
def temporary_folder_of_the_test(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_the_folder_is_the_pages_own_and_goes_with_it(tmp_path):
    before = get_upload_folder()
    with pytest.raises(KeyboardInterrupt), temporary_files() as folder:
        assert get_upload_folder() == str(folder) and folder.parent == tmp_path
        assert folder.stat().st_mode & 0o077 == 0
        (folder / "abc").mkdir()
        (folder / "abc" / "selfie.jpg").touch()
        raise KeyboardInterrupt
    assert not folder.exists() and get_upload_folder() == before


def test_what_a_killed_page_left_is_removed_and_what_runs_is_not(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    # the second as in a container, where every page has the same number
    gone, before, running = (tmp_path / f"{PREFIX}{number}-x" for number in (process.pid, os.getpid(), os.getppid()))
    others = [tmp_path / name for name in (f"{PREFIX}x-y", "gradio", f"{PREFIX}")]
    for folder in (gone, before, running, *others):
        folder.mkdir()
        (folder / "selfie.jpg").touch()
    with temporary_files() as own:
        assert not gone.exists() and not before.exists()
        remove_abandoned()  # as another page of this process does
        assert own.exists() and all((folder / "selfie.jpg").exists() for folder in (running, *others))


def test_old_files_go_and_their_folders_and_new_ones_stay(tmp_path):
    old, new = tmp_path / "old" / "selfie.jpg", tmp_path / "new" / "selfie.jpg"
    outside = tmp_path.parent / "outside.jpg"
    for path, age in ((old, 4000), (new, 10), (outside, 4000)):
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.utime(path, (time.time() - age, time.time() - age))
    (tmp_path / "link.jpg").symlink_to(outside)
    remove_old(tmp_path, 3600)
    assert not old.exists() and new.exists() and outside.exists()
    os.utime(old.parent, (time.time() - 4000, time.time() - 4000))
    remove_old(tmp_path, 3600)
    assert not old.parent.exists()


def test_sweeps_let_go_of_what_is_in_memory_too():
    forgotten = []
    with temporary_files(forgotten.append, sweep=0.01):
        until = time.monotonic() + 10
        while len(forgotten) < 3 and time.monotonic() < until:
            time.sleep(0.01)
    assert forgotten[:3] == [3600] * 3


def test_a_photo_session_is_let_go_by_age():
    from hairseg.page.remembered import Remembered

    remembered, calls = Remembered(3), []
    for seconds in (3600, 0):
        remembered.get("a.jpg", lambda: calls.append(1))
        time.sleep(0.01)
        remembered.forget(seconds)
    remembered.get("a.jpg", lambda: calls.append(1))
    assert len(calls) == 2


def test_links_out_of_the_folder_are_not_followed(tmp_path):
    target = tmp_path / "elsewhere"
    target.mkdir()
    (target / "file").touch()
    os.utime(target / "file", (0, 0))
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "link").symlink_to(target)
    remove_old(folder, 1)
    assert (target / "file").exists() and Path(target).is_dir()
