"""Which of Gradio's addresses a page does not answer, and what is odd in the headers of the others."""

import re

from gradio.route_utils import API_PREFIX
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from hairseg.errors import InputError

# A page of ours has no use for them: they keep or convert recordings beside its folder, fetch what others name from
# the internet, draw icons of any size, show the owner's statistics, and look after what Gradio's editor makes.
CLOSED = re.compile(
    rf"({re.escape(API_PREFIX)}/(process_recording|monitoring|proxy=|file=\s*https?:|deep_link|stream/|runs|run-history|dev/|vibe)"
    r"|/monitoring|/pwa_icon/(?!(192|512)/?$)).*",
    re.IGNORECASE | re.DOTALL,
)

PART = re.compile(
    rb"bytes=(\d{1,18}-\d{0,18}|-\d{1,18})"
)  # of a file; Gradio stumbles over several, and over no numbers

NOT_HERE = str(InputError("This page has no such address", "one that it links to"))


class OwnRoutes:
    """ASGI middleware: what the page has no use for is answered with status 404."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"].removeprefix(scope.get("root_path", ""))
            if CLOSED.fullmatch(path):
                return await JSONResponse({"error": NOT_HERE}, 404)(scope, receive, send)
            headers = [(name, value) for name, value in scope["headers"] if name != b"range" or PART.fullmatch(value)]
            scope = {**scope, "headers": headers}
        try:
            await self.app(scope, receive, send)
        except RuntimeError as error:
            if not isinstance(error.__cause__, HTTPException):
                raise
            # Gradio knows only once it has begun to answer that there is no such call; what follows is cut off.
