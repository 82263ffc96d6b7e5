"""Pushes: rights are checked first, and a push is one commit with a tag."""

import threading

import numpy as np
import pytest
from hub.fake_hub import READER, STRANGER
from hub.helpers import FAULTS, MAX_SECONDS, METRICS, REPO, WEIGHTS, assert_fails, contents, publish, write_pushable

from hairseg.hub import card
from hairseg.hub.publish import check_push, push
from hairseg.hub.resolve import pull
from hairseg.inference.predictor import HairPredictor
from hairseg.repository import ModelRepository
from hairseg.repository.metrics import Metrics


def test_push_and_pull_are_byte_for_byte(server, both, tmp_path):
    for name in ("checkpoints/pretrained.pt", "notes.txt", "pretrained/model.pkl"):
        (both / name).parent.mkdir(exist_ok=True)
        (both / name).write_bytes(b"not for the Hub")
    try:
        pushed = push(both, REPO)
    finally:
        for name in ("checkpoints/pretrained.pt", "notes.txt", "pretrained/model.pkl"):
            (both / name).unlink()
        (both / "checkpoints").rmdir()
    on_hub = server.files(REPO)
    on_hub.pop(".gitattributes")
    assert on_hub == contents(both)
    repo = server.repo(REPO)
    assert repo.tags == {pushed.tag: pushed.commit} and repo.main == pushed.commit
    assert [commit["title"] for commit in repo.commits.values()] == ["initial commit", "Push from HairSeg"]
    assert pushed.url == f"{server.url}/{REPO}"

    found = pull(f"{REPO}@{pushed.tag}", tmp_path / "pulled")
    assert contents(tmp_path / "pulled") == contents(both)
    assert (found.repo_id, found.commit, found.reason) == (REPO, pushed.commit, None)
    assert server.leaked_tokens == []


def test_a_second_push_deletes_stale_files_and_keeps_others(server, both, one):
    push(both, REPO)
    server.put(REPO, {"LICENSE": b"mine"})
    push(one, REPO)
    on_hub = server.files(REPO)
    assert on_hub.pop("LICENSE") == b"mine"
    on_hub.pop(".gitattributes")
    assert on_hub == contents(one)
    assert len(server.repo(REPO).commits) == 4


def test_check_push_creates_the_repository(server):
    check_push(REPO, private=True)
    assert server.repo(REPO).private and server.files(REPO).keys() == {".gitattributes"}
    check_push(REPO, private=True)


