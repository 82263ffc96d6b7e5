"""An HTTP server that does what it should not: fault answers, and answers cut off, stalled or dripping."""

import contextlib
import json
import re
import socket
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler

OTHER_BYTES = bytes(255 - byte for byte in range(256))
KINDS = ("status", "stall", "drop", "cut", "corrupt", "drip")


@dataclass
class Fault:
    """What goes wrong with the requests it matches.

    kind     status: answer with `status`, `message` and X-Error-Code `code`; after `at` bytes of what is sent, if
             given, and hang up on the rest
             stall: fall silent, after `at` bytes of the body if given, else before the answer
             drop: hang up without an answer
             cut: hang up after `at` bytes of the body (sent, or received with PUT and POST)
             corrupt: as many bytes, but other ones
             drip: one byte of the body every `at` seconds
    method   the requests' method, any when empty; HEAD is only matched by name
    path     what the requests' path has in it, a regular expression
    times    so many requests, then never again; None: every one
    """

    kind: str
    path: str = ""
    method: str = ""
    times: int | None = None
    at: float = 0
    status: int = 500
    code: str = ""
    message: str = "Internal Error - We're working hard to fix this as soon as possible!"


class Faults:
    def __init__(self):
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, kind: str, **details) -> None:
        if kind not in KINDS:
            raise ValueError(f"the fault {kind!r} is not known: expected one of {', '.join(KINDS)}.")
        self._faults.append(Fault(kind, **details))

    def clear(self) -> None:
        self._faults.clear()

    def take(self, method: str, path: str) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                wanted = method == fault.method if fault.method else method != "HEAD"
                if wanted and re.search(fault.path, path) and fault.times != 0:
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
        return None


class Refusal(Exception):
    """An answer other than success, as the Hub words it."""

    def __init__(self, status: int, message: str, code: str = "", **extra):
        self.status, self.message, self.code, self.extra = status, message, code, extra


class FaultyHandler(BaseHTTPRequestHandler):
    """Reads a request, applies faults, and writes the answer of `respond`."""

    protocol_version = "HTTP/1.1"
    hub: "HubServer"  # noqa: F821 (it imports this module)

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.hub._connections.add(self.connection)

    def finish(self) -> None:
        self.hub._connections.discard(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError, ValueError):
            super().handle()

    def log_message(self, *_) -> None:
        pass

    def do_GET(self) -> None:
        self.note_request()
        fault = self.hub.faults.take(self.command, self.path)
        if fault and fault.kind == "stall" and not fault.at:
            self.hub._stopping.wait()
        if fault and (fault.kind == "drop" or (fault.kind == "stall" and not fault.at)):
            self.close_connection = True
            return
        length = int(self.headers.get("Content-Length") or 0)
        if fault and fault.kind == "cut" and length:
            self.rfile.read(min(length, int(fault.at)))
            self.close_connection = True
            return
        refused_midway = fault and fault.kind == "status" and fault.at
        wanted = min(length, int(fault.at)) if refused_midway else length
        self.body = self.rfile.read(wanted)
        self.close_connection |= bool(refused_midway) or len(self.body) < wanted
        if len(self.body) < wanted:  # the caller was killed
            return
        try:
            if fault and fault.kind == "status":
                raise Refusal(fault.status, fault.message, fault.code)
            status, headers, content = self.respond()
        except Refusal as refusal:
            status = refusal.status
            content = json.dumps({"error": refusal.message, **refusal.extra}).encode()
            headers = {"Content-Type": "application/json", "X-Error-Message": refusal.message}
            if refusal.code:
                headers["X-Error-Code"] = refusal.code
        self.answer(status, headers, content, fault)

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    def answer(self, status: int, headers: dict[str, str], content: bytes, fault: Fault | None) -> None:
        if fault and fault.kind == "corrupt":
            content = content.translate(OTHER_BYTES)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault and fault.kind == "drip":
            for byte in content:
                if self.hub._stopping.wait(fault.at):
                    break
                self.wfile.write(bytes([byte]))
        elif fault and fault.kind in ("cut", "stall"):
            self.wfile.write(content[: int(fault.at)])
            if fault.kind == "stall":
                self.hub._stopping.wait()
            self.close_connection = True
        else:
            self.wfile.write(content)

    def note_request(self) -> None:
        self.hub.requests.append(f"{self.command} {self.path}")

    def ranged(self, headers: dict[str, str], content: bytes) -> tuple[int, dict, bytes]:
        """The whole content, or the part that a Range header asks for."""
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range") or "")
        headers = {**headers, "Accept-Ranges": "bytes"}
        if not asked:
            return 200, headers, content
        first, last = asked.groups()
        start = int(first) if first else max(0, len(content) - int(last))
        end = min(int(last), len(content) - 1) if first and last else len(content) - 1
        if start > end:
            return 416, {**headers, "Content-Range": f"bytes */{len(content)}"}, b""
        return 206, {**headers, "Content-Range": f"bytes {start}-{end}/{len(content)}"}, content[start : end + 1]
