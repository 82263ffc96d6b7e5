"""Find and pull repositories: the right revision, only known files, checksums, and cached copies."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from conftest import PROJECT
from hub.fake_hub import READER, STRANGER
from hub.helpers import FAULTS, MAX_SECONDS, REPO, WEIGHTS, assert_fails, contents, invert_last_bit, publish
from huggingface_hub import HfApi, constants

from hairseg.errors import InputError
from hairseg.hub.errors import HubError
from hairseg.hub.publish import push
from hairseg.hub.resolve import pull, resolve
from hairseg.inference.predictor import HairPredictor
from hairseg.page.registry import find_models
from hairseg.repository.metrics import Metrics
from hairseg.repository.repository import SERVING_FILES, ModelRepository


def test_only_known_and_needed_files_are_pulled(server, both):
    publish(server, both)
    server.put(REPO, {"model.pkl": b"never", "pretrained/pytorch_model.bin": b"never", "figures/deep/a.png": b"no"})
    assert sorted(contents(resolve(REPO).folder)) == sorted(SERVING_FILES)
    assert contents(pull(REPO).folder) == contents(both)
    assert not any(name in request for request in server.requests for name in ("pkl", "bin", "deep"))


@pytest.mark.parametrize("token", ["", "hf_secret\n", "hf_secr\u00e9t"])
def test_a_malformed_token_is_reported_but_not_quoted(server, one, token):
    publish(server, one)
    error = assert_fails(lambda: pull(REPO, token=token), "The Hub token is malformed. Log in with `hf auth login`")
    assert "secr" not in str(error)


def test_a_file_of_a_repository_is_not_taken_for_a_hub_id(one, monkeypatch):
    monkeypatch.chdir(one.parent)
    with pytest.raises(
        InputError, match=r"^repository/config\.json is a file\. Give the folder of the model repository"
    ):
        resolve("repository/config.json")


def test_cache_is_reused(server, one):
    commit = publish(server, one)
    first = resolve(REPO)
    server.requests.clear()
    assert resolve(REPO) == resolve(f"{REPO}@{commit}") == first and first.commit == commit
    assert all(request.startswith(f"GET /api/models/{REPO}/revision/") for request in server.requests)
    assert len(server.requests) == 2


def test_parameters_are_passed_to_the_client(server, one, tmp_path, monkeypatch):
    push(one, REPO, private=True)
    monkeypatch.delenv("HF_TOKEN")
    assert_fails(lambda: resolve(REPO), "no repository", error=HubError)
    found = resolve(REPO, token=READER, cache_dir=tmp_path / "elsewhere")
    assert found.folder.is_relative_to(tmp_path / "elsewhere") and not (tmp_path / "cache").exists()
    server.requests.clear()
    resolve(REPO, token=READER, cache_dir=tmp_path / "elsewhere", force_download=True)
    assert any("signature" in request for request in server.requests)
    assert server.leaked_tokens == []


def test_local_files_only(server, one):
    commit = publish(server, one)
    assert_fails(lambda: resolve(REPO, local_files_only=True), f"{REPO} is not in the cache", error=HubError)
    assert server.requests == []
    folder = resolve(REPO).folder
    server.put(REPO, {"metrics.json": b"{}"})
    server.requests.clear()
    found = resolve(REPO, local_files_only=True)
    assert (found.folder, found.commit, found.reason) == (folder, commit, None) and server.requests == []


def test_a_new_commit_is_fetched_and_an_old_one_can_be_named(server, one):
    old = publish(server, one)
    assert resolve(REPO).commit == old
    new = server.put(REPO, {"metrics.json": b"{}"})
    found = resolve(REPO)
    assert (
        found.commit == new
        and ModelRepository(found.folder).metrics() == Metrics()
        and str(found) == f"{REPO} at {new[:7]}"
    )
    assert resolve(f"{REPO}@{old}").commit == resolve(REPO, revision=old).commit == old
    assert_fails(lambda: resolve(f"{REPO}@{old}", revision=new), "disagree")


def test_a_folder_takes_precedence_over_a_hub_id(server, one, tmp_path, monkeypatch):
    publish(server, one)
    monkeypatch.chdir(tmp_path)
    Path(REPO).mkdir(parents=True)
    assert resolve(REPO, revision="v1").folder == Path(REPO) and server.requests == []


@pytest.mark.parametrize(
    "repo", ["hair", "a/b/c", "ada/hair@", "@main", "ada//hair", "ada/ha ir", "../up", "/no/folder", ""]
)
def test_malformed_id(server, repo):
    assert_fails(lambda: resolve(repo), repr(repo), "user/name@revision")
    assert server.requests == []


@pytest.mark.parametrize("name", FAULTS)
def test_fault_without_and_with_a_cached_copy(server, one, faulty, name):
    fault, words = FAULTS[name]
    start, end = faulty
    old = publish(server, one)
    start(fault)
    assert_fails(lambda: resolve(REPO), f"{REPO} is not in the cache", words, error=HubError)
    end(fault)
    assert resolve(REPO).reason is None

    config = json.dumps(json.loads((one / "config.json").read_text()) | {"threshold": 0.4}).encode()
    weights = (one / WEIGHTS).read_bytes()
    new = server.put(REPO, {"config.json": config, WEIGHTS: invert_last_bit(weights)})
    start(fault)
    for _ in range(2):  # a failed download does not hide the cached copy
        found = resolve(REPO)
        assert found.commit == old and words in found.reason and "cached copy" in str(found)
        assert contents(found.folder)[WEIGHTS] == weights
    end(fault)
    found = resolve(REPO)
    assert found.commit == new and found.reason is None
    assert contents(found.folder)[WEIGHTS] == invert_last_bit(weights)


@pytest.mark.parametrize(
    "fault",
    [
        dict(kind="status", times=1),
        dict(kind="status", path="/revision/", times=1),
        dict(kind="status", path="/resolve/", times=1),
        dict(kind="status", path="signature", times=1),
        dict(kind="cut", path="signature", at=100_000, times=1),
        dict(kind="corrupt", path="signature", times=1),
        dict(kind="cut", path="/resolve/", times=1),
    ],
)
def test_a_transient_fault_is_retried(server, one, fault):
    publish(server, one)
    server.faults.add(**fault)
    found = resolve(REPO)
    assert found.reason is None and contents(found.folder)[WEIGHTS] == (one / WEIGHTS).read_bytes()


def test_hub_killed_during_a_download(server, one):
    publish(server, one)
    server.faults.add("stall", path="signature", at=1_000_000)
    failure = []
    pulling = threading.Thread(target=lambda: failure.append(assert_fails(lambda: resolve(REPO), REPO)))
    pulling.start()
    while pulling.is_alive() and not any("signature" in request for request in server.requests):
        threading.Event().wait(0.02)
    server.__exit__()
    pulling.join(MAX_SECONDS)
    assert len(failure) == 1
    server.faults.clear()
    with server:
        assert resolve(REPO).reason is None


def test_offline_mode(server, one, monkeypatch):
    commit = publish(server, one)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert_fails(lambda: resolve(REPO), "is not in the cache", "offline mode", "HF_HUB_OFFLINE", error=HubError)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    resolve(REPO)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    found = resolve(REPO)
    assert found.commit == commit and "offline mode" in found.reason


def test_a_damaged_cache_is_repaired_online(server, one):
    publish(server, one)
    weights = resolve(REPO).folder / WEIGHTS
    weights.resolve().write_bytes(invert_last_bit(weights.read_bytes()))
    assert contents(resolve(REPO).folder)[WEIGHTS] == (one / WEIGHTS).read_bytes()


def test_a_deleted_revision_or_file_is_not_served_from_the_cache(server, one):
    commit = publish(server, one)
    HfApi().create_tag(REPO, tag="v1", revision=commit)
    assert resolve(f"{REPO}@v1").commit == commit
    del server.repos["models", REPO].tags["v1"]
    assert_fails(lambda: resolve(f"{REPO}@v1"), "no revision 'v1'", error=HubError)

    resolve(REPO)
    server.put(REPO, {WEIGHTS: invert_last_bit((one / WEIGHTS).read_bytes())})
    server.faults.add("status", status=404, code="EntryNotFound", path=f"/{WEIGHTS}", method="HEAD")
    assert_fails(lambda: resolve(REPO), f"{REPO}@main has no file {WEIGHTS}.", error=HubError)


def test_missing_repository(server, monkeypatch):
    assert_fails(lambda: resolve("ada/nothing"), "has no repository ada/nothing", "spelling", error=HubError)
    monkeypatch.delenv("HF_TOKEN")
    assert_fails(lambda: resolve("ada/nothing"), "has no repository ada/nothing", "Log in", error=HubError)


def test_missing_revision(server, one, tmp_path):
    publish(server, one)
    assert_fails(lambda: pull(f"{REPO}@v9", tmp_path / "out"), REPO, "no revision 'v9'", error=HubError)
    assert_fails(lambda: HairPredictor.from_pretrained(REPO, revision="v9"), "no revision 'v9'", error=HubError)
    (model,), (notice,) = find_models([f"{REPO}@v9"])
    assert model.source is None and f"{REPO} has no revision 'v9'" in notice
    assert not (tmp_path / "out").exists() and not (tmp_path / "cache").exists()
    resolve(REPO)
    assert_fails(lambda: resolve(f"{REPO}@{'0' * 40}"), REPO, "no revision", error=HubError)


@pytest.mark.parametrize("access", ["private", "gated"])
def test_no_access(server, one, monkeypatch, access):
    publish(server, one)
    setattr(server.repos["models", REPO], access, True)
    assert resolve(REPO).reason is None
    monkeypatch.setattr(constants, "HF_HUB_CACHE", constants.HF_HUB_CACHE + "2")
    monkeypatch.setenv("HF_TOKEN", STRANGER)
    assert_fails(lambda: resolve(REPO), REPO, access, "hf auth login", error=HubError)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert_fails(lambda: resolve(REPO), "rejected the token", "hf auth login", error=HubError)


@pytest.mark.parametrize("files", [{"README.md": b"a language model"}, {"config.json": b'{"model_type": "bert"}'}])
def test_not_a_hairseg_repository(server, files):
    server.put(REPO, files)
    error = assert_fails(lambda: resolve(REPO), f"{REPO}@", "config.json")
    assert "cache" not in str(error)


@pytest.mark.parametrize("setting, words", [({}, "missing"), ({"backbone": "mobilenet_v3_large"}, "tensor")])
def test_weights_that_are_missing_or_do_not_fit(server, one, setting, words):
    publish(server, one)
    config = json.loads((one / "config.json").read_text()) | setting
    commit = server.put(REPO, {"config.json": json.dumps(config).encode()} if setting else {WEIGHTS: None})
    assert_fails(lambda: resolve(REPO), f"{REPO}@{commit[:7]}/{WEIGHTS}", words)


def test_a_cache_that_cannot_be_written(server, one, monkeypatch, tmp_path):
    publish(server, one)
    (tmp_path / "a file").write_text("")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "a file"))
    assert_fails(lambda: resolve(REPO), "a file", "HF_HOME", error=HubError)


DISK_FULL = (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), RuntimeError("IO: No space left (os error 28)"))


@pytest.mark.parametrize("error", DISK_FULL, ids=["http", "xet"])
def test_full_disk_without_and_with_a_cached_copy(server, one, monkeypatch, error):
    def raise_full(*_, **__):
        raise error

    old = publish(server, one)
    with monkeypatch.context() as patch:
        patch.setattr("huggingface_hub.file_download.http_get", raise_full)
        assert_fails(lambda: resolve(REPO), "The disk is full", "HF_HOME", error=HubError)
    assert resolve(REPO).commit == old
    server.put(REPO, {"metrics.json": b"{}"})
    with monkeypatch.context() as patch:
        patch.setattr("huggingface_hub.file_download.http_get", raise_full)
        found = resolve(REPO)
        assert found.commit == old and "disk is full" in found.reason


@pytest.mark.filterwarnings("ignore:Not enough free disk space")
def test_a_disk_that_is_too_small(server, one, small_disk):
    publish(server, one)
    assert_fails(lambda: resolve(REPO, cache_dir=small_disk / "hub"), "The disk is full", error=HubError)
    assert not any(path.name == WEIGHTS for path in small_disk.rglob("*"))


def test_a_full_disk_leaves_no_partial_copy(server, one, monkeypatch, tmp_path):
    def raise_full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    publish(server, one)
    with monkeypatch.context() as patch:
        patch.setattr("shutil.copyfile", raise_full)
        assert_fails(lambda: pull(REPO, tmp_path / "out"), "out cannot be written")
        assert not [path for path in tmp_path.iterdir() if "out" in path.name]
    pull(REPO, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(one)


def test_a_killed_pull_leaves_no_partial_copy(server, one, tmp_path):
    publish(server, one)
    script = (
        "import os, shutil, signal, sys; from hairseg.hub.resolve import pull\n"
        "shutil.copyfile = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "pull(sys.argv[1], sys.argv[2])"
    )
    environment = {**os.environ, "HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "home")}
    done = subprocess.run([sys.executable, "-c", script, REPO, tmp_path / "out"], cwd=PROJECT, env=environment)
    assert done.returncode == -signal.SIGKILL and not (tmp_path / "out").exists()
    pull(REPO, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(one)


def test_pull_does_not_overwrite(server, one, tmp_path):
    publish(server, one)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    assert_fails(lambda: pull(REPO, tmp_path / "mine"), "mine", "is not empty")
    assert contents(tmp_path / "mine") == {"thesis.txt": b"years of work"}
