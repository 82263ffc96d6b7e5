"""Push, pull, card and Space, with the genuine `huggingface_hub` client over HTTP against tests/hub_server.py."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import pytest
from conftest import PROJECT, write_repository
from hub_server import READER, STRANGER, WRITER, HubServer
from huggingface_hub import HfApi, ModelCard, constants

from hairseg.commands import run
from hairseg.errors import InputError
from hairseg.files import write_json
from hairseg.hub import __main__ as hub_command
from hairseg.hub import card
from hairseg.hub import publish as publishing
from hairseg.hub.failures import HubError
from hairseg.hub.publish import Deployed, check_push, push, space
from hairseg.hub.resolution import pull, resolve
from hairseg.hub.timeouts import http
from hairseg.repository import NEEDED, ModelRepository

REPO = "ada/hair"
WEIGHTS = "pretrained/model.safetensors"
SHORT = 0.4  # seconds the client waits for an answer where none will come
NOT_HANGING = 60  # seconds; far more than any of these calls needs, far less than for ever


def training_entry(init: str) -> dict:
    return {
        "init": init,
        "recipe": "paper",
        "loss": "mse",
        "optimiser": "adam",
        "learning_rate": 0.0001,
        "epochs": 15,
        "batch_size": 6,
        "seed": 0,
        "datasets": ["celebamask-hq"],
        "images": {"train": 621, "val": 69, "test": 205},
        "split": "per image by SHA-256 of its id",
        "best_epoch": 12,
        "selected_by": "auroc on val",
        "best_test_epoch": {"epoch": 13, "auroc": 0.9812},
        "seconds": 1234.5,
        "device": "cpu, 2 threads",
        "command": "python train.py --data CelebAMask-HQ",
        "versions": {"python": "3.11.7", "torch": "2.15.0"},
    }


METRICS = {
    "dataset": "celebamask-hq",
    "split": "test",
    "images": 205,
    "image_size": 64,
    "variants": {
        "pretrained": {
            "auroc": 0.98741,
            "f1": 0.91234,
            "iou": 0.83882,
            "mse": 0.02345,
            "boundary_iou": 0.51234,
            "calibration_error": 0.01234,
        },
        "random": {
            "auroc": 0.96123,
            "f1": 0.85234,
            "iou": 0.74234,
            "mse": 0.05432,
            "boundary_iou": 0.41234,
            "calibration_error": 0.02345,
        },
    },
}


def write_pushable(folder: Path, variants: tuple[str, ...] = ("pretrained", "random")) -> Path:
    write_repository(folder, variants)
    entries = {variant: training_entry("imagenet" if variant == "pretrained" else "random") for variant in variants}
    ModelRepository(folder).save_config(replace(ModelRepository(folder).config, variants=entries))
    metrics = METRICS | {"variants": {variant: METRICS["variants"][variant] for variant in variants}}
    write_json(folder / "metrics.json", metrics)
    for name in ("figure3.png", "figure4.png"):
        (folder / "figures").mkdir(exist_ok=True)
        (folder / "figures" / name).write_bytes(b"\x89PNG\r\n\x1a\n" + name.encode())
    (folder / "README.md").write_text(card.render_card(ModelRepository(folder).config, metrics, REPO), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def both(tmp_path_factory) -> Path:
    return write_pushable(tmp_path_factory.mktemp("both") / "repository")


@pytest.fixture(scope="module")
def one(tmp_path_factory) -> Path:
    """A repository of one variant, for tests to whom its size does not matter. Nobody changes it."""
    return write_pushable(tmp_path_factory.mktemp("one") / "repository", ("pretrained",))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A Hub of its own, with a cache of its own, for this process's client."""
    with HubServer(tmp_path / "hub") as running:
        point_client_at(running.url, tmp_path, monkeypatch)
        yield running
    for folder in ("hub", "cache"):  # some 50 MB per test, which pytest would keep for days
        shutil.rmtree(tmp_path / folder, ignore_errors=True)


def point_client_at(url: str, tmp_path: Path, monkeypatch) -> None:
    # The client reads these once from the environment, on import.
    for name, value in {
        "ENDPOINT": url,
        "HUGGINGFACE_CO_URL_TEMPLATE": url + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HUB_CACHE": str(tmp_path / "cache"),
        "HF_TOKEN_PATH": str(tmp_path / "token"),
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_PROGRESS_BARS": True,
    }.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.setenv("HF_TOKEN", WRITER)
    monkeypatch.delenv("HUGGING_FACE_HUB_TOKEN", raising=False)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # the client's naps between its attempts


