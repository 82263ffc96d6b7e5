"""Restrict paths, sizes and origins of requests by ASGI middleware, and slow down password guessing."""

import asyncio
import re
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from hmac import compare_digest
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from gradio.route_utils import API_PREFIX, MultiPartException
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hairseg.errors import InputError, printable, summarise

# The page itself, gradio_client, curl and MCP need these. Gradio's other addresses keep recordings, fetch URLs, render
# icons of any size, show statistics.
ALLOWED_PATHS = re.compile(
    r"(/(config/?|theme\.css|favicon\.ico|health|preview\.jpg|robots\.txt|manifest\.json|pwa_icon/(192|512)/?|login/?|logout"
    rf"|(assets|static|svelte|modules)/.*|{API_PREFIX[1:]}/(info/?|openapi\.json|startup-events|theme\.css|user/?"
    r"|login_check/?|app_id/?|queue/(join|data)|upload/?|component_server/?|cancel|heartbeat/[^/]{1,100}"
    r"|file=(?!\s*https?:).*|(api|run|call|call/v2)/.*|mcp(/.*)?))?)?",
    re.IGNORECASE | re.DOTALL,
)

MAX_URL_BYTES = 2000  # with the query, parts of which Gradio keeps in memory

BYTE_RANGE = re.compile(rb"bytes=(\d{1,18}-\d{0,18}|-\d{1,18})")  # Starlette fails on anything else

MAX_FILE_BYTES = 200 * 2**20  # of an upload

MAX_UPLOAD_BYTES = MAX_FILE_BYTES + 2**20  # of an upload request, which is streamed to disk

UPLOAD_PATH = f"{API_PREFIX}/upload"

MAX_CALL_BYTES = 32_000_000  # a call may contain a photo as data: URL

CALL_PATHS = re.compile(rf"{API_PREFIX}/((api|run|call)/.*|queue/join|mcp(/.*)?)")

MAX_OTHER_REQUEST_BYTES = 1_000_000  # such as a camera frame

MAX_LARGE_REQUESTS = 8  # above MAX_OTHER_REQUEST_BYTES, in memory at the same time

TIMEOUT_SECONDS = 120.0  # for a complete request in memory, or the next chunk of an upload

NOT_FOUND = "This page has no such address."

MALFORMED = "The request is malformed."

UNEXPECTED = "Something went wrong on the server. Try again, or with another photo."

NOT_UPLOADED = "This photo is not on the server. Upload it first."

TOO_LARGE = (
    f"The request is too large. Send at most {MAX_CALL_BYTES // 10**6} MB in a call and "
    f"{MAX_OTHER_REQUEST_BYTES // 10**6} MB elsewhere, or upload the photo as a file."
)

TOO_SLOW = f"The request did not arrive within {TIMEOUT_SECONDS:.0f} seconds. Upload the photo as a file."

TOO_MANY = "Too many large requests are in progress. Try again in a minute, or upload the photo as a file."

LOGIN_DELAY_SECONDS = 1.0  # after a failed login

FAILED_LOGIN_SECONDS = 60.0  # for which a failed login delays the next ones


def resolve_upload(path: Any, folder: str) -> str | None:
    """Return the path of a file in the folder of uploads and results, or None for any other path.

    Gradio checks paths only in payloads with a `meta` key; without it a payload could name any file of the server. The
    result does not tell whether another file exists.
    """
    with suppress(ValueError, OSError, TypeError):  # a NUL, a loop of links, or not a path
        resolved = Path(path or "/").resolve()
        if resolved.is_relative_to(Path(folder).resolve()) and resolved.is_file():
            return str(resolved)
    return None


