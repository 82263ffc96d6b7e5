"""The time limit of calls without progress."""

import threading
import time

import pytest
from hub.helpers import MAX_SECONDS
from huggingface_hub import constants

from hairseg.hub.errors import stop_when_silent


@pytest.fixture
def limit_s(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.1)
    return 0.4


def test_a_silent_call_is_stopped(limit_s):
    started = time.monotonic()
    with pytest.raises(TimeoutError, match="no data for"):
        stop_when_silent(lambda report_progress: threading.Event().wait(MAX_SECONDS))
    assert limit_s <= time.monotonic() - started < MAX_SECONDS


def test_a_call_with_progress_may_take_longer(limit_s):
    def work(report_progress):
        for _ in range(20):
            threading.Event().wait(limit_s / 10)
            report_progress()
        return "done"

    assert stop_when_silent(work) == "done"


def test_exceptions_are_passed_on():
    with pytest.raises(ZeroDivisionError):
        stop_when_silent(lambda report_progress: 1 / 0)