def test_check_push_without_a_token(server, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    assert_fails(lambda: check_push(REPO), "No Hub token", "hf auth login")


def test_check_push_with_a_read_only_token(server, one, monkeypatch):
    publish(server, one)
    monkeypatch.setenv("HF_TOKEN", READER)
    assert_fails(lambda: check_push(REPO), f"may not write to {REPO}", "Create a token with that right")
    assert not any("/commit/" in request for request in server.requests)


@pytest.mark.parametrize("exists", [True, False])
def test_check_push_elsewhere(server, one, monkeypatch, exists):
    if exists:
        publish(server, one)
    monkeypatch.setenv("HF_TOKEN", STRANGER)
    assert_fails(lambda: check_push(REPO), f"may not write to {REPO}")


def test_check_push_private_on_a_public_repository(server, one):
    publish(server, one)
    assert_fails(lambda: check_push(REPO, private=True), REPO, "is public")


@pytest.mark.parametrize("repo", ["hair", "ada/hair@v1", "ada/hair@main", "ada/ha ir"])
def test_check_push_malformed_id(server, repo):
    assert_fails(lambda: check_push(repo), repr(repo), "user/name")


@pytest.mark.parametrize("name", ["down", "silent", "always 500"])
def test_check_push_without_a_hub(server, faulty, name):
    fault, words = FAULTS[name]
    faulty[0](fault)
    assert_fails(lambda: check_push(REPO), words)


PUSH_FAULTS = {
    "large file refused": (
        dict(kind="status", path="signature", status=403, message="AccessDenied"),
        f"may not write to {REPO} (AccessDenied)",
    ),
    "large file cut": (dict(kind="cut", path="signature", at=1_000_000), "connection"),
    "large file 500": (dict(kind="status", path="signature", status=500), "status 500"),
    "batch refused": (dict(kind="status", path="/batch", status=403, message="Quota exceeded"), "Quota exceeded"),
    "commit refused": (dict(kind="status", path="/commit/", status=403), f"may not write to {REPO}"),
    "commit cut": (dict(kind="cut", path="/commit/", at=50), "connection"),
    "silent before the commit": (dict(kind="stall", path="/preupload/"), "did not answer in time"),
    "commit 500": (dict(kind="status", path="/commit/"), "status 500"),
    "card refused": (dict(kind="status", path="/validate-yaml", status=400), "rejected the model card"),
}


@pytest.mark.parametrize("name", PUSH_FAULTS)
def test_a_failed_push_leaves_the_previous_commit(server, one, faulty, name):
    fault, words = PUSH_FAULTS[name]
    start, end = faulty
    server.put(REPO, {"README.md": b"former", WEIGHTS: b"former weights"})
    former, before = server.files(REPO), server.repo(REPO)
    start(fault)
    error = assert_fails(lambda: push(one, REPO, overwrite_card=True), words)
    assert server.files(REPO) == former and server.repo(REPO) == before
    assert str(error).endswith(f"Then push {one} again with `hairseg hub push {one} {REPO} --overwrite-card`.")
    end(fault)
    push(one, REPO, overwrite_card=True)
    assert server.files(REPO)[WEIGHTS] == (one / WEIGHTS).read_bytes()


def test_hub_killed_during_a_push(server, one):
    server.put(REPO, {"README.md": b"former", WEIGHTS: b"former weights"})
    before = server.repo(REPO)
    server.faults.add("stall", path="signature")
    failure = []
    pushing = threading.Thread(
        target=lambda: failure.append(assert_fails(lambda: push(one, REPO), "again with `hairseg hub push"))
    )
    pushing.start()
    while pushing.is_alive() and not any("signature" in request for request in server.requests):
        threading.Event().wait(0.02)
    server.__exit__()
    pushing.join(MAX_SECONDS)
    assert len(failure) == 1 and server.repo(REPO) == before


@pytest.mark.parametrize(
    "path", ["/commit/", "signature", "/tag/", "/preupload/", "/repos/create", "/whoami", "/batch"]
)
def test_a_transient_fault_is_retried(server, one, path):
    server.faults.add("status", path=path, times=1)
    pushed = push(one, REPO)
    assert server.files(REPO)[WEIGHTS] == (one / WEIGHTS).read_bytes()
    assert server.repo(REPO).tags == {pushed.tag: pushed.commit}


def test_a_rejected_tag_is_created_by_the_next_push(server, one):
    server.faults.add("status", path="/tag/", status=403)
    assert_fails(lambda: push(one, REPO), "pushed without a tag. The token may not write", f"push {one} again")
    assert server.files(REPO)[WEIGHTS] == (one / WEIGHTS).read_bytes() and server.repo(REPO).tags == {}
    server.faults.clear()
    pushed, repo = push(one, REPO), server.repo(REPO)
    assert repo.tags == {pushed.tag: repo.main} and len(repo.commits) == 2


def test_push_of_an_invalid_folder(server, tmp_path, one):
    assert_fails(lambda: push(tmp_path / "nothing", REPO), "nothing")
    (tmp_path / "bare").mkdir()
    assert_fails(lambda: push(tmp_path / "bare", REPO), "config.json is missing")
    without_card = write_pushable(tmp_path / "cardless", ("pretrained",))
    (without_card / "README.md").unlink()
    assert_fails(lambda: push(without_card, REPO), "README.md")
    assert server.requests == []


def test_a_card_edited_on_the_hub_is_kept(server, one):
    assert not push(one, REPO).card_kept
    rendered = server.files(REPO)["README.md"]
    newer = rendered.replace(b"205", b"206")
    server.put(REPO, {"README.md": newer})
    assert push(one, REPO).card_kept
    assert server.files(REPO)["README.md"] == newer
    assert not push(one, REPO, overwrite_card=True).card_kept
    assert server.files(REPO)["README.md"] == rendered


def test_an_unedited_card_is_replaced(server, one):
    older = card.render_card(ModelRepository(one).config, Metrics.model_validate(METRICS | {"images": 1}))
    server.put(REPO, {"README.md": older.encode()})
    assert not push(one, REPO).card_kept
    assert server.files(REPO)["README.md"] == (one / "README.md").read_bytes()


def test_links_to_files_outside_are_not_pushed(server, tmp_path):
    folder = write_pushable(tmp_path / "repository", ("pretrained",))
    (tmp_path / "private.png").write_bytes(b"mine")
    (folder / "figures" / "roc.png").symlink_to(tmp_path / "private.png")
    assert_fails(lambda: push(folder, REPO), "roc.png is a link to", "Replace it by a copy")
    assert server.requests == []
    (folder / "figures" / "roc.png").unlink()
    (tmp_path / "figures").mkdir()
    (tmp_path / "private.png").rename(tmp_path / "figures" / "private.png")
    for figure in (folder / "figures").iterdir():
        figure.unlink()
    (folder / "figures").rmdir()
    (folder / "figures").symlink_to(tmp_path / "figures")
    assert_fails(lambda: push(folder, REPO), "private.png is a link to")


def test_a_cached_repository_can_be_pushed(server, one):
    """The Hub's cache consists of links, which point outside of the folder."""
    publish(server, one)
    push(pull(REPO).folder, "ada/copy")
    assert server.files("ada/copy")[WEIGHTS] == (one / WEIGHTS).read_bytes()


def test_a_predictor_pushes_its_repository(server, one):
    predictor = HairPredictor.from_pretrained(one)
    assert predictor.push_to_hub(REPO, private=True) == f"{server.url}/{REPO}"
    assert server.repo(REPO).private and server.files(REPO)[WEIGHTS] == (one / WEIGHTS).read_bytes()
    (tag,) = server.repo(REPO).tags
    photo = np.full((40, 60, 3), 128, np.uint8)
    again = HairPredictor.from_pretrained(REPO, revision=tag)
    np.testing.assert_array_equal(again.alphas(photo)["pretrained"], predictor.alphas(photo)["pretrained"])
