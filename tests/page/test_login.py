"""Logins need the right credentials, and are delayed after a failure."""

import asyncio
import time

import pytest
from conftest import run_apart

from hairseg.page import security
from hairseg.page.security import Login


@pytest.mark.parametrize(
    "user, password",
    [("ada", "se"), ("ada", ""), ("", "se:cret"), ("ada:se", "cret"), ("ada\0se:cret", ""), ("änne", "x")],
)
def test_only_the_right_credentials_are_accepted(user, password):
    assert run_apart(Login("ada:se:cret").check("ada", "se:cret"))
    assert not run_apart(Login("ada:se:cret").check(user, password))


def test_logins_are_delayed_after_a_failure(monkeypatch):
    monkeypatch.setattr(security, "LOGIN_DELAY_SECONDS", 0.05)
    login, times = Login("ada:secret"), []

    async def guess(word):
        answer = await login.check("ada", word)
        times.append(time.monotonic())
        return answer

    async def attack():
        return await asyncio.gather(*(guess(str(number)) for number in range(8)))

    assert run_apart(attack()) == [False] * 8
    assert times[-1] - times[0] >= 7 * 0.05
    assert run_apart(login.check("ada", "secret")) is True
