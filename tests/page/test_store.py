"""Visitors' photos are removed after a time, and results are computed once."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from gradio.utils import get_upload_folder

from hairseg.page.pictures import save_file
from hairseg.page.store import FOLDER_PREFIX, Cache, remove_abandoned_folders, remove_old_files, temporary_folder


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_the_folder_is_private_and_removed_with_the_page(tmp_path):
    before = get_upload_folder()
    with pytest.raises(KeyboardInterrupt), temporary_folder() as folder:
        assert get_upload_folder() == str(folder) and folder.parent == tmp_path
        assert folder.stat().st_mode & 0o077 == 0
        (folder / "abc").mkdir()
        (folder / "abc" / "selfie.jpg").touch()
        raise KeyboardInterrupt
    assert not folder.exists() and get_upload_folder() == before


def test_folders_of_killed_pages_are_removed_and_those_of_running_ones_are_not(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    # the second has this process's id, as happens in containers
    killed, reused, running = (
        tmp_path / f"{FOLDER_PREFIX}{number}-x" for number in (process.pid, os.getpid(), os.getppid())
    )
    others = [tmp_path / name for name in (f"{FOLDER_PREFIX}x-y", "gradio", f"{FOLDER_PREFIX}")]
    for folder in (killed, reused, running, *others):
        folder.mkdir()
        (folder / "selfie.jpg").touch()
    with temporary_folder() as own:
        assert not killed.exists() and not reused.exists()
        remove_abandoned_folders()  # as another page of this process does
        assert own.exists() and all((folder / "selfie.jpg").exists() for folder in (running, *others))


def test_old_files_and_empty_folders_are_removed(tmp_path):
    old, new = tmp_path / "old" / "selfie.jpg", tmp_path / "new" / "selfie.jpg"
    outside = tmp_path.parent / "outside.jpg"
    for path, age in ((old, 4000), (new, 10), (outside, 4000)):
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.utime(path, (time.time() - age, time.time() - age))
    (tmp_path / "link.jpg").symlink_to(outside)
    (tmp_path / "folder").symlink_to(tmp_path.parent)
    remove_old_files(tmp_path, 3600)
    assert not old.exists() and new.exists() and outside.exists()
    os.utime(old.parent, (time.time() - 4000, time.time() - 4000))
    remove_old_files(tmp_path, 3600)
    assert not old.parent.exists()


def test_sweeps_evict_cached_results_too():
    evicted = []
    with temporary_folder(evicted.append, interval=0.01):
        until = time.monotonic() + 10
        while len(evicted) < 3 and time.monotonic() < until:
            time.sleep(0.01)
    assert evicted[:3] == [3600] * 3


def test_old_cache_entries_are_evicted():
    cache, calls = Cache(3), []
    for seconds in (3600, 0):
        cache.get("a.jpg", lambda: calls.append(1))
        time.sleep(0.01)
        cache.evict_older_than(seconds)
    cache.get("a.jpg", lambda: calls.append(1))
    assert len(calls) == 2


def test_concurrent_callers_share_one_result():
    cache, calls, release = Cache(2), [], threading.Event()

    def compute():
        calls.append(1)
        release.wait(10)
        return "mask"

    with ThreadPoolExecutor(8) as pool:
        results = [pool.submit(cache.get, "a.jpg", compute) for _ in range(8)]
        release.set()
        assert [result.result() for result in results] == ["mask"] * 8 and calls == [1]


def test_failures_are_not_cached():
    """Guards against an error that persists for a photo after a full disk or a lack of memory."""
    cache = Cache(2)
    with pytest.raises(MemoryError):
        cache.get("a.jpg", lambda: (_ for _ in ()).throw(MemoryError()))
    assert cache.get("a.jpg", lambda: 7) == 7


def test_the_least_recently_used_entry_is_evicted():
    cache, calls = Cache(2), []
    for key in ("a", "b", "a", "c", "a", "b"):
        cache.get(key, lambda key=key: calls.append(key))
    assert calls == ["a", "b", "c", "b"]


def test_a_file_stays_complete_while_it_is_written_again(tmp_path, monkeypatch):
    """Guards against downloads cut short when two visitors request the same picture."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    content = bytes(3_000_000)
    path = Path(save_file("../my mask?.png", content))
    assert path.name == ".._my mask_.png" and path.parent.parent == tmp_path
    with ThreadPoolExecutor(2) as visitors:
        written = [visitors.submit(save_file, "../my mask?.png", content) for _ in range(100)]
        sizes = {len(path.read_bytes()) for _ in range(200)}
    assert sizes == {len(content)} and {each.result() for each in written} == {str(path)}
    assert [file.name for file in path.parent.iterdir()] == [path.name]
