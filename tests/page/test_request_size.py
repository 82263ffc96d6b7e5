"""Requests that are too large are refused before they are in memory."""

import base64
import http.client
import json
import time
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from conftest import draw_portrait, served

from hairseg.images import encode_jpeg
from hairseg.inference.predictor import HairPredictor
from hairseg.page import security, workarounds
from hairseg.page.app import build_page
from hairseg.page.security import TOO_LARGE, TOO_MANY, TOO_SLOW

PHOTO = encode_jpeg(draw_portrait(1)[0])

CALL = json.dumps({"data": [{"url": "data:image/jpeg;base64," + base64.b64encode(PHOTO).decode()}]}).encode()

REFUSED = (413, {"error": TOO_LARGE})


@pytest.fixture(scope="module")
def address(small_repository):
    with served(build_page(HairPredictor(small_repository)), mcp_server=True, max_file_size=20_000) as url:
        yield url


@pytest.fixture
def post(address):
    """Send a request; return the status and the JSON or text of the response."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)

    def send(path: str, content: bytes = b"", **headers: str) -> tuple[int, object]:
        connection.putrequest("POST", path)
        for name, value in {"Content_Type": "application/json", **headers}.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders(content)
        answer = connection.getresponse()
        said = answer.read().decode()
        return answer.status, json.loads(said) if said.startswith(("{", "[")) else said

    yield send
    connection.close()


def chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/call/segment",
        "/gradio_api/run/segment",
        "/gradio_api/queue/join",
        "/gradio_api/component_server",
        "/gradio_api/upload/",
        "/gradio_api/mcp/",
        "/login",
    ],
)
def test_a_large_request_is_refused_before_it_is_read(post, path):
    assert post(path, Content_Length=str(10**15)) == REFUSED


def test_a_chunked_request_is_refused_once_it_is_too_large(post, monkeypatch):
    monkeypatch.setattr(security, "MAX_CALL_BYTES", len(CALL))
    assert post("/gradio_api/call/segment", chunked(CALL, b" "), Transfer_Encoding="chunked") == REFUSED


def test_an_incomplete_request_times_out(post, monkeypatch):
    monkeypatch.setattr(security, "TIMEOUT_SECONDS", 0.3)
    assert post("/gradio_api/call/segment", CALL[:-1], Content_Length=str(len(CALL))) == (408, {"error": TOO_SLOW})


def test_few_large_requests_are_in_memory_at_once(address, post, monkeypatch):
    """Slow large requests do not delay small ones."""
    monkeypatch.setattr(security, "MAX_OTHER_REQUEST_BYTES", len(CALL) // 2)
    slow = [
        http.client.HTTPConnection(urlsplit(address).netloc, timeout=60) for _ in range(security.MAX_LARGE_REQUESTS)
    ]
    for connection in slow:
        connection.putrequest("POST", "/gradio_api/call/segment")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(len(CALL)))
        connection.endheaders(CALL[:-1])
    time.sleep(0.5)
    headers = {"Content_Length": str(len(CALL))}
    assert post("/gradio_api/call/segment", CALL, **headers) == (503, {"error": TOO_MANY})
    assert post("/gradio_api/cancel", b"{}", Content_Length="2")[0] == 422
    for connection in slow:
        connection.send(CALL[-1:])
        assert connection.getresponse().status == 200
        connection.close()
    assert post("/gradio_api/call/segment", CALL, **headers)[0] == 200


def test_uploads_of_many_files_or_without_an_end_are_refused(post, monkeypatch):
    body, headers = upload(FILES, *(workarounds.MAX_FILES + 1) * [b"x"])
    assert post("/gradio_api/upload", body, **headers)[0] == 400
    monkeypatch.setattr(security, "TIMEOUT_SECONDS", 0.3)
    body, headers = upload(FILES, b"x")
    assert post("/gradio_api/upload", body[:-1], **headers) == (408, {"error": TOO_SLOW})


def test_requests_without_a_photo_have_a_lower_limit(post, monkeypatch):
    monkeypatch.setattr(security, "MAX_OTHER_REQUEST_BYTES", len(CALL) - 1)
    for path in ("/gradio_api/component_server", "/login", "/gradio_api/cancel"):
        assert post(path, CALL, Content_Length=str(len(CALL))) == REFUSED


def test_a_chunked_request_is_answered(post, monkeypatch):
    monkeypatch.setattr(security, "MAX_CALL_BYTES", len(CALL))
    pieces = chunked(*(CALL[start : start + 500] for start in range(0, len(CALL), 500)), b"")
    status, said = post("/gradio_api/call/segment", pieces, Transfer_Encoding="chunked")
    assert status == 200 and set(said) == {"event_id"}


def upload(name: str, *contents: bytes) -> tuple[bytes, dict[str, str]]:
    """Return the body and headers of an upload."""
    mark = uuid.uuid4().hex.encode()
    parts = [b"--%s\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (mark, name.encode(), c) for c in contents]
    body = b"".join(parts) + b"--%s--\r\n" % mark
    return body, {
        "Content_Type": f"multipart/form-data; boundary={mark.decode()}",
        "Content_Length": str(len(body)),
    }


FILES = 'name="files"; filename="a.jpg"'


def test_uploads_have_a_higher_limit(post, monkeypatch):
    monkeypatch.setattr(security, "MAX_CALL_BYTES", 100)
    body, headers = upload(FILES, PHOTO)
    status, (path,) = post("/gradio_api/upload", body, **headers)
    assert status == 200 and Path(path).read_bytes() == PHOTO


@pytest.mark.parametrize(
    "name, contents, status, words",
    [
        (FILES, [b"x" * 20_001], 413, "maximum allowed size"),
        (FILES, [b"x" * 15_000] * 3, 413, "maximum allowed size"),
        ('name="files"', [b"x" * 10], 400, "Too many fields"),
    ],
    ids=["one file", "many files", "form field"],
)
def test_a_large_upload_is_refused(post, monkeypatch, name, contents, status, words):
    monkeypatch.setattr(security, "MAX_UPLOAD_BYTES", 40_000)
    body, headers = upload(name, *contents)
    answered, said = post("/gradio_api/upload", body, **headers)
    assert answered == status and words in said


def test_limits_are_the_same_under_a_root_path(small_repository, monkeypatch):
    monkeypatch.setattr(security, "MAX_OTHER_REQUEST_BYTES", 100)
    with served(build_page(HairPredictor(small_repository)), root_path="/hair") as address:
        connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
        for path in ("/gradio_api/call/segment", "/hair/gradio_api/call/segment"):
            connection.request("POST", path, CALL, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            assert (answer.status, set(json.loads(answer.read()))) == (200, {"event_id"})
        connection.close()
