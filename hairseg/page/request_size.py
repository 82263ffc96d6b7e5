"""How long a request may be: Gradio bounds each file of an upload, and holds whatever else comes in memory."""

import asyncio
import re
from contextlib import AsyncExitStack, suppress

from fastapi import HTTPException
from gradio.route_utils import API_PREFIX, GradioMultiPartParser, MultiPartException
from gradio.state_holder import SessionState, StateHolder
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hairseg.errors import InputError

LARGEST_FILE = 200 * 2**20  # bytes, of an upload

LARGEST_UPLOAD = LARGEST_FILE + 2**20  # bytes of a request that uploads, whose files go to the disk as they come

FILES = 4  # of an upload, each of which is open until all have come; the page and its clients send one

UPLOAD = f"{API_PREFIX}/upload"

LARGEST_REQUEST = 32_000_000  # bytes of a call, which may hold a photo

CALLS = re.compile(rf"{API_PREFIX}/((api|run|call)/.*|queue/join|mcp(/.*)?)")

LARGEST_OTHER = 1_000_000  # bytes of any other request, such as a frame of the camera

LONG_AT_ONCE = 8  # requests of more than that which are held at once

PATIENCE = 120.0  # seconds that a request held in memory may take to arrive, or the next piece of an upload

LONGEST_NAME = 100  # characters of a session's name; Gradio keeps it as long as the session

TOO_LONG = str(
    InputError(
        "The request is too long",
        "upload the photo as a file",
    )
)

TOO_SLOW = str(InputError("The request did not arrive", "upload the photo as a file"))

TOO_MANY = str(
    InputError("Too many long requests are under way", "try again in a minute, or upload the photo as a file")
)


class BoundedRequests:
    """ASGI middleware: a request that is too long is answered with status 413, and no more than it may be is held."""

    def __init__(self, app: ASGIApp):
        self.app = app
        self.long_ones = asyncio.Semaphore(LONG_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        path = own_path(scope)
        if path == UPLOAD:
            with suppress(ClientDisconnect):  # a visitor who has left
                try:
                    await self.app(scope, _bounded(receive), send)
                except TimeoutError:
                    await JSONResponse({"error": TOO_SLOW}, 408)(scope, receive, send)
            return
        largest = LARGEST_REQUEST if CALLS.fullmatch(path) else LARGEST_OTHER
        told = Headers(scope=scope).get("content-length", "")
        too_long, is_held = told.isdecimal() and int(told[:20]) > largest, False
        async with AsyncExitStack() as stack:
            body = bytearray()
            message: Message = {"more_body": True}
            try:
                async with asyncio.timeout(PATIENCE):
                    while message.get("more_body") and not too_long:
                        message = await receive()
                        body += message.get("body", b"")
                        too_long = len(body) > largest
                        if len(body) > LARGEST_OTHER and not is_held:
                            if self.long_ones.locked():
                                return await JSONResponse({"error": TOO_MANY}, 503)(scope, receive, send)
                            is_held = await stack.enter_async_context(self.long_ones) or True
            except TimeoutError:
                return await JSONResponse({"error": TOO_SLOW}, 408)(scope, receive, send)
            if too_long:
                return await JSONResponse({"error": TOO_LONG}, 413)(scope, receive, send)
            waiting = [{**message, "body": bytes(body)}]
            del body

            async def received() -> Message:
                return waiting.pop() if waiting else await receive()

            await self.app(scope, received, send)


def own_path(scope: Scope) -> str:
    """The address that is asked for, without the path that a proxy serves the page under."""
    return scope["path"].removeprefix(scope.get("root_path", ""))


def _bounded(receive: Receive) -> Receive:
    """What comes, until it is more than an upload may be: then Gradio's answer, which goes by its words, is 413."""
    length = 0

    async def received() -> Message:
        nonlocal length
        async with asyncio.timeout(PATIENCE):
            message = await receive()
        length += len(message.get("body", b""))
        if length > LARGEST_UPLOAD:
            raise MultiPartException(f"The upload exceeds the maximum allowed size of {LARGEST_FILE} bytes.")
        return message

    return received


class FilesAlone(GradioMultiPartParser):
    """Gradio's parser of uploads, without fields that are no files, which it would hold in memory."""

    def __init__(self, *args, **options):
        super().__init__(*args, **{**options, "max_fields": 0, "max_files": FILES})


class ShortNames(StateHolder):
    """Gradio's sessions, none of which has a long name."""

    def __getitem__(self, session_id: str) -> SessionState:
        if len(session_id) > LONGEST_NAME:
            raise HTTPException(422, "The session has too long a name.")
        return super().__getitem__(session_id)