def publish(server: HubServer, folder: Path, repo_id: str = REPO) -> str:
    return server.put(repo_id, contents(folder))


def fails(call, *words: str, error: type = InputError) -> InputError:
    """The call ends soon, with one sentence that has these words."""
    started = time.monotonic()
    with pytest.raises(error) as caught:
        call()
    assert time.monotonic() - started < NOT_HANGING
    message = str(caught.value)
    assert "\n" not in message and len(message) < 600, message
    for word in words:
        assert word in message, message
    return caught.value


@pytest.fixture
def misbehave(server, monkeypatch):
    """Let the server do what it should not, or, with None, be gone; the second function ends that."""

    def begin(fault: dict | None) -> None:
        server.faults.add(**fault) if fault else server.__exit__()
        monkeypatch.setattr(
            constants, "HF_HUB_DOWNLOAD_TIMEOUT", SHORT if fault and fault["kind"] in ("stall", "drip") else 10
        )

    def end(fault: dict | None) -> None:
        server.faults.clear() if fault else server.__enter__()
        monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 10)

    return begin, end


# Round trip


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
    assert repo.tags == {pushed.tag: pushed.commit} and repo.branches == {"main": pushed.commit}
    assert [commit["title"] for commit in repo.commits.values()] == ["initial commit", "Push from HairSeg"]
    assert pushed.url == f"{server.url}/{REPO}"

    found = pull(f"{REPO}@{pushed.tag}", tmp_path / "pulled")
    assert contents(tmp_path / "pulled") == contents(both)
    assert (found.repo_id, found.commit, found.reason) == (REPO, pushed.commit, None)
    assert server.leaked == []  # the token never goes to the storage's origin


def test_only_known_and_needed_files_are_pulled(server, both):
    publish(server, both)
    server.put(REPO, {"model.pkl": b"never", "pretrained/pytorch_model.bin": b"never", "figures/deep/a.txt": b"no"})
    pulled = contents(resolve(REPO).folder)
    assert sorted(pulled) == sorted(NEEDED)
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
    assert resolve(REPO).commit == new and ModelRepository(resolve(REPO).folder).metrics() == {}
    assert resolve(f"{REPO}@{old}").commit == old
    assert "metrics" not in str(resolve(REPO)) and str(resolve(REPO)) == f"{REPO} at {new[:7]}"


def test_a_second_push_replaces_the_first_but_not_what_is_not_ours(server, both, one):
    push(both, REPO)
    server.put(REPO, {"LICENSE": b"mine"})
    push(one, REPO)
    on_hub = server.files(REPO)
    assert on_hub.pop("LICENSE") == b"mine"
    on_hub.pop(".gitattributes")
    assert on_hub == contents(one)  # the random variant is gone
    assert len(server.repo(REPO).commits) == 4


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


def test_the_client_is_left_as_it_was(server, one):
    publish(server, one)
    before = huggingface_hub.utils._http._GLOBAL_CLIENT_FACTORY, huggingface_hub.utils.logging.get_verbosity()
    resolve(REPO)
    fails(lambda: resolve("ada/nothing"))
    assert before == (huggingface_hub.utils._http._GLOBAL_CLIENT_FACTORY, huggingface_hub.utils.logging.get_verbosity())


# Mistakes, each with its own sentence


@pytest.mark.parametrize(
    "repo", ["hair", "a/b/c", "ada/hair@", "@main", "ada//hair", "ada/ha ir", "../up", "/no/folder", ""]
)
def test_malformed_id(server, repo):
    fails(lambda: resolve(repo), repr(repo), "user/name@revision")
    assert server.requests == []


def test_no_such_repository(server):
    fails(lambda: resolve("ada/nothing"), "has no repository ada/nothing", "check the spelling", error=HubError)


