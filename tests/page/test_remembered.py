"""Results are computed once, shared, and failures are tried again."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from hairseg.page.remembered import Remembered


def test_many_who_ask_at_once_share_one_result():
    remembered, calls, release = Remembered(2), [], threading.Event()

    def compute():
        calls.append(1)
        release.wait(10)
        return "mask"

    with ThreadPoolExecutor(8) as pool:
        results = [pool.submit(remembered.get, "a.jpg", compute) for _ in range(8)]
        release.set()
        assert [result.result() for result in results] == ["mask"] * 8 and calls == [1]


def test_a_failure_is_not_remembered():
    """Guards against one full disk or one lack of memory showing the same photo's error for good."""
    remembered = Remembered(2)
    with pytest.raises(MemoryError):
        remembered.get("a.jpg", lambda: (_ for _ in ()).throw(MemoryError()))
    assert remembered.get("a.jpg", lambda: 7) == 7


def test_what_was_used_longest_ago_goes():
    remembered, calls = Remembered(2), []
    for key in ("a", "b", "a", "c", "a", "b"):
        remembered.get(key, lambda key=key: calls.append(key))
    assert calls == ["a", "b", "c", "b"]
