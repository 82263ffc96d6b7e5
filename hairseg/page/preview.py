"""What a messenger shows of a link to the page, instead of Gradio's own words, which come first in its HTML."""

import re
from pathlib import Path

from starlette.responses import FileResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hairseg.page.request_size import own_path

TITLE = "HairSeg: what is pretraining worth?"

DESCRIPTION = "Hair masks of your photo with and without pretraining, side by side, and your hair in another colour."

PICTURE = Path(__file__).parent / "preview.jpg"

PICTURE_ADDRESS = "/preview.jpg"

FOREIGN = re.compile(rb"""\s*<meta\s+(?:property|name)="(?:og|twitter):[^>]*>""")


class Preview:
    """ASGI middleware: title, description and picture of the page's link are the page's own."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = own_path(scope) if scope["type"] == "http" else ""
        if path == PICTURE_ADDRESS:
            return await FileResponse(PICTURE)(scope, receive, send)
        if path != "/":
            return await self.app(scope, receive, send)
        started: Message | None = None
        body = b""

        async def collect(message: Message) -> None:
            nonlocal started, body
            if message["type"] == "http.response.start":
                started = message
                return
            body += message.get("body", b"")
            if message.get("more_body") or started is None:
                return
            headers = {name.lower(): value for name, value in started["headers"]}
            content = body
            if headers.get(b"content-type", b"").startswith(b"text/html") and b"content-encoding" not in headers:
                content = with_preview(body, address_of(scope))
            started["headers"] = [
                (name, value) for name, value in started["headers"] if name.lower() != b"content-length"
            ] + [(b"content-length", str(len(content)).encode())]
            await send(started)
            await send({"type": "http.response.body", "body": content})

        await self.app(scope, receive, collect)


def with_preview(html: bytes, address: str) -> bytes:
    """The page's HTML with one title, description and picture for messengers.

    Example:
        >>> with_preview(b'<head><meta property="og:title" content="Gradio" /></head>', "https://a.org").count(b"og:title")
        1
    """
    properties = {
        "og:type": "website",
        "og:title": TITLE,
        "og:description": DESCRIPTION,
        "og:image": f"{address}{PICTURE_ADDRESS}",
        "twitter:card": "summary_large_image",
        "twitter:title": TITLE,
        "twitter:description": DESCRIPTION,
        "twitter:image": f"{address}{PICTURE_ADDRESS}",
    }
    tags = "".join(
        f'<meta {"property" if name.startswith("og") else "name"}="{name}" content="{content}">\n'
        for name, content in properties.items()
    )
    tags += f'<meta name="description" content="{DESCRIPTION}">\n'
    return FOREIGN.sub(b"", html).replace(b"</head>", f"{tags}</head>".encode(), 1)


def address_of(scope: Scope) -> str:
    """The page's address as its visitor has it, also behind a proxy that says so."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    scheme = headers.get("x-forwarded-proto", scope.get("scheme", "http")).split(",")[0]
    host = headers.get("x-forwarded-host", headers.get("host", "127.0.0.1")).split(",")[0]
    address = f"{scheme}://{host}{scope.get('root_path', '')}"
    return address if re.fullmatch(r"[\w:/.\[\]-]+", address) else ""  # a strange header must not get into the page
