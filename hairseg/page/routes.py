"""Which of Gradio's addresses a page answers, to whom, and what becomes of requests that Gradio stumbles over."""

import re
import sys
import traceback
from pathlib import Path

from gradio.route_utils import API_PREFIX
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hairseg.errors import InputError, printable, summarise
from hairseg.page.events import UNEXPECTED
from hairseg.page.request_size import own_path

# What the page, links to it, gradio_client, plain calls over HTTP and assistants ask for. Gradio has more: it keeps or
# converts recordings, fetches what others name from the internet, draws icons of any size, shows its statistics.
OPEN = re.compile(
    r"(/(config/?|theme\.css|favicon\.ico|preview\.jpg|robots\.txt|manifest\.json|pwa_icon/(192|512)/?|login/?|logout"
    rf"|(assets|static|svelte)/.*|{API_PREFIX[1:]}/(info/?|openapi\.json|startup-events|theme\.css|user/?|login_check/?"
    r"|app_id/?|queue/(join|data|status)|upload/?|upload_progress|component_server/?|cancel|reset/?|heartbeat/[^/]+"
    r"|file=(?!\s*https?:).*|(api|run|call|call/v2)/.*|mcp(/.*)?))?)?",
    re.IGNORECASE | re.DOTALL,
)

LONGEST_ADDRESS = 2000  # bytes, with what is asked; Gradio keeps some of that

# Of a file; Gradio stumbles over several, and over no numbers.
PART = re.compile(rb"bytes=(\d{1,18}-\d{0,18}|-\d{1,18})")

NOT_HERE = str(InputError("This page has no such address", "one that it links to"))

NOT_SENT_BY_BROWSERS = str(InputError("The page cannot read these values", "those that its controls send"))


class OwnRoutes:
    """ASGI middleware: what is not `OPEN` is answered with status 404, and what Gradio stumbles over with 400.

    What another site has a visitor's browser ask for comes without the visitor's login, but for links to the page.
    """

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        path, headers = own_path(scope), Headers(scope=scope)
        is_upload = headers.get("content-type", "").lower().startswith("multipart/") and "component_server" in path
        is_long = len(scope.get("raw_path") or path) + len(scope["query_string"]) > LONGEST_ADDRESS
        # as far as the browser tells; Gradio's cookies come along from anywhere, and it allows whatever other sites ask
        is_foreign = headers.get("sec-fetch-site") in ("cross-site", "same-site")
        is_link = scope["method"] in ("GET", "HEAD") and headers.get("sec-fetch-mode") == "navigate"
        if not OPEN.fullmatch(path) or is_upload or is_long or (is_foreign and path == "/logout"):
            return await JSONResponse({"error": NOT_HERE}, 404)(scope, receive, send)
        dropped = {b"cookie"} if is_foreign and not is_link else set()
        if b"range" in dict(scope["headers"]) and not PART.fullmatch(headers["range"].encode("latin-1")):
            dropped.add(b"range")
        kept = [(name, value) for name, value in scope["headers"] if name not in dropped]
        is_answered = False

        async def answer(message: Message) -> None:
            nonlocal is_answered
            is_answered = True
            await send(message)

        try:
            await self.app({**scope, "headers": kept}, receive, answer)
        except ClientDisconnect:  # a visitor who has left
            pass
        except Exception as error:
            print(f"note: {scope['method']} {printable(path)[:80]}: {described(error)}", file=sys.stderr)
            is_ours = isinstance(error, (OSError, MemoryError))  # a full disk, say
            if not is_answered:
                said, status = (UNEXPECTED, 500) if is_ours else (NOT_SENT_BY_BROWSERS, 400)
                await JSONResponse({"error": said}, status)(scope, receive, send)


def described(error: Exception) -> str:
    """What an exception says and where it was raised, on one line for the owner's log."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {printable(summarise(error))} ({Path(place.filename).name}:{place.lineno})"
