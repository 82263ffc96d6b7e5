"""Whatever is sent to the page's events is answered with a result or one sentence, and no other file is read."""

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
from hairseg.page.app import build_page
from hairseg.page.security import UNEXPECTED

LONGEST_ANSWER = 400  # characters of a sentence on the page

WAIT = 60  # seconds, for an answer that takes a moment


class Caller:
    """A visitor who sends what no browser would."""

    def __init__(self, url: str, config: dict, uploaded: Path, secret: Path):
        self.url, self.uploaded, self.secret = url, uploaded, secret
        values = {part["id"]: part["props"].get("value") for part in config["components"]}
        self.photos = {
            part["id"]
            for part in config["components"]
            if "photo" in (part["props"].get("elem_id"), part["props"].get("label"))
        }
        self.events = [event for event in config["dependencies"] if event["backend_fn"]]
        self.usual = {
            event["id"]: [{"path": str(uploaded)} if part in self.photos else values[part] for part in event["inputs"]]
            for event in self.events
        }
        self.elements = {part["id"]: part["props"].get("elem_id") for part in config["components"]}
        self.studio = next(part for part, name in self.elements.items() if name == "studio")

    def post(self, path: str, body: bytes) -> tuple[int, str]:
        request = urllib.request.Request(f"{self.url}{path}", body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=WAIT) as answer:
                return answer.status, answer.read().decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode("utf-8", "replace")

    def call(self, event: int, data: object) -> tuple[bool, str]:
        """Whether the event was answered with a result, and the answer."""
        session = uuid.uuid4().hex
        body = json.dumps({"data": data, "fn_index": event, "session_hash": session}).encode()
        status, said = self.post("gradio_api/queue/join", body)
        if status != 200:
            return False, said
        with urllib.request.urlopen(f"{self.url}gradio_api/queue/data?session_hash={session}", timeout=WAIT) as lines:
            until = time.monotonic() + WAIT  # the queue's heartbeat goes on for ever
            for line in lines:
                assert time.monotonic() < until, "no answer"
                if line.startswith(b"data:") and (message := json.loads(line[5:]))["msg"] == "process_completed":
                    return message["success"], json.dumps(message["output"])
        raise AssertionError("the queue closed without an answer")


@pytest.fixture(scope="module")
def caller(small_repository, tmp_path_factory):
    page = build_page(HairPredictor(small_repository))
    uploads = Path(get_upload_folder()) / uuid.uuid4().hex
    uploads.mkdir(parents=True)
    secret = tmp_path_factory.mktemp("secret") / "secret.png"
    for path, seed in ((uploads / "photo.png", 1), (secret, 2)):
        Image.fromarray(draw_portrait(seed, 64)[0]).save(path)
    with served(page) as url, urllib.request.urlopen(f"{url}config") as config:
        yield Caller(url, json.load(config), uploads / "photo.png", secret)
    shutil.rmtree(uploads)


def paths(caller: Caller) -> st.SearchStrategy[str]:
    """Of files that a visitor may read, that nobody may, and that are not there."""
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
    """What may stand for a photo."""
    anything = paths(caller) | json_values
    urls = paths(caller) | st.sampled_from(
        ["data:image/png;base64,", "data:image/png;base64,AAAA", "data:,x", "http://127.0.0.1:1/x"]
    )
    keys = {"path": anything, "url": urls | json_values, "orig_name": paths(caller) | json_values}
    keys |= {"meta": st.just({"_type": "gradio.FileData"}) | json_values, "size": json_values, "mime_type": json_values}
    keys |= {"is_stream": json_values}
    odd = st.fixed_dictionaries({}, optional=keys)
    return odd.map(lambda payload: payload | {"path": str(caller.uploaded)}) | odd | anything


def check(caller: Caller, answered: tuple[bool, str], log: str) -> None:
    """A result, or one sentence; nothing of the server's files, and no traceback in the answer or in the log."""
    success, said = answered
    assert "Traceback" not in said + log, log or said
    assert not {"secret-", "passwd-", "app-"} & set(re.findall(r"[a-z]+-", said))  # results bear the photo's name
    output = json.loads(said)
    if not success:
        sentence = output["error"]
        assert sentence and "\n" not in sentence and len(sentence) < LONGEST_ANSWER, sentence
        return
    for value in output["data"]:
        if isinstance(value, dict) and "error" in value:
            assert value["error"].endswith(".") and len(value["error"]) < LONGEST_ANSWER, value


