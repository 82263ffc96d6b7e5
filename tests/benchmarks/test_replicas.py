"""Retries in the benchmark of two replicas, without the page."""

import importlib

import httpx
import pytest
from conftest import PROJECT

from hairseg.errors import InputError


@pytest.fixture
def replicas(monkeypatch):
    monkeypatch.syspath_prepend(PROJECT / "benchmarks")
    module = importlib.import_module("replicas")
    monkeypatch.setattr(module, "RETRY_SECONDS", 0)
    return module


def test_a_failed_visit_is_retried(replicas, monkeypatch):
    answers = iter([httpx.ConnectError("refused"), InputError("/segment failed."), None])

    def visit(*_: object) -> None:
        if error := next(answers):
            raise error

    monkeypatch.setattr(replicas, "visit", visit)
    _, failures = replicas.visit_until_served("http://127.0.0.1:1", "1.jpg", b"")
    assert failures == 2


def test_a_visitor_who_is_never_served_is_an_error(replicas, monkeypatch):
    def visit(*_: object) -> None:
        raise httpx.ConnectError("refused")

    monkeypatch.setattr(replicas, "visit", visit)
    with pytest.raises(InputError, match=r"1\.jpg failed 40 times"):
        replicas.visit_until_served("http://127.0.0.1:1", "1.jpg", b"")
