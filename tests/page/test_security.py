"""Paths that the page does not use are closed, and malformed requests get one sentence."""

import json
import socket
import tempfile
import threading
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit
from urllib.request import HTTPCookieProcessor

import pytest
from conftest import draw_portrait, served
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from hairseg.images import encode_png
from hairseg.inference.predictor import HairPredictor
from hairseg.page.app import build_page
from hairseg.page.registry import ModelRegistry, ServedModel
from hairseg.page.security import MALFORMED, NOT_FOUND, NOT_UPLOADED, UNEXPECTED, Login, RequestSizeLimit
from hairseg.page.workarounds import contains_url

UPLOADED = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\nabc\r\n--x--\r\n'


@pytest.fixture(scope="module")
def address(small_repository):
    with served(build_page(HairPredictor(small_repository))) as url:
        yield url


@pytest.fixture(scope="module")
def with_password(small_repository):
    """The address of a page with a password, and the cookies of a visitor who has logged in."""
    with served(build_page(HairPredictor(small_repository)), auth=Login("ada:secret").check) as url:
        cookies = HTTPCookieProcessor()
        urllib.request.build_opener(cookies).open(f"{url}login", b"username=ada&password=secret").close()
        yield url, "; ".join(f"{each.name}={each.value}" for each in cookies.cookiejar)