def test_no_such_repository_without_a_token(server, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    fails(lambda: resolve("ada/nothing"), "has no repository ada/nothing", "log in", error=HubError)


def test_no_such_revision(server, one):
    publish(server, one)
    fails(lambda: resolve(f"{REPO}@v9"), REPO, "no revision 'v9'", error=HubError)
    resolve(REPO)
    fails(lambda: resolve(f"{REPO}@v9"), REPO, "no revision 'v9'", error=HubError)
    fails(lambda: resolve(f"{REPO}@{'0' * 40}"), REPO, "no revision", error=HubError)


def test_invalid_token(server, one, monkeypatch):
    publish(server, one)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    fails(lambda: resolve(REPO), "does not accept your token", "hf auth login", error=HubError)
    fails(lambda: check_push(REPO), "does not accept your token", error=HubError)


def test_file_missing_in_the_repository(server, one):
    publish(server, one)
    commit = server.put(REPO, {WEIGHTS: None})
    fails(lambda: resolve(REPO), f"{REPO}@{commit[:7]}/{WEIGHTS} is missing")


def test_file_gone_between_listing_and_download(server, one):
    publish(server, one)
    server.faults.add("status", status=404, code="EntryNotFound", path=f"/{WEIGHTS}", method="HEAD")
    fails(lambda: resolve(REPO), f"{REPO} has no file {WEIGHTS} at main", error=HubError)


@pytest.mark.parametrize("files", [{"README.md": b"a language model"}, {"config.json": b'{"model_type": "bert"}'}])
def test_not_a_hairseg_repository(server, files):
    server.put(REPO, files)
    fails(lambda: resolve(REPO), f"{REPO}@", "config.json")


def test_weights_that_do_not_fit_the_config(server, one):
    publish(server, one)
    config = json.loads((one / "config.json").read_text()) | {"backbone": "mobilenet_v3_large"}
    server.put(REPO, {"config.json": json.dumps(config).encode()})
    fails(lambda: resolve(REPO), f"{REPO}@", WEIGHTS, "tensor")


def test_offline_mode(server, one, monkeypatch):
    publish(server, one)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    fails(lambda: resolve(REPO), "not in the cache", "offline mode", "HF_HUB_OFFLINE", error=HubError)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    commit = resolve(REPO).commit
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    found = resolve(REPO)
    assert found.commit == commit and "offline mode" in found.reason


def test_an_unusable_cache_is_named(server, one, monkeypatch, tmp_path):
    publish(server, one)
    (tmp_path / "a file").write_text("")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "a file"))
    fails(lambda: resolve(REPO), "a file")


# A Hub that misbehaves: without a copy a sentence, with one the copy and the reason


