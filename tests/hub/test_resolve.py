"""Finding a repository on the Hub, and pulling it: the right state, and only its own files."""

from pathlib import Path

import pytest
from hub_api import STRANGER
from hub_testing import REPO, WEIGHTS, contents, fails, other_weights, publish
from huggingface_hub import HfApi, constants

from hairseg.hub.errors import HubError
from hairseg.hub.publish import push
from hairseg.hub.resolve import pull, resolve
from hairseg.repository.metrics import Metrics
from hairseg.repository.repository import SERVING_FILES, ModelRepository


def test_only_known_and_needed_files_are_pulled(server, both):
    publish(server, both)
    server.put(REPO, {"model.pkl": b"never", "pretrained/pytorch_model.bin": b"never", "figures/deep/a.txt": b"no"})
    pulled = contents(resolve(REPO).folder)
    assert sorted(pulled) == sorted(SERVING_FILES)
    pulled = contents(pull(REPO).folder)
    assert pulled == contents(both)


def test_cache_is_reused(server, one):
    commit = publish(server, one)
    first = resolve(REPO)
    server.requests.clear()
    assert resolve(REPO) == first and first.commit == commit
    assert server.requests == [f"GET /api/models/{REPO}/revision/main"]
    server.requests.clear()
    assert resolve(f"{REPO}@{commit}").folder == first.folder
    assert server.requests == []  # a commit never changes


def test_a_new_state_is_fetched_and_an_old_one_can_be_named(server, one):
    old = publish(server, one)
    assert resolve(REPO).commit == old
    new = server.put(REPO, {"metrics.json": b"{}"})
    assert resolve(REPO).commit == new and ModelRepository(resolve(REPO).folder).metrics() == Metrics()
    assert resolve(f"{REPO}@{old}").commit == old
    assert "metrics" not in str(resolve(REPO)) and str(resolve(REPO)) == f"{REPO} at {new[:7]}"


def test_a_folder_wins_over_a_hub_id(server, one, tmp_path, monkeypatch):
    publish(server, one)
    monkeypatch.chdir(tmp_path)
    Path(REPO).mkdir(parents=True)
    assert resolve(REPO).folder == Path(REPO) and server.requests == []


def test_private_repository(server, one, monkeypatch):
    push(one, REPO, private=True)
    assert server.repo(REPO).private
    assert resolve(REPO).reason is None
    monkeypatch.setattr(constants, "HF_HUB_CACHE", constants.HF_HUB_CACHE + "2")
    monkeypatch.setenv("HF_TOKEN", STRANGER)
    fails(lambda: resolve(REPO), REPO, "no access", "hf auth login")


def test_pull_does_not_overwrite(server, one, tmp_path):
    publish(server, one)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    fails(lambda: pull(REPO, tmp_path / "mine"), "mine", "is not empty")
    assert contents(tmp_path / "mine") == {"thesis.txt": b"years of work"}


@pytest.mark.parametrize(
    "repo", ["hair", "a/b/c", "ada/hair@", "@main", "ada//hair", "ada/ha ir", "../up", "/no/folder", ""]
)
def test_malformed_id(server, repo):
    fails(lambda: resolve(repo), repr(repo), "user/name@revision")
    assert server.requests == []


def test_offline_mode(server, one, monkeypatch):
    publish(server, one)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    fails(lambda: resolve(REPO), "not in the cache", "offline mode", "HF_HUB_OFFLINE", error=HubError)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    commit = resolve(REPO).commit
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    found = resolve(REPO)
    assert found.commit == commit and "offline mode" in found.reason


def test_a_final_answer_of_the_hub_is_not_overridden_by_a_cached_copy(server, one):
    """A tag that its owner has deleted must not be served for ever from the cache, nor a file that is gone."""
    commit = publish(server, one)
    HfApi().create_tag(REPO, tag="v1", revision=commit)
    assert resolve(f"{REPO}@v1").commit == commit
    repo = server.repo(REPO)
    del repo.tags["v1"]
    server.save(repo)
    fails(lambda: resolve(f"{REPO}@v1"), "no revision 'v1'", error=HubError)

    resolve(REPO)
    server.put(REPO, {WEIGHTS: other_weights((one / WEIGHTS).read_bytes())})
    server.faults.add("status", status=404, code="EntryNotFound", path=f"/{WEIGHTS}", method="HEAD")
    fails(lambda: resolve(REPO), f"has no file {WEIGHTS}", error=HubError)