def asked(address: str, path: str, content: bytes | None = None, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(address + path, content, headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize(
    "path",
    [
        "pwa_icon/8000",
        "pwa_icon/0",
        "pwa_icon/-1",
        "gradio_api/file=http://127.0.0.1/secret",
        "gradio_api/file=HTTPS://example.org/",
        "gradio_api/file=%68ttp://127.0.0.1/secret",
        "gradio_api/proxy=https://example.org/",
        "gradio_api/monitoring",
        "gradio_api/monitoring/summary",
        "monitoring",
        "gradio_api/deep_link?session_hash=x",
        "gradio_api/runs",
        "gradio_api/run-history/records",
        "gradio_api/dev/reload",
        "gradio_api/stream/a/b/1/playlist.m3u8",
        "gradio_api/file/https://example.org/",
        "gradio_api/file/etc/passwd",
        "gradio_api/custom_component/x%0a%1b%5b2J/client/b/c",
        "gradio_api/token",
        "gradio_api/vibe-code",
        "monitoring/x",
        "gradio_api/queue/status",
        "gradio_api/reset",
        "gradio_api/upload_progress?upload_id=x",
        "no-such-address",
    ],
)
def test_addresses_that_the_page_does_not_use_are_closed(address, path):
    assert asked(address, path) == (404, json.dumps({"error": NOT_FOUND}, separators=(",", ":")))


def test_recordings_are_refused(address, tmp_path):
    status, said = asked(address, "gradio_api/process_recording", b"x" * 100)
    assert (status, json.loads(said)) == (404, {"error": NOT_FOUND})


def test_addresses_that_the_page_uses_are_open(address):
    for path in ("", "config", "theme.css", "pwa_icon/192", "pwa_icon/512", "gradio_api/info", "manifest.json"):
        assert asked(address, path)[0] == 200, path
    assert (
        asked(address, "gradio_api/run/segment", b'{"data": [null]}', **{"Content-Type": "application/json"})[0] != 404
    )


def uploaded(address: str, content: bytes) -> str:
    """Upload a file and return its path on the server."""
    form = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n' + content + b"\r\n--x--\r\n"
    _, paths = asked(address, "gradio_api/upload", form, **{"Content-Type": "multipart/form-data; boundary=x"})
    return json.loads(paths)[0]


@pytest.mark.parametrize("part", ["bytes=0-1,5-6", "bytes=1-2-3", "bytes=\xb2-\xb2", "bytes=-", "lines=1-2"])
def test_a_malformed_range_returns_the_complete_file(address, part, logged):
    """Guards against a traceback in the log for a header that is valid HTTP."""
    path = f"gradio_api/file={uploaded(address, b'0123456789')}"
    assert asked(address, path, Range=part) == (200, "0123456789")
    assert asked(address, path, Range="bytes=2-4") == (206, "234")
    assert "Traceback" not in logged()


def test_a_disconnection_during_an_upload_logs_no_traceback(address, logged):
    host, port = urlsplit(address).netloc.split(":")
    with socket.create_connection((host, int(port))) as visitor:
        head = "POST /gradio_api/upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        visitor.sendall(f"{head}Content-Length: 9999\r\n\r\n--x\r\n".encode())
        time.sleep(0.3)
    assert asked(address, "theme.css")[0] == 200
    time.sleep(0.3)
    assert "Traceback" not in logged()


@pytest.mark.parametrize(
    "path, body",
    [
        ("queue/join", {"data": [], "fn_index": 999, "session_hash": "x"}),
        ("run/predict", {"data": [], "fn_index": -1}),
        ("run/no_such_name", {"data": []}),
        ("call/no_such_name", {"data": []}),
        ("call/v2/no_such_name", {}),
        ("call/v2/segment", {"data": [None]}),
        ("component_server", {"data": 1, "component_id": 99999, "session_hash": "x", "fn_name": "example"}),
    ],
)
def test_requests_on_which_gradio_fails_are_one_sentence_and_one_line_in_the_log(address, path, body, logged):
    status, said = asked(
        address, f"gradio_api/{path}", json.dumps(body).encode(), **{"Content-Type": "application/json"}
    )
    assert (status, json.loads(said)) == (400, {"error": MALFORMED})
    (line,) = logged().splitlines()
    assert line.startswith(f"note: POST /gradio_api/{path}: ")


@pytest.mark.parametrize(
    "path, kind, content",
    [
        ("upload", "multipart/form-data; boundary=x; charset=unicode_escape", UPLOADED),
        ("upload", "multipart/form-data; boundary=x; charset=undefined", UPLOADED),
        ("upload", f"multipart/form-data; boundary={300 * 'x'}", UPLOADED),
        ("component_server", "multipart/form-data; boundary=x", UPLOADED[:-5]),
    ],
)
def test_malformed_uploads_leave_no_traceback_and_no_file(address, path, kind, content, logged, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    status, _ = asked(address, f"gradio_api/{path}", content, **{"Content-Type": kind})
    assert status in (200, 400, 404, 422) and "Traceback" not in logged()
    assert list(tmp_path.iterdir()) == []


def test_long_session_names_are_refused(address):
    body = json.dumps({"data": [], "fn_index": 0, "session_hash": 1000 * "x"}).encode()
    for path in ("queue/join", "run/segment"):
        assert asked(address, f"gradio_api/{path}", body, **{"Content-Type": "application/json"})[0] in (400, 422)
    assert asked(address, f"gradio_api/upload_progress?upload_id={2000 * 'x'}")[0] == 404


def test_events_of_the_browser_are_refused_by_the_server(address, logged):
    with urllib.request.urlopen(f"{address}config") as answer:
        alone = [event["id"] for event in json.load(answer)["dependencies"] if not event["backend_fn"]]
    assert alone
    for event in alone:
        body = json.dumps({"data": [None, None, None], "fn_index": event, "session_hash": "x"}).encode()
        _, said = asked(address, "gradio_api/run/predict", body, **{"Content-Type": "application/json"})
        assert json.loads(said)["error"] == MALFORMED
    assert "Traceback" not in logged()


def test_a_session_without_a_message_queue_does_not_end_the_queue(small_repository):
    """Guards `Page.queue`: Gradio looks up a session whose messages it has evicted, or that has no name."""
    gate, predictor = threading.Event(), HairPredictor(small_repository)
    photo = save_bytes_to_cache(encode_png(draw_portrait(0, 64)[0]), "a.png", get_upload_folder())
    page = build_page(ModelRegistry([ServedModel("drawn")], load=lambda model: gate.wait(60) and predictor))
    event = next(number for number, block_fn in page.fns.items() if block_fn.name == "segment")

    def join(address: str, session: str) -> int:
        body = json.dumps({"data": [{"path": photo}, None], "fn_index": event, "session_hash": session}).encode()
        return asked(address, "gradio_api/queue/join", body, **{"Content-Type": "application/json"})[0]

    with served(page) as address:
        sessions = [f"session {number}" for number in range(6)]  # more than run at once
        assert [join(address, session) for session in sessions] == 6 * [200]
        assert [join(address, "") for _ in range(3)] == 3 * [200]
        gate.set()
        with urllib.request.urlopen(f"{address}gradio_api/queue/data?session_hash=session%205") as stream:
            told = (json.loads(line[5:]) for line in stream if line.startswith(b"data:"))
            assert any(message["msg"] == "process_completed" and message["success"] for message in told)
        assert join(address, "somebody") == 200


def test_an_unknown_call_leaves_no_traceback(address, logged):
    host, port = urlsplit(address).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as visitor:
        visitor.sendall(b"GET /gradio_api/call/segment/no_such_call HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        while visitor.recv(4096):
            pass
    time.sleep(0.3)
    assert "Traceback" not in logged()


def test_a_photo_at_a_url_is_not_downloaded(address):
    for path in ("http://127.0.0.1:9/a.jpg", "HTTPS://example.org/a.jpg", " http://example.org"):
        file = {"path": path, "meta": {"_type": "gradio.FileData"}}
        assert contains_url([file]) and contains_url([[{"deep": file}]])
        call = json.dumps({"data": [file]}).encode()
        _, said = asked(address, "gradio_api/run/segment", call, **{"Content-Type": "application/json"})
        assert NOT_UPLOADED in json.loads(said)["error"]
    assert not contains_url([{"path": "/tmp/http:/x.jpg", "meta": {}}, "http://example.org", {"url": "http://x"}, None])


@pytest.mark.parametrize(
    "method, path, site, mode, status",
    [
        ("GET", "gradio_api/info", "same-origin", "cors", 200),
        ("GET", "gradio_api/info", None, None, 200),  # no browser
        ("GET", "", "cross-site", "navigate", 200),  # a link, or a frame of the Hub's
        ("GET", "gradio_api/info", "cross-site", "cors", 401),
        ("GET", "gradio_api/info", "same-site", "no-cors", 401),  # a picture's address
        ("POST", "gradio_api/upload", "cross-site", "navigate", 401),  # a form
        ("GET", "logout", "cross-site", "navigate", 404),
        ("GET", "logout", "cross-site", "no-cors", 404),
    ],
)
def test_a_login_does_not_count_for_requests_from_other_sites(with_password, method, path, site, mode, status):
    address, cookie = with_password
    told = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode} if site else {}
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    content = UPLOADED if method == "POST" else None
    request = urllib.request.Request(address + path, content, {"Cookie": cookie, **told, **(kind if content else {})})
    try:
        with urllib.request.urlopen(request) as answer:
            found, headers = answer.status, answer.headers
    except urllib.error.HTTPError as error:
        found, headers = error.code, error.headers
    assert found == status and "Set-Cookie" not in headers
    assert asked(address, "gradio_api/info", Cookie=cookie)[0] == 200  # still logged in


def test_failures_of_the_server_have_status_500(address, monkeypatch, logged):
    async def failing(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(RequestSizeLimit, "__call__", failing)
    assert asked(address, "config") == (500, json.dumps({"error": UNEXPECTED}, separators=(",", ":")))
    assert "note: GET /config: OSError: [Errno 28] No space left on device (test_security.py:" in logged()
