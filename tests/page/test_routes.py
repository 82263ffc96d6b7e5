"""Of Gradio's addresses, those that a page has no use for are closed, with and without a password."""

import json
import socket
import threading
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pytest
from conftest import draw_portrait, served
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from hairseg.images import encode_png
from hairseg.page.components import NOT_UPLOADED
from hairseg.page.layout import build_page, names_addresses
from hairseg.page.models import Model, Models
from hairseg.page.routes import NOT_HERE
from hairseg.page.style import look
from hairseg.prediction import HairPredictor


@pytest.fixture(scope="module")
def address(small_repository):
    with served(build_page(HairPredictor(small_repository)), **look()) as url:
        yield url


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
    ],
)
def test_what_the_page_has_no_use_for_is_closed(address, path):
    assert asked(address, path) == (404, json.dumps({"error": NOT_HERE}, separators=(",", ":")))


def test_recordings_are_not_kept(address, tmp_path):
    status, said = asked(address, "gradio_api/process_recording", b"x" * 100)
    assert (status, json.loads(said)) == (404, {"error": NOT_HERE})


def test_what_the_page_uses_is_open(address):
    for path in ("", "config", "theme.css", "pwa_icon/192", "pwa_icon/512", "gradio_api/info", "manifest.json"):
        assert asked(address, path)[0] == 200, path
    assert (
        asked(address, "gradio_api/run/segment", b'{"data": [null]}', **{"Content-Type": "application/json"})[0] != 404
    )


def uploaded(address: str, content: bytes) -> str:
    """Path of a file on the server, after its upload."""
    form = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n' + content + b"\r\n--x--\r\n"
    _, paths = asked(address, "gradio_api/upload", form, **{"Content-Type": "multipart/form-data; boundary=x"})
    return json.loads(paths)[0]


@pytest.mark.parametrize("part", ["bytes=0-1,5-6", "bytes=1-2-3", "bytes=\xb2-\xb2", "bytes=-", "lines=1-2"])
def test_an_odd_range_gets_the_whole_file(address, part, logged):
    """Guards against a traceback in the log for a header that HTTP allows."""
    path = f"gradio_api/file={uploaded(address, b'0123456789')}"
    assert asked(address, path, Range=part) == (200, "0123456789")
    assert asked(address, path, Range="bytes=2-4") == (206, "234")
    assert "Traceback" not in logged()


def test_a_visitor_who_leaves_during_an_upload_leaves_no_traceback(address, logged):
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
        ("component_server", {"data": 1, "component_id": 99999, "session_hash": "x", "fn_name": "example"}),
    ],
)
def test_what_does_not_exist_is_not_found_and_leaves_no_traceback(address, path, body, logged):
    status, said = asked(
        address, f"gradio_api/{path}", json.dumps(body).encode(), **{"Content-Type": "application/json"}
    )
    assert (status, json.loads(said)) == (404, {"error": NOT_HERE})
    assert "Traceback" not in logged()


def test_those_who_cannot_be_told_their_rank_do_not_end_the_queue(small_repository):
    gate, predictor = threading.Event(), HairPredictor(small_repository)
    photo = save_bytes_to_cache(encode_png(draw_portrait(0, 64)[0]), "a.png", get_upload_folder())
    page = build_page(Models([Model("drawn")], load=lambda model: gate.wait(60) and predictor))
    event = next(number for number, block_fn in page.fns.items() if block_fn.name == "show_masks")

    def join(address: str, session: str, look: int) -> int:
        values = [{"path": photo, "look": look, "edit": 0, "strokes": [], "model": None}, "Mask"]
        body = json.dumps({"data": values, "fn_index": event, "session_hash": session}).encode()
        return asked(address, "gradio_api/queue/join", body, **{"Content-Type": "application/json"})[0]

    with served(page, **look()) as address:
        sessions = [f"session {number}" for number in range(6)]  # two more than are at work at once
        assert [join(address, session, 1) for session in sessions] == 6 * [200]
        assert [join(address, "", 1) for _ in range(3)] == 3 * [200]
        gate.set()
        with urllib.request.urlopen(f"{address}gradio_api/queue/data?session_hash=session%205") as stream:
            told = (json.loads(line[5:]) for line in stream if line.startswith(b"data:"))
            assert any(message["msg"] == "process_completed" and message["success"] for message in told)
        assert join(address, "somebody", 2) == 200


def test_asking_for_a_call_that_nobody_made_leaves_no_traceback(address, logged):
    host, port = urlsplit(address).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as visitor:
        visitor.sendall(b"GET /gradio_api/call/segment/no_such_call HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        while visitor.recv(4096):
            pass
    time.sleep(0.3)
    assert "Traceback" not in logged()


def test_a_photo_that_lies_elsewhere_is_not_fetched(address):
    for path in ("http://127.0.0.1:9/a.jpg", "HTTPS://example.org/a.jpg", " http://example.org"):
        file = {"path": path, "meta": {"_type": "gradio.FileData"}}
        assert names_addresses([file]) and names_addresses([[{"deep": file}]])
        call = json.dumps({"data": [file]}).encode()
        _, said = asked(address, "gradio_api/run/segment", call, **{"Content-Type": "application/json"})
        assert NOT_UPLOADED in json.loads(said)["error"]
    assert not names_addresses(
        [{"path": "/tmp/http:/x.jpg", "meta": {}}, "http://example.org", {"url": "http://x"}, None]
    )