@given(data=st.data())
def test_any_photo_for_any_event(caller, logged, data):
    event = data.draw(st.sampled_from([e for e in caller.events if caller.photos & set(e["inputs"])]))
    payload = data.draw(payloads(caller))
    values = [
        payload if part in caller.photos else usual
        for part, usual in zip(event["inputs"], caller.usual[event["id"]], strict=True)
    ]
    answered = caller.call(event["id"], values)
    check(caller, answered, logged())


@given(data=st.data())
def test_any_value_for_any_event(caller, logged, data):
    event = data.draw(st.sampled_from([e for e in caller.events if e["inputs"]]))
    values = list(caller.usual[event["id"]])
    for index in data.draw(st.sets(st.integers(0, len(values) - 1), min_size=1, max_size=3)):
        values[index] = data.draw(
            json_values | st.sampled_from(["copper", "#8e24aa", "rgba(1.2.3,4,5)", "random", 0.5, "Mask"])
        )
    answered = caller.call(event["id"], values)
    check(caller, answered, logged())


@given(data=st.data())
def test_any_list_of_values(caller, logged, data):
    event = data.draw(st.sampled_from(caller.events))
    answered = caller.call(event["id"], data.draw(json_values | st.lists(json_values, max_size=12)))
    check(caller, answered, logged())


@given(
    name=st.text(max_size=30)
    | json_values
    | st.sampled_from(["../../app.py", "/etc/passwd", "", ".", "astronaut.jpg\0"])
)
def test_any_name_of_an_example(caller, logged, name):
    body = {"data": name, "fn_name": "example", "component_id": caller.studio, "session_hash": uuid.uuid4().hex}
    _, said = caller.post("gradio_api/component_server", json.dumps(body).encode())
    errors = logged()
    assert "Traceback" not in said + errors, errors or said


strokes = st.fixed_dictionaries(
    {},
    optional={
        "adds": st.booleans() | json_values,
        "radius": st.floats(0, 0.2) | json_values,
        "points": st.lists(st.floats(-1, 2) | json_values, max_size=8) | json_values,
    },
)

settings = st.fixed_dictionaries(
    {},
    optional={
        "strokes": st.lists(strokes, max_size=4) | json_values,
        "colour": st.sampled_from(["copper", "rgba(1.2.3,4,5)"]) | json_values,
        "variant": st.sampled_from(["random", "pretrained"]) | json_values,
        "model": json_values,
        "second_mode": st.sampled_from(["none", "ombre"]) | json_values,
        "window": st.lists(st.floats(0, 1), min_size=4, max_size=4) | json_values,
        "kind": st.sampled_from(["alpha", "card"]) | json_values,
        "format": st.sampled_from(["4:5"]) | json_values,
        "link": json_values,
        **dict.fromkeys(
            ("strength", "vividness", "lightness", "natural_roots", "ombre_start"), st.floats(-1, 1) | json_values
        ),
    },
)


@given(data=st.data(), asked=settings, odd=json_values, is_odd=st.booleans())
def test_any_request_of_the_studio(caller, logged, data, asked, odd, is_odd):
    function = data.draw(st.sampled_from(["segment", "recolour", "thumbnails", "detail", "download"]))
    photo = data.draw(st.just(str(caller.uploaded)) | paths(caller) | json_values)
    body = {"data": odd if is_odd else asked | {"photo": photo}, "fn_name": function, "component_id": caller.studio}
    status, said = caller.post("gradio_api/component_server", json.dumps(body | {"session_hash": "x"}).encode())
    answered = json.loads(said)
    assert status == 200 and "Traceback" not in said + logged(), said
    assert not {"secret-", "passwd-", "app-"} & set(re.findall(r"[a-z]+-", said))
    if "error" in answered:
        sentence = answered["error"]
        assert sentence and "\n" not in sentence and len(sentence) < LONGEST_ANSWER and sentence != UNEXPECTED


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


@given(asked=frames, odd=json_values, is_odd=st.booleans())
def test_any_frame_of_a_stream(caller, logged, asked, odd, is_odd):
    element = next(part for part in caller.elements if caller.elements[part] == "live")

    def ask(function: str, data: object) -> object:
        body = {"data": data, "fn_name": function, "component_id": element, "session_hash": uuid.uuid4().hex}
        status, said = caller.post("gradio_api/component_server", json.dumps(body).encode())
        assert status == 200, said
        return json.loads(said)

    began = ask("begin_stream", None)
    answered = ask("recolour_frame", odd if is_odd else asked | {"stream": began["stream"]})
    ask("end_stream", began["stream"])
    assert "Traceback" not in logged()
    assert "picture" in answered or 0 < len(answered.get("error") or answered["ended"]) < LONGEST_ANSWER
    assert answered.get("error") != UNEXPECTED