class PathAllowlist:
    """ASGI middleware that answers 404 to addresses not in `ALLOWED_PATHS`, and 400 where Gradio raises an exception.

    Requests from other sites lose their cookies, except for links to the page. Paths get the root path back where a
    proxy has removed it.
    """

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        scope, headers = with_root_path(scope), Headers(scope=scope)
        path = local_path(scope)
        is_upload = headers.get("content-type", "").lower().startswith("multipart/") and "component_server" in path
        is_long = len(scope.get("raw_path") or path) + len(scope["query_string"]) > MAX_URL_BYTES
        # browsers send this over https only; Gradio's cookies are not SameSite and it allows any origin
        is_foreign = headers.get("sec-fetch-site") in ("cross-site", "same-site")
        is_link = scope["method"] in ("GET", "HEAD") and headers.get("sec-fetch-mode") == "navigate"
        if not ALLOWED_PATHS.fullmatch(path) or is_upload or is_long or (is_foreign and path == "/logout"):
            return await JSONResponse({"error": NOT_FOUND}, 404)(scope, receive, send)
        dropped = {b"cookie"} if is_foreign and not is_link else set()
        if b"range" in dict(scope["headers"]) and not BYTE_RANGE.fullmatch(headers["range"].encode("latin-1")):
            dropped.add(b"range")
        kept = [(name, value) for name, value in scope["headers"] if name not in dropped]
        has_started = False

        async def send_and_note(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self.app({**scope, "headers": kept}, receive, send_and_note)
        except ClientDisconnect:
            pass
        except Exception as error:
            print(f"note: {scope['method']} {printable(path)[:80]}: {describe_exception(error)}", file=sys.stderr)
            is_servers_fault = isinstance(error, (OSError, MemoryError))  # such as a full disk
            if not has_started:
                message, status = (UNEXPECTED, 500) if is_servers_fault else (MALFORMED, 400)
                await JSONResponse({"error": message}, status)(scope, receive, send)


class RequestSizeLimit:
    """ASGI middleware that answers 413 to requests that are too large, before they are in memory."""

    def __init__(self, app: ASGIApp):
        self.app = app
        self._large = asyncio.Semaphore(MAX_LARGE_REQUESTS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        path = local_path(scope)
        if path == UPLOAD_PATH:
            with suppress(ClientDisconnect):
                try:
                    await self.app(scope, _limit_upload(receive), send)
                except TimeoutError:
                    await JSONResponse({"error": TOO_SLOW}, 408)(scope, receive, send)
            return
        limit = MAX_CALL_BYTES if CALL_PATHS.fullmatch(path) else MAX_OTHER_REQUEST_BYTES
        length = Headers(scope=scope).get("content-length", "")
        if length.isdecimal() and int(length[:20]) > limit:
            return await JSONResponse({"error": TOO_LARGE}, 413)(scope, receive, send)
        body = _RequestBody(self._large, limit)
        try:
            refusal = await body.read(receive)
            if refusal:
                message, status = refusal
                return await JSONResponse({"error": message}, status)(scope, receive, send)
            await self.app(scope, body.replay(receive), send)
        finally:
            body.release()


class _RequestBody:
    """The body of one request, of which a large one holds one of `MAX_LARGE_REQUESTS` places."""

    def __init__(self, places: asyncio.Semaphore, limit: int):
        self._places, self._limit = places, limit
        self._has_place = False
        self._message: Message = {"type": "http.request", "more_body": True}

    async def read(self, receive: Receive) -> tuple[str, int] | None:
        """Read the body. Returns the message and status of a refusal, or None."""
        content = bytearray()
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                while self._message.get("more_body"):
                    self._message = await receive()
                    content += self._message.get("body", b"")
                    if len(content) > self._limit:
                        return TOO_LARGE, 413
                    if len(content) > MAX_OTHER_REQUEST_BYTES and not self._has_place:
                        if self._places.locked():
                            return TOO_MANY, 503
                        await self._places.acquire()
                        self._has_place = True
        except TimeoutError:
            return TOO_SLOW, 408
        self._message = {**self._message, "body": bytes(content)}
        return None

    def replay(self, receive: Receive) -> Receive:
        pending = [self._message]

        async def replayed() -> Message:
            return pending.pop() if pending else await receive()

        return replayed

    def release(self) -> None:
        if self._has_place:
            self._places.release()


def _limit_upload(receive: Receive) -> Receive:
    length = 0

    async def bounded() -> Message:
        nonlocal length
        async with asyncio.timeout(TIMEOUT_SECONDS):
            message = await receive()
        length += len(message.get("body", b""))
        if length > MAX_UPLOAD_BYTES:  # Gradio answers 413 to an exception with these words
            raise MultiPartException(f"The upload exceeds the maximum allowed size of {MAX_FILE_BYTES} bytes.")
        return message

    return bounded


def local_path(scope: Scope | Mapping[str, Any]) -> str:
    """Return the requested path without the root path of a proxy."""
    path, root_path = scope["path"], scope.get("root_path", "")
    return path.removeprefix(root_path) if path == root_path or path.startswith(f"{root_path}/") else path


def with_root_path(scope: Scope) -> Scope:
    """Return the scope as ASGI defines it: the path begins with the root path, whether or not a proxy has removed it.

    Where a path has both meanings, such as /config below /config, the proxy has removed the root path.

    Example:
        >>> scope = with_root_path({"path": "/gradio_api/info", "root_path": "https://example.org/gradio_api"})
        >>> scope["path"], scope["root_path"]
        ('/gradio_api/gradio_api/info', '/gradio_api')
    """
    root_path = re.sub(r"https?://[^/]*", "", unquote(scope.get("root_path", ""))).rstrip("/")
    path = scope["path"]
    if path == f"{root_path}/" or not ALLOWED_PATHS.fullmatch(path):
        path = local_path({"path": path, "root_path": root_path})
    return {**scope, "path": root_path + path, "root_path": root_path}


def describe_exception(error: Exception) -> str:
    """Return an exception's message and place on one line, for the owner's log."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {printable(summarise(error))} ({Path(place.filename).name}:{place.lineno})"


class Login:
    """Checks a user name and password; after a failure, one login a second.

    `gr.Blocks.launch(auth=...)` takes the method `check`: Gradio awaits functions but not callable objects.

    Args:
        credentials: "USER:PASSWORD".
    """

    def __init__(self, credentials: str):
        self.user, _, self.password = credentials.partition(":")
        self._failed_at = float("-inf")
        self._lock = asyncio.Lock()

    async def check(self, user: str, password: str) -> bool:
        async with self._lock:
            if time.monotonic() - self._failed_at < FAILED_LOGIN_SECONDS:
                await asyncio.sleep(LOGIN_DELAY_SECONDS)
            given, expected = (
                text.encode("utf-8", "surrogatepass")
                for text in (f"{user}\0{password}", f"{self.user}\0{self.password}")
            )
            is_right = compare_digest(given, expected)
            self._failed_at = float("-inf") if is_right else time.monotonic()
            return is_right


def to_message(error: Exception) -> str:
    """Return the message for a visitor. An unexpected exception is logged and not shown."""
    if isinstance(error, InputError):
        return str(error)
    traceback.print_exception(error, file=sys.stderr)
    return UNEXPECTED