FAULTS = {
    "refused": (None, "cannot be reached"),
    "stalled": (dict(kind="stall"), "did not answer in time"),
    "stalled at the listing": (dict(kind="stall", path="/tree/"), "did not answer in time"),
    "stalled at a file's head": (dict(kind="stall", path="/resolve/", method="HEAD"), "did not answer in time"),
    "stalled within the weights": (dict(kind="stall", path="signature", at=100_000), "did not answer in time"),
    "dripping": (dict(kind="drip", path="/api/", at=0.3), "did not answer in time"),
    "dropped": (dict(kind="drop"), "cut off"),
    "cut within the weights": (dict(kind="cut", path="signature", at=100_000), "cut off"),
    "cut within the listing": (dict(kind="cut", path="/tree/", at=10), "cut off"),
    "wrong weights": (dict(kind="corrupt", path="signature"), "arrived damaged"),
    "wrong config": (dict(kind="corrupt", path="/config.json"), "arrived damaged"),
    "wrong listing": (dict(kind="corrupt", path="/api/"), "does not answer like a Hub"),
    "always 500": (dict(kind="status"), "fails with status 500"),
    "always 503 for weights": (dict(kind="status", path="signature", status=503), "fails with status 503"),
    "too many requests": (dict(kind="status", status=429), "no more requests"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_misbehaving_hub(server, one, misbehave, name):
    fault, words = FAULTS[name]
    begin, end = misbehave
    old = publish(server, one)
    begin(fault)
    fails(lambda: resolve(REPO), "not in the cache", words, error=HubError)
    end(fault)
    assert resolve(REPO).reason is None  # what broke off before is no hindrance now

    config = json.dumps(json.loads((one / "config.json").read_text()) | {"threshold": 0.4}).encode()
    weights = (one / WEIGHTS).read_bytes()
    server.put(REPO, {"config.json": config, WEIGHTS: _other_weights(weights)})
    begin(fault)
    found = resolve(REPO)
    assert found.commit == old and words in found.reason and "cached copy" in str(found)
    assert contents(found.folder)[WEIGHTS] == weights


def test_after_a_broken_pull_the_new_state_comes_whole(server, one, misbehave):
    publish(server, one)
    resolve(REPO)
    new = server.put(REPO, {WEIGHTS: _other_weights((one / WEIGHTS).read_bytes())})
    fault = FAULTS["cut within the weights"][0]
    misbehave[0](fault)
    assert resolve(REPO).commit != new
    misbehave[1](fault)
    found = resolve(REPO)
    assert found.commit == new and found.reason is None
    assert contents(found.folder)[WEIGHTS] == _other_weights((one / WEIGHTS).read_bytes())


def _other_weights(weights: bytes) -> bytes:
    return weights[:-1] + bytes([weights[-1] ^ 1])


@pytest.mark.parametrize(
    "fault",
    [
        dict(kind="status", times=1),
        dict(kind="status", path="/revision/", times=1),
        dict(kind="status", path="/resolve/", times=1),
        dict(kind="status", path="signature", times=1),
        dict(kind="cut", path="signature", at=100_000, times=1),
        dict(kind="corrupt", path="signature", times=1),
        dict(kind="drop", path="/resolve/", times=1),
    ],
)
def test_a_passing_fault_is_survived(server, one, fault):
    publish(server, one)
    server.faults.add(**fault)
    found = resolve(REPO)
    assert found.reason is None and contents(found.folder)[WEIGHTS] == (one / WEIGHTS).read_bytes()


def test_damaged_cache_is_not_served(server, one):
    publish(server, one)
    weights = resolve(REPO).folder / WEIGHTS
    weights.resolve().write_bytes(_other_weights(weights.read_bytes()))
    assert contents(resolve(REPO).folder)[WEIGHTS] == (one / WEIGHTS).read_bytes()


def test_blobs_shared_between_repositories(server, one):
    """Of files that came by Xet, huggingface_hub 2.x keeps one copy per cache, under the name of another checksum."""
    publish(server, one)
    folder = resolve(REPO).folder
    blob = (folder / WEIGHTS).resolve()
    shared = Path(constants.HF_HUB_CACHE) / "blobs" / "ab" / ("ab" * 32)
    shared.parent.mkdir(parents=True)
    blob.rename(shared)
    blob.symlink_to(os.path.relpath(shared, blob.parent))
    server.requests.clear()
    assert resolve(REPO).folder == folder and len(server.requests) == 1
    shared.write_bytes(_other_weights(shared.read_bytes()))
    assert contents(resolve(REPO).folder)[WEIGHTS] == (one / WEIGHTS).read_bytes()


def test_hub_killed_in_the_middle_of_a_pull(server, one):
    publish(server, one)
    server.faults.add("stall", path="signature", at=1_000_000)  # with all the time of the world until it is killed
    failure = []
    pulling = threading.Thread(target=lambda: failure.append(fails(lambda: resolve(REPO), REPO)))
    pulling.start()
    while pulling.is_alive() and not any("signature" in request for request in server.requests):
        threading.Event().wait(0.02)
    server.__exit__()
    pulling.join(NOT_HANGING)
    assert len(failure) == 1
    server.faults.clear()
    with server:
        assert resolve(REPO).reason is None


# Push: rights first, and never half a revision


def test_check_push_creates_the_repository(server):
    check_push(REPO, private=True)
    assert server.repo(REPO).private and server.files(REPO).keys() == {".gitattributes"}
    check_push(REPO, private=True)


def test_check_push_without_a_token(server, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    fails(lambda: check_push(REPO), "no token", "hf auth login")


def test_check_push_with_a_read_only_token(server, one, monkeypatch):
    publish(server, one)
    monkeypatch.setenv("HF_TOKEN", READER)
    fails(lambda: check_push(REPO), "read-only", REPO)
    assert not any(request.startswith("POST") for request in server.requests)


@pytest.mark.parametrize("exists", [True, False])
def test_check_push_elsewhere(server, one, monkeypatch, exists):
    if exists:
        publish(server, one)
    monkeypatch.setenv("HF_TOKEN", STRANGER)
    fails(lambda: check_push(REPO), f"may not write to {REPO}")


def test_check_push_private_on_a_public_repository(server, one):
    publish(server, one)
    fails(lambda: check_push(REPO, private=True), REPO, "is public")


@pytest.mark.parametrize("repo", ["hair", "ada/hair@v1", "ada/hair@main", "ada/ha ir"])
def test_check_push_malformed_id(server, repo):
    fails(lambda: check_push(repo), repr(repo), "user/name")


@pytest.mark.parametrize("name", ["refused", "stalled", "always 500"])
def test_check_push_without_a_hub(server, misbehave, name):
    fault, words = FAULTS[name]
    misbehave[0](fault)
    fails(lambda: check_push(REPO), words)


PUSH_FAULTS = {
    "large file refused": (
        dict(kind="status", path="signature", status=403, message="AccessDenied"),
        "while uploading",
    ),
    "large file stalled": (dict(kind="stall", path="signature"), "did not answer in time"),
    "large file cut": (dict(kind="cut", path="signature", at=1_000_000), "cut off"),
    "large file 500": (dict(kind="status", path="signature", status=500), "status 500"),
    "batch refused": (dict(kind="status", path="/batch", status=403, message="Quota exceeded"), "Quota exceeded"),
    "commit refused": (dict(kind="status", path="/commit/", status=403), f"may not write to {REPO}"),
    "commit cut": (dict(kind="cut", path="/commit/", at=50), "cut off"),
    "commit stalled": (dict(kind="stall", path="/commit/"), "did not answer in time"),
    "commit 500": (dict(kind="status", path="/commit/"), "status 500"),
    "card refused": (dict(kind="status", path="/validate-yaml", status=400), "refuses the model card"),
}


@pytest.mark.parametrize("name", PUSH_FAULTS)
def test_interrupted_push_leaves_the_former_revision(server, one, misbehave, name):
    fault, words = PUSH_FAULTS[name]
    begin, end = misbehave
    server.put(REPO, {"README.md": b"former", WEIGHTS: b"former weights"})
    former, before = server.files(REPO), server.repo(REPO)
    begin(fault)
    error = fails(lambda: push(one, REPO, overwrite_card=True), words, f"{one} is kept")
    assert server.files(REPO) == former and server.repo(REPO) == before
    retry = f"python -m hairseg.hub push {one} {REPO} --overwrite-card"
    assert str(error).endswith(retry)
    end(fault)
    push(one, REPO, overwrite_card=True)
    assert server.files(REPO)[WEIGHTS] == (one / WEIGHTS).read_bytes()


def test_hub_killed_in_the_middle_of_a_push(server, one):
    server.put(REPO, {"README.md": b"former", WEIGHTS: b"former weights"})
    before = server.repo(REPO)
    server.faults.add("stall", path="signature")
    failure = []
    pushing = threading.Thread(target=lambda: failure.append(fails(lambda: push(one, REPO), "is kept, push it with")))
    pushing.start()
    while pushing.is_alive() and not any("signature" in request for request in server.requests):
        threading.Event().wait(0.02)
    server.__exit__()
    pushing.join(NOT_HANGING)
    assert len(failure) == 1 and server.repo(REPO) == before


@pytest.mark.parametrize(
    "path", ["/commit/", "signature", "/tag/", "/preupload/", "/repos/create", "/whoami", "/batch"]
)
def test_push_survives_a_passing_fault(server, one, path):
    server.faults.add("status", path=path, times=1)
    pushed = push(one, REPO)
    assert server.files(REPO)[WEIGHTS] == (one / WEIGHTS).read_bytes()
    assert server.repo(REPO).tags == {pushed.tag: pushed.commit}


def test_push_of_what_is_no_repository(server, tmp_path, one):
    fails(lambda: push(tmp_path / "nothing", REPO), "nothing")
    (tmp_path / "bare").mkdir()
    fails(lambda: push(tmp_path / "bare", REPO), "config.json")
    without_card = write_pushable(tmp_path / "cardless", ("pretrained",))
    (without_card / "README.md").unlink()
    fails(lambda: push(without_card, REPO), "README.md")
    assert server.requests == []


# Card


def test_card_says_what_the_files_say(server, both):
    text = (both / "README.md").read_text(encoding="utf-8")
    for variant, scores in METRICS["variants"].items():
        row = " | ".join(f"{value:.4f}" for value in scores.values())
        assert f"| {variant} | {row} | {card.PAPER_AUROC[variant]} |" in text
    entry = training_entry("imagenet")
    for fact in (
        entry["command"],
        "torch 2.15.0",
        "621 photos for training",
        "learning rate 0.0001",
        "15 epochs",
        "0.9812",
        "64 x 64",
        "figures/figure3.png",
        "personal data",
        "under-represented",
        "non-commercial",
    ):
        assert fact in text, fact
    assert "{{" not in text and "{%" not in text and "Undefined" not in text


def test_card_metadata(server, both):
    loaded = ModelCard.load(both / "README.md")
    # By the Hub's rules, as far as the stand-in knows them; `ModelCard.validate` of 1.x asks huggingface.co, come what may.
    with http.Client() as client:
        answer = client.post(f"{server.url}/api/validate-yaml", json={"repoType": "model", "content": str(loaded)})
    assert answer.json() == {"errors": [], "warnings": []}
    data = loaded.data.to_dict()
    assert (
        data["pipeline_tag"] == "image-segmentation"
        and data["library_name"] == "pytorch"
        and data["license"] == "other"
    )
    assert data["datasets"] == ["celebamask-hq"] and data["base_model"] == "timm/efficientnet_lite0.ra_in1k"
    results = {
        (result.metric_name, result.dataset_name, result.dataset_split): result.metric_value
        for result in loaded.data.eval_results
    }
    expected = {
        (f"{label} ({variant})", "CelebAMask-HQ", "test"): METRICS["variants"][variant][name]
        for variant in METRICS["variants"]
        for name, label in (("auroc", "AUROC"), ("f1", "F1"), ("iou", "IoU"))
    }
    assert results == expected


def test_card_without_scores(both):
    config = ModelRepository(both).config
    assert "Not evaluated yet" in card.render_card(config, {})
    nothing = {name: None for name in METRICS["variants"]["random"]}
    text = card.render_card(config, METRICS | {"variants": {"pretrained": nothing, "random": nothing}})
    assert "| random | - | - | - | - | - |" in text and "model-index" not in text


def test_card_by_hair_type(both):
    parts = {"curly": {"images": 15, "variants": METRICS["variants"]}}
    text = card.render_card(ModelRepository(both).config, METRICS | {"hair_types": parts})
    assert "| curly | 15 | 0.9123 | 0.8388 | 0.8523 | 0.7423 |" in text


def test_card_example_runs(server, both, monkeypatch, tmp_path):
    publish(server, both)
    monkeypatch.chdir(tmp_path)
    from PIL import Image

    Image.new("RGB", (70, 50)).save("photo.jpg")
    code = re.search(r"```python\n(.*?)```", (both / "README.md").read_text(encoding="utf-8"), re.DOTALL)[1]
    assert len(code.strip().splitlines()) <= 5
    names = {}
    exec(code, names)
    assert {name: alpha.shape for name, alpha in names["alphas"].items()} == {
        "pretrained": (50, 70),
        "random": (50, 70),
    }


def test_card_edited_on_the_hub_is_kept(server, one):
    assert not push(one, REPO).card_kept
    rendered = server.files(REPO)["README.md"]
    newer = rendered.replace(b"205", b"206")
    server.put(REPO, {"README.md": newer})
    assert push(one, REPO).card_kept
    assert server.files(REPO)["README.md"] == newer
    assert not push(one, REPO, overwrite_card=True).card_kept
    assert server.files(REPO)["README.md"] == rendered


def test_card_that_nobody_edited_is_replaced(server, one):
    older = card.render_card(ModelRepository(one).config, METRICS | {"images": 1})
    server.put(REPO, {"README.md": older.encode()})
    assert not push(one, REPO).card_kept
    assert server.files(REPO)["README.md"] == (one / "README.md").read_bytes()


# Space


@pytest.fixture
def project(tmp_path, monkeypatch):
    root = tmp_path / "project"
    for name in (
        "app.py",
        "requirements.txt",
        "train.py",
        "hairseg/__init__.py",
        "hairseg/model.py",
        "hairseg/bundled/config.json",
        "hairseg/__pycache__/model.pyc",
        "runs/x/config.json",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "README.md").write_text("---\ntitle: HairSeg\nsdk: gradio\napp_file: app.py\n---\n# HairSeg\n")
    monkeypatch.setattr(publishing, "PROJECT", root)
    return root


def test_space_is_created_and_updated(server, one, project):
    publish(server, one)
    assert space("ada/hair-page", REPO) == Deployed(f"{server.url}/spaces/ada/hair-page", needs_token=False)
    made = server.repo("ada/hair-page", "spaces")
    assert made.sdk == "gradio" and made.variables["HAIRSEG_REPO"]["value"] == REPO
    files = server.files("ada/hair-page", kind="spaces")
    assert files.keys() == {
        ".gitattributes",
        "README.md",
        "app.py",
        "requirements.txt",
        "hairseg/__init__.py",
        "hairseg/model.py",
        "hairseg/bundled/config.json",
    }
    (project / "hairseg" / "model.py").rename(project / "hairseg" / "network.py")
    space("ada/hair-page", f"{REPO}@main")
    files = server.files("ada/hair-page", kind="spaces")
    assert "hairseg/network.py" in files and "hairseg/model.py" not in files
    assert server.repo("ada/hair-page", "spaces").variables["HAIRSEG_REPO"]["value"] == f"{REPO}@main"


def test_space_mistakes(server, one, project, monkeypatch):
    fails(lambda: space("ada/page", "ada/nothing"), "has no repository ada/nothing")
    publish(server, one)
    fails(lambda: space("ada/page", f"{REPO}@v9"), "no revision 'v9'")
    fails(lambda: space("page", REPO), "'page'")
    fails(lambda: space("bob/page", REPO), "may not write to bob/page")
    monkeypatch.setenv("HF_TOKEN", READER)
    fails(lambda: space("ada/page", REPO), "read-only")
    (project / "app.py").unlink()
    fails(lambda: space("ada/page", REPO), "app.py")
    assert not server.exists("ada/page", "spaces")


# The command line


def test_command_line(server, one, tmp_path, monkeypatch, capsys):
    def command(*arguments: str) -> int | None:
        monkeypatch.setattr(sys, "argv", ["hub", *arguments])
        with pytest.raises(SystemExit) as end:
            run(hub_command.main)
        return end.value.code

    assert command("push", str(one), REPO, "--private") is None
    assert f"pushed: {server.url}/{REPO} (tag " in capsys.readouterr().out and server.repo(REPO).private
    assert command("pull", REPO, "--output", str(tmp_path / "out")) is None
    assert contents(tmp_path / "out") == contents(one)
    server.put(REPO, {"README.md": b"edited"})
    assert command("push", str(one), REPO, "--private") is None and "--overwrite-card" in capsys.readouterr().out
    server.__exit__()
    assert command("pull", REPO) is None and "cached copy" in capsys.readouterr().out
    assert command("push", str(one), REPO) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "cannot be reached" in said and f"push {one} {REPO}" in said


def test_command_line_with_a_hub_that_never_answers(tmp_path):
    with HubServer(tmp_path / "hub") as silent:
        silent.faults.add("stall")
        environment = {
            "HF_ENDPOINT": silent.url,
            "HF_HOME": str(tmp_path / "home"),
            "HF_TOKEN": WRITER,
            "HF_HUB_DOWNLOAD_TIMEOUT": "1",
            "OMP_NUM_THREADS": "1",
        }
        done = subprocess.run(
            [sys.executable, "-m", "hairseg.hub", "pull", REPO],
            cwd=PROJECT,
            text=True,
            timeout=NOT_HANGING,
            capture_output=True,
            env={**os.environ, **environment},
        )
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "did not answer in time" in done.stderr


# The stand-in itself, where the tests above do not look


def test_server_ranges_and_origins(server, one):
    publish(server, one)
    client = http.Client()
    large = client.get(f"{server.url}/{REPO}/resolve/main/{WEIGHTS}")
    assert large.status_code == 302 and large.headers["location"].startswith(server.storage_url)
    part = client.get(large.headers["location"], headers={"Range": "bytes=10-19"})
    weights = (one / WEIGHTS).read_bytes()
    assert part.status_code == 206 and part.content == weights[10:20]
    assert part.headers["content-range"] == f"bytes 10-19/{len(weights)}"
    assert client.get(large.headers["location"], headers={"Range": f"bytes={len(weights)}-"}).status_code == 416
    client.close()


def test_server_keeps_its_state(tmp_path, one, monkeypatch):
    first = HubServer(tmp_path / "hub")
    with first:
        publish(first, one)
    with HubServer(tmp_path / "hub") as second:
        point_client_at(second.url, tmp_path, monkeypatch)
        assert second.files(REPO) == contents(one)
        api = HfApi()
        api.create_branch(REPO, branch="next")
        api.create_tag(REPO, tag="v1", revision="next")
        refs = api.list_repo_refs(REPO)
        assert [branch.name for branch in refs.branches] == ["main", "next"] and [tag.name for tag in refs.tags] == [
            "v1"
        ]
        api.delete_tag(REPO, tag="v1")
        assert api.list_repo_refs(REPO).tags == []
