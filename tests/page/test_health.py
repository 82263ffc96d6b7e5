"""/health reports whether the page can serve visitors, cheaply and without a login."""

import asyncio
import json
import urllib.error
import urllib.request
from concurrent.futures import Future
from threading import Event

import pytest
from conftest import run_apart, served

from hairseg.errors import InputError
from hairseg.page import health
from hairseg.page.app import build_page
from hairseg.page.decoder import Decoder
from hairseg.page.health import Health
from hairseg.page.registry import ModelRegistry, ServedModel
from hairseg.page.security import Login

READY = (200, {"status": "ok"})


def unavailable(reason: str) -> tuple[int, dict[str, str]]:
    return 503, {"status": "unavailable", "reason": reason}


class FakeDecoder(Decoder):
    def __init__(self, works: bool | Exception = True):
        super().__init__()
        self.works, self.checks, self.may_answer = works, 0, Event()
        self.may_answer.set()

    def answers(self) -> bool:
        self.checks += 1
        assert self.may_answer.wait(30)
        return self.works


def registry(load=lambda model: "the networks") -> ModelRegistry:
    return ModelRegistry([ServedModel("first"), ServedModel("second")], load, max_megabytes=0)


def fetch(address: str, method: str = "GET") -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, method=method)) as answer:
            assert answer.headers["content-type"] == "application/json"
            assert answer.headers["cache-control"] == "no-store"
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def respond(checked: Health, times: int = 1) -> list[tuple[int, dict[str, str]]]:
    async def respond() -> list[tuple[int, dict[str, str]]]:
        answers = await asyncio.gather(*(checked.respond(None) for _ in range(times)))  # pyright: ignore[reportArgumentType]
        return [(answer.status_code, json.loads(bytes(answer.body))) for answer in answers]

    return run_apart(respond())


def test_a_page_is_available_once_its_default_model_is_loaded():
    models = registry()
    checked = Health(models, FakeDecoder())
    assert respond(checked) == [unavailable("The networks are being loaded.")]
    models.predictor("second")
    assert respond(checked) == [unavailable("The networks are being loaded.")]
    models.predictor()
    assert respond(checked) == [READY]
    models.predictor("second")  # the default model is unloaded, and will be loaded on demand
    assert respond(checked) == [READY]


def test_a_model_that_cannot_be_loaded_is_reported_without_its_path():
    results = [InputError("/srv/models/x is incomplete."), None]

    def load(_: ServedModel) -> str:
        if error := results.pop(0):
            raise error
        return "the networks"

    models = registry(load)
    with pytest.raises(InputError):
        models.predictor()
    assert respond(Health(models, FakeDecoder())) == [unavailable("The networks cannot be loaded; see the log.")]
    models.predictor()
    assert respond(Health(models, FakeDecoder())) == [READY]


def test_a_decoder_that_fails_is_reported():
    models = registry()
    models.predictor()
    assert respond(Health(models, FakeDecoder(works=False))) == [unavailable("The decoder does not answer.")]


def test_many_requests_share_one_check_and_a_hanging_check_blocks_none(monkeypatch):
    monkeypatch.setattr(health, "ANSWER_SECONDS", 0.05)
    models, decoder, now = registry(), FakeDecoder(), [100.0]
    models.predictor()
    checked = Health(models, decoder, clock=lambda: now[0])
    decoder.may_answer.clear()
    assert respond(checked, 50) == [unavailable("The decoder does not answer.")] * 50
    now[0] += 60
    assert respond(checked, 50) == [unavailable("The decoder does not answer.")] * 50
    assert decoder.checks == 1, "no second check while one is pending"
    decoder.may_answer.set()
    assert checked._check
    assert checked._check.result(30)
    monkeypatch.setattr(health, "ANSWER_SECONDS", 30)
    assert respond(checked, 50) == [READY] * 50
    assert decoder.checks == 2, "the pending check was older than five seconds"
    now[0] += 4
    assert respond(checked, 50) == [READY] * 50
    assert decoder.checks == 2


def test_a_decoder_answers_when_idle_or_busy_but_not_if_it_cannot_be_started(monkeypatch):
    decoder = Decoder()
    assert decoder.answers()
    with decoder._process() as process:
        assert decoder.answers(), "busy"
    process.kill()
    process.wait()
    assert decoder.answers(), "another one is started"
    decoder._idle.queue[0].kill()
    decoder._idle.queue[0].wait()
    monkeypatch.setattr("hairseg.page.decoder.sys.executable", "/nonexistent")
    assert not decoder.answers()


def test_the_address_is_open_without_a_login_and_below_a_root_path():
    loaded: Future[str] = Future()
    models = registry(lambda model: loaded.result())
    page = build_page(models)
    page.health = Health(models, FakeDecoder())
    with served(page, auth=Login("ada:secret").check, root_path="/hair") as url:
        base = url.rstrip("/")
        for path in ("/health", "/hair/health"):
            status, text = fetch(base + path)
            assert (status, json.loads(text)) == unavailable("The networks are being loaded.")
        loaded.set_result("the networks")
        models.predictor()
        for path in ("/health", "/hair/health"):
            assert fetch(base + path)[0] == 200
        assert fetch(f"{base}/health", "HEAD") == (200, "")
        assert fetch(f"{base}/health", "POST")[0] == 405
        assert fetch(f"{base}/health/x")[0] == 404
        assert fetch(f"{base}/config")[0] == 401, "everything else needs a login"
