"""Every answer that is no success has a sentence of its own."""

import errno
import os
import signal
import subprocess
import sys

import pytest
from conftest import PROJECT
from hub_testing import REPO, WEIGHTS, contents, fails, publish
from huggingface_hub import constants
from huggingface_hub.utils import WeakFileLock

from hairseg.files import format_bytes
from hairseg.hub.errors import HubError
from hairseg.hub.publish import check_push
from hairseg.hub.resolve import pull, resolve
from hairseg.inference.predictor import HairPredictor
from hairseg.page.registry import find_models
from hairseg.repository.repository import NEEDED


def test_no_such_repository(server):
    fails(lambda: resolve("ada/nothing"), "has no repository ada/nothing", "check the spelling", error=HubError)


def test_no_such_repository_without_a_token(server, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    fails(lambda: resolve("ada/nothing"), "has no repository ada/nothing", "log in", error=HubError)


def test_no_such_revision(server, one, tmp_path):
    publish(server, one)
    fails(lambda: pull(f"{REPO}@v9", tmp_path / "out"), REPO, "no revision 'v9'", error=HubError)
    fails(lambda: HairPredictor.from_pretrained(REPO, revision="v9"), "no revision 'v9'", error=HubError)
    (model,), (notice,) = find_models([f"{REPO}@v9"])
    assert model.source is None and f"{REPO} has no revision 'v9'" in notice and notice.startswith("The bundled model is served")
    assert not (tmp_path / "out").exists() and not (tmp_path / "cache").exists()
    fails(lambda: resolve(f"{REPO}@v9"), REPO, "no revision 'v9'", error=HubError)
    resolve(REPO)
    fails(lambda: resolve(f"{REPO}@v9"), REPO, "no revision 'v9'", error=HubError)
    fails(lambda: resolve(f"{REPO}@{'0' * 40}"), REPO, "no revision", error=HubError)


def test_invalid_token(server, one, monkeypatch):
    publish(server, one)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    fails(lambda: resolve(REPO), "does not accept your token", "hf auth login", error=HubError)
    fails(lambda: check_push(REPO), "does not accept your token", error=HubError)


def test_file_gone_between_listing_and_download(server, one):
    publish(server, one)
    server.faults.add("status", status=404, code="EntryNotFound", path=f"/{WEIGHTS}", method="HEAD")
    fails(lambda: resolve(REPO), f"{REPO} has no file {WEIGHTS} at main", error=HubError)


def test_an_unusable_cache_is_named(server, one, monkeypatch, tmp_path):
    publish(server, one)
    (tmp_path / "a file").write_text("")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "a file"))
    fails(lambda: resolve(REPO), "a file")


FULL = (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), RuntimeError("IO: No space left on device (os error 28)"))


@pytest.mark.parametrize("error", FULL, ids=["the client", "hf_xet"])
def test_a_full_disk_is_named_and_the_cached_copy_served(server, one, monkeypatch, tmp_path, error):
    def full(*_, **__):
        raise error

    old = publish(server, one)
    room = format_bytes(sum(len(content) for name, content in contents(one).items() if name in NEEDED))
    with monkeypatch.context() as patch:
        patch.setattr("huggingface_hub.file_download.http_get", full)
        fails(lambda: resolve(REPO), "cache has no room (", f"expected {room} for {REPO}", "HF_HOME", error=HubError)
        assert not list((tmp_path / "cache").rglob("*.incomplete"))
    assert resolve(REPO).commit == old
    server.put(REPO, {"metrics.json": b"{}"})
    with monkeypatch.context() as patch:
        patch.setattr("huggingface_hub.file_download.http_get", full)
        found = resolve(REPO)
        assert found.commit == old and "cache has no room" in (found.reason or "")


def test_no_room_for_the_copy_of_a_pull(server, one, monkeypatch, tmp_path):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    publish(server, one)
    room = format_bytes(sum(map(len, contents(one).values())))
    with monkeypatch.context() as patch:
        patch.setattr("shutil.copyfile", full)
        fails(lambda: pull(REPO, tmp_path / "out"), "out cannot be written because", f"expected {room}")
        assert not [path for path in tmp_path.iterdir() if "out" in path.name]
    pull(REPO, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(one)


def test_a_disk_that_is_too_small_for_a_pull(server, one, monkeypatch, small_disk):
    publish(server, one)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(small_disk / "hub"))
    fails(lambda: pull(REPO), f"{small_disk}/hub has no room (", " MB for ada/hair there", error=HubError)
    assert not [path for path in small_disk.rglob("*") if path.suffix == ".incomplete" or path.name == WEIGHTS]


def test_a_killed_pull_leaves_nothing_for_good(server, one, tmp_path):
    publish(server, one)
    script = (
        "import os, shutil, signal, sys; from hairseg.hub.resolve import pull\n"
        "shutil.copyfile = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "pull(sys.argv[1], sys.argv[2])"
    )
    environment = {**os.environ, "HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "home")}
    done = subprocess.run([sys.executable, "-c", script, REPO, tmp_path / "out"], cwd=PROJECT, env=environment)
    assert done.returncode == -signal.SIGKILL
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".out.")]
    pull(REPO, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == ["out"]
    assert contents(tmp_path / "out") == contents(one)


def test_what_killed_downloads_left_in_the_cache_goes_with_the_next_one(server, one, tmp_path):
    """Unless another process is at work on it, which holds the client's lock of the file."""
    publish(server, one)
    cache, name = tmp_path / "cache", "models--ada--hair"
    killed, at_work = (cache / name / "blobs" / f"{etag}.0123abcd.incomplete" for etag in ("1" * 40, "2" * 40))
    for path in (killed, at_work):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("half")
    (cache / ".locks" / name).mkdir(parents=True)
    with WeakFileLock(cache / ".locks" / name / f"{'2' * 40}.lock"):
        resolve(REPO)
    assert at_work.exists() and not killed.exists()
