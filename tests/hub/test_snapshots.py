"""The cache: what broke off or arrived damaged is not served, and the last whole copy is."""

import json
import os
from pathlib import Path

import pytest
from hub_testing import (
    FAULTS,
    REPO,
    WEIGHTS,
    contents,
    fails,
    other_weights,
    publish,
)
from huggingface_hub import constants

from hairseg.hub.errors import HubError
from hairseg.hub.resolve import resolve


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
    server.put(REPO, {"config.json": config, WEIGHTS: other_weights(weights)})
    begin(fault)
    found = resolve(REPO)
    assert found.commit == old and words in found.reason and "cached copy" in str(found)
    assert contents(found.folder)[WEIGHTS] == weights


def test_after_a_broken_pull_the_new_state_comes_whole(server, one, misbehave):
    publish(server, one)
    resolve(REPO)
    new = server.put(REPO, {WEIGHTS: other_weights((one / WEIGHTS).read_bytes())})
    fault = FAULTS["cut within the weights"][0]
    misbehave[0](fault)
    assert resolve(REPO).commit != new
    misbehave[1](fault)
    found = resolve(REPO)
    assert found.commit == new and found.reason is None
    assert contents(found.folder)[WEIGHTS] == other_weights((one / WEIGHTS).read_bytes())


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
    weights.resolve().write_bytes(other_weights(weights.read_bytes()))
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
    shared.write_bytes(other_weights(shared.read_bytes()))
    assert contents(resolve(REPO).folder)[WEIGHTS] == (one / WEIGHTS).read_bytes()


def test_file_missing_in_the_repository(server, one):
    publish(server, one)
    commit = server.put(REPO, {WEIGHTS: None})
    fails(lambda: resolve(REPO), f"{REPO}@{commit[:7]}/{WEIGHTS} is missing")


@pytest.mark.parametrize("files", [{"README.md": b"a language model"}, {"config.json": b'{"model_type": "bert"}'}])
def test_not_a_hairseg_repository(server, files):
    server.put(REPO, files)
    fails(lambda: resolve(REPO), f"{REPO}@", "config.json")


def test_weights_that_do_not_fit_the_config(server, one):
    publish(server, one)
    config = json.loads((one / "config.json").read_text()) | {"backbone": "mobilenet_v3_large"}
    server.put(REPO, {"config.json": json.dumps(config).encode()})
    fails(lambda: resolve(REPO), f"{REPO}@", WEIGHTS, "tensor")
