"""What messengers show of a link to the page, in place of Gradio's own metadata."""

import re
from html import escape
from pathlib import Path

from starlette.responses import FileResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hairseg.page.security import local_path

TITLE = "What is pretraining worth?"

DESCRIPTION = "Two networks find your hair: one from scratch, one that had seen photos before. Then change its colour."

PICTURE = Path(__file__).parent / "preview.jpg"

PICTURE_SIZE = (1200, 630)  # width and height in pixels

PICTURE_TEXT = (
    "A photo between two masks: only the network from scratch calls the beanie hair. Beside them, her hair in violet."
)

GRADIO_TAGS = re.compile(rb"""\s*<meta\s+(?:property|name)="(?:og|twitter):[^>]*>""")


class LinkPreview:
    """ASGI middleware that replaces the preview metadata of the page's HTML."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = local_path(scope) if scope["type"] == "http" else ""
        if path == "/preview.jpg":
            return await FileResponse(PICTURE)(scope, receive, send)
        if path != "/":
            return await self.app(scope, receive, send)
        start: Message = {}
        body = b""

        async def collect(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
                return
            body += message.get("body", b"")
            if message.get("more_body"):
                return
            headers = {name.lower(): value for name, value in start["headers"]}
            content = body
            if headers.get(b"content-type", b"").startswith(b"text/html") and b"content-encoding" not in headers:
                content = with_preview(body, page_address(scope))
            kept = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
            await send({**start, "headers": [*kept, (b"content-length", str(len(content)).encode())]})
            await send({"type": "http.response.body", "body": content})

        await self.app(scope, receive, collect)


def with_preview(page: bytes, address: str) -> bytes:
    """Replace Gradio's preview metadata.

    Example:
        >>> with_preview(b'<head><meta property="og:title" content="Gradio" /></head>', "https://a.org").count(b"og:title")
        1
    """
    picture, (width, height) = f"{address}/preview.jpg", map(str, PICTURE_SIZE)
    properties = {
        "og:type": "website",
        "og:url": f"{address}/",
        "og:title": TITLE,
        "og:description": DESCRIPTION,
        "og:image": picture,
        "og:image:alt": PICTURE_TEXT,
        "og:image:width": width,
        "og:image:height": height,
        "twitter:card": "summary_large_image",
        "twitter:title": TITLE,
        "twitter:description": DESCRIPTION,
        "twitter:image": picture,
        "description": DESCRIPTION,
    }
    tags = "".join(
        f'<meta {"property" if name.startswith("og") else "name"}="{name}" content="{escape(content)}">\n'
        for name, content in properties.items()
    )
    return GRADIO_TAGS.sub(b"", page).replace(b"</head>", f"{tags}</head>".encode(), 1)


def page_address(scope: Scope) -> str:
    """Return the page's public address, also behind a proxy that sets the usual headers."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    scheme = headers.get("x-forwarded-proto", scope.get("scheme", "http")).split(",")[0]
    host = headers.get("x-forwarded-host", headers.get("host", "127.0.0.1")).split(",")[0]
    origin = f"{scheme}://{host}"
    if not re.fullmatch(r"https?://[\w:.\[\]-]+", origin):  # headers are not trusted in markup
        origin = ""
    root_path = scope["app"].root_path.rstrip("/")
    return root_path if root_path.startswith("http") else origin + root_path
