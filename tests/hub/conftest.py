"""Each test has a Hub of its own, for the genuine client over HTTP."""

import shutil
from pathlib import Path

import pytest
from hub_server import HubServer
from hub_testing import SHORT, point_client_at, write_pushable
from huggingface_hub import constants


@pytest.fixture(scope="session")
def both(tmp_path_factory) -> Path:
    return write_pushable(tmp_path_factory.mktemp("both") / "repository")


@pytest.fixture(scope="session")
def one(tmp_path_factory) -> Path:
    """A repository of one variant, for tests to whom its size does not matter. Nobody changes it."""
    return write_pushable(tmp_path_factory.mktemp("one") / "repository", ("pretrained",))


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A Hub of its own, with a cache of its own, for this process's client."""
    with HubServer(tmp_path / "hub") as running:
        point_client_at(running.url, tmp_path, monkeypatch)
        yield running
    for folder in ("hub", "cache"):  # some 50 MB per test, which pytest would keep for days
        shutil.rmtree(tmp_path / folder, ignore_errors=True)


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
