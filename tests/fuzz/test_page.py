"""Any input to the page's events gives a result or a short error, and no file outside of the uploads is read."""

import base64
import json
import re
import shutil
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import pytest
from conftest import PROJECT, draw_portrait, served
from fuzzing import json_values
from gradio.utils import get_upload_folder
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hairseg.images import encode_jpeg
from hairseg.inference.predictor import HairPredictor
from hairseg.page.events import UNEXPECTED
from hairseg.page.layout import build_page
from hairseg.page.session import PageSession

MAX_ERROR_LENGTH = 400  # characters

TIMEOUT = 60  # seconds


class Caller:
    """A client that sends arbitrary events and values."""

    def __init__(self, url: str, config: dict, uploaded: Path, secret: Path):
        self.url, self.uploaded, self.secret = url, uploaded, secret
        values = {part["id"]: part["props"].get("value") for part in config["components"]}
        kinds = {part["id"]: part["type"] for part in config["components"]}
        self.photos = {
            part["id"]
            for part in config["components"]
            if "photo" in (part["props"].get("elem_id"), part["props"].get("label"))
        }
        self.events = [event for event in config["dependencies"] if event["backend_fn"]]
        self.usual = {
            event["id"]: [
                {"path": str(uploaded), "look": 1} if part in self.photos else values[part] for part in event["inputs"]
            ]
            for event in self.events
        }
        self.kinds = kinds
        self.elements = {part["id"]: part["props"].get("elem_id") for part in config["components"]}

    def post(self, path: str, body: bytes) -> tuple[int, str]:
        request = urllib.request.Request(f"{self.url}{path}", body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
                return answer.status, answer.read().decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode("utf-8", "replace")

    def call(self, event: int, data: object) -> tuple[bool, str]:
        """Return whether the event succeeded, and its output."""
        session = uuid.uuid4().hex
        body = json.dumps({"data": data, "fn_index": event, "session_hash": session}).encode()
        status, answer = self.post("gradio_api/queue/join", body)
        if status != 200:
            return False, answer
        with urllib.request.urlopen(
            f"{self.url}gradio_api/queue/data?session_hash={session}", timeout=TIMEOUT
        ) as lines:
            until = time.monotonic() + TIMEOUT  # the queue's heartbeat never ends
            for line in lines:
                assert time.monotonic() < until, "no answer"
                if line.startswith(b"data:") and (message := json.loads(line[5:]))["msg"] == "process_completed":
                    return message["success"], json.dumps(message["output"])
        raise AssertionError("the queue closed without an answer")


@pytest.fixture(scope="module")
def caller(small_repository, tmp_path_factory):
    page = build_page(PageSession(HairPredictor(small_repository)))
    uploads = Path(get_upload_folder()) / uuid.uuid4().hex
    uploads.mkdir(parents=True)
    secret = tmp_path_factory.mktemp("secret") / "secret.png"
    for path, seed in ((uploads / "photo.png", 1), (secret, 2)):
        Image.fromarray(draw_portrait(seed, 64)[0]).save(path)
    with served(page) as url, urllib.request.urlopen(f"{url}config") as config:
        yield Caller(url, json.load(config), uploads / "photo.png", secret)
    shutil.rmtree(uploads)


def paths(caller: Caller) -> st.SearchStrategy[str]:
    """Generate paths of allowed, forbidden and missing files."""
    known = [
        str(caller.uploaded),
        str(caller.secret),
        "/etc/passwd",
        str(PROJECT / "app.py"),
        "",
        ".",
        "\0",
        "x" * 5000,
    ]
    known += [f"{caller.uploaded.parent}/../../{caller.secret}", f"{caller.uploaded}/..", f"file://{caller.secret}"]
    return st.sampled_from(known) | st.text(max_size=20)


def payloads(caller: Caller) -> st.SearchStrategy:
    """Generate values in place of a photo."""
    anything = paths(caller) | json_values
    urls = paths(caller) | st.sampled_from(
        ["data:image/png;base64,", "data:image/png;base64,AAAA", "data:,x", "http://127.0.0.1:1/x"]
    )
    strokes = st.fixed_dictionaries(
        {},
        optional={
            "adds": st.booleans() | json_values,
            "radius": st.floats(0, 0.2) | json_values,
            "points": st.lists(st.floats(-1, 2) | json_values, max_size=8) | json_values,
        },
    )
    keys = {"path": anything, "url": urls | json_values, "look": json_values, "orig_name": paths(caller) | json_values}
    keys |= {"meta": st.just({"_type": "gradio.FileData"}) | json_values, "size": json_values, "mime_type": json_values}
    keys |= {"is_stream": json_values, "edit": json_values, "strokes": st.lists(strokes, max_size=4) | json_values}
    odd = st.fixed_dictionaries({}, optional=keys)
    return odd.map(lambda payload: payload | {"path": str(caller.uploaded)}) | odd | anything


def check(result: tuple[bool, str], log: str) -> None:
    """Expect a result or a short error without the server's paths, and no traceback in answer or log."""
    success, answer = result
    assert "Traceback" not in answer + log, log or answer
    assert not {"secret-", "passwd-", "app-"} & set(re.findall(r"[a-z]+-", answer))  # results have the photo's name
    output = json.loads(answer)
    if not success:
        error = output["error"]
        assert error and "\n" not in error and len(error) < MAX_ERROR_LENGTH, error
        return
    for value in output["data"]:
        if isinstance(value, dict) and "error" in value:
            assert value["error"] != UNEXPECTED, value
            assert value["error"].endswith("."), value
            assert len(value["error"]) < MAX_ERROR_LENGTH, value


@given(data=st.data())
def test_any_photo_for_any_event(caller, logged, data):
    event = data.draw(st.sampled_from([e for e in caller.events if caller.photos & set(e["inputs"])]))
    payload = data.draw(payloads(caller))
    values = [
        payload if part in caller.photos else usual
        for part, usual in zip(event["inputs"], caller.usual[event["id"]], strict=True)
    ]
    check(caller.call(event["id"], values), logged())


@given(data=st.data())
def test_any_value_for_any_event(caller, logged, data):
    event = data.draw(st.sampled_from([e for e in caller.events if e["inputs"]]))
    values = list(caller.usual[event["id"]])
    for index in data.draw(st.sets(st.integers(0, len(values) - 1), min_size=1, max_size=3)):
        values[index] = data.draw(
            json_values | st.sampled_from(["copper", "#8e24aa", "rgba(1.2.3,4,5)", "random", 0.5, "Mask"])
        )
    check(caller.call(event["id"], values), logged())


@given(data=st.data())
def test_any_list_of_values(caller, logged, data):
    event = data.draw(st.sampled_from(caller.events))
    answer = caller.call(event["id"], data.draw(json_values | st.lists(json_values, max_size=12)))
    check(answer, logged())


@given(
    name=st.text(max_size=30)
    | json_values
    | st.sampled_from(["../../app.py", "/etc/passwd", "", ".", "astronaut.jpg\0"])
)
def test_any_name_of_an_example(caller, logged, name):
    photo = next(part for part in caller.photos if caller.kinds[part] == "html")
    body = {"data": name, "fn_name": "example", "component_id": photo, "session_hash": uuid.uuid4().hex}
    _, answer = caller.post("gradio_api/component_server", json.dumps(body).encode())
    errors = logged()
    assert "Traceback" not in answer + errors, errors or answer


FRAME = base64.b64encode(encode_jpeg(draw_portrait(1, 64)[0])).decode()

frames = st.fixed_dictionaries(
    {},
    optional={
        "frame": st.just(FRAME) | st.integers(0, len(FRAME)).map(lambda end: FRAME[:end]) | json_values,
        "colour": st.sampled_from(["copper", "rgba(1.2.3,4,5)"]) | json_values,
        "strength": st.floats(0, 1) | json_values,
        "variant": st.sampled_from(["random", "pretrained"]) | json_values,
        "model": json_values,
    },
)


@given(frame=frames, other=json_values, is_other=st.booleans())
def test_any_frame_of_a_stream(caller, logged, frame, other, is_other):
    element = next(part for part in caller.elements if caller.elements[part] == "live")

    def ask(function: str, data: object) -> object:
        body = {"data": data, "fn_name": function, "component_id": element, "session_hash": uuid.uuid4().hex}
        status, answer = caller.post("gradio_api/component_server", json.dumps(body).encode())
        assert status == 200, answer
        return json.loads(answer)

    began = ask("begin_stream", None)
    answer = ask("recolour_frame", other if is_other else frame | {"stream": began["stream"]})
    ask("end_stream", began["stream"])
    assert "Traceback" not in logged()
    assert "picture" in answer or 0 < len(answer.get("error") or answer["ended"]) < MAX_ERROR_LENGTH
    assert answer.get("error") != UNEXPECTED
