"""A fake Hub and a cache for each test."""

import shutil
import threading
from pathlib import Path

import pytest
from hub.fake_hub import FakeHub
from hub.helpers import MAX_SECONDS, SHORT_TIMEOUT_S, configure_client, write_pushable
from huggingface_hub import constants

from hairseg.hub.errors import THREAD_NAME


@pytest.fixture(scope="session")
def both(tmp_path_factory) -> Path:
    return write_pushable(tmp_path_factory.mktemp("both") / "repository")


@pytest.fixture(scope="session")
def one(tmp_path_factory) -> Path:
    """A repository of one variant, which tests must not change."""
    return write_pushable(tmp_path_factory.mktemp("one") / "repository", ("pretrained",))


@pytest.fixture
def server(tmp_path, monkeypatch):
    with FakeHub(tmp_path / "hub") as hub:
        configure_client(hub.url, tmp_path, monkeypatch)
        yield hub
    for thread in threading.enumerate():  # an abandoned call closes the session that the next test shares
        if thread.name == THREAD_NAME:
            thread.join(MAX_SECONDS)
            assert not thread.is_alive()
    for folder in ("hub", "cache"):  # pytest would keep some 50 MB per test
        shutil.rmtree(tmp_path / folder, ignore_errors=True)


@pytest.fixture
def faulty(server, monkeypatch):
    """Two functions: start a fault, where None stops the Hub, and end it."""

    def start(fault: dict | None) -> None:
        server.faults.add(**fault) if fault else server.__exit__()
        is_silent = fault and fault["kind"] == "stall"
        monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", SHORT_TIMEOUT_S if is_silent else 10)

    def end(fault: dict | None) -> None:
        server.faults.clear() if fault else server.__enter__()
        monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 10)

    return start, end
