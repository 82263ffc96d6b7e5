"""The page of `hairseg label`: one `gr.HTML`, whose scripts call `LabelService` and fetch pictures."""

import asyncio
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from gradio.utils import get_upload_folder
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from hairseg.errors import InputError
from hairseg.labelling.folder import LabelFolder
from hairseg.page.security import MAX_FILE_BYTES, PathAllowlist, RequestSizeLimit, resolve_upload, to_message
from hairseg.page.studio.strokes import read_strokes
from hairseg.page.workarounds import EXCEPTION_HANDLERS, Page, to_functions

PACKAGE = Path(__file__).parents[1]

SCRIPTS = ("labelling/label.js", "labelling/labels.js", "page/studio/canvas.js", "page/studio/zoom.js")

LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")

HEADERS = {"Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin"}

FOREIGN = "Cross-origin requests are not allowed."


class LabelService:
    """The functions that the page's scripts call. Each returns a JSON object: the result, or {"error": message}."""

    def __init__(self, folder: LabelFolder):
        self._folder = folder

    def functions(self) -> list[Any]:
        """Return the functions below, for `server_functions`."""
        return to_functions(self.list_photos, self.snap_stroke, self.save_mask)

    async def list_photos(self, _: Any) -> dict[str, Any]:
        """Return the name and state of each photo."""
        return {"photos": self._folder.entries()}

    async def snap_stroke(self, payload: Any) -> dict[str, Any]:
        """Return the pixels that the stroke of {"name", "stroke"} paints: a window, and one bit per pixel of it."""

        def snap(payload: dict[str, Any]) -> dict[str, Any]:
            (stroke,) = read_strokes([payload.get("stroke")])
            window, painted = self._folder.snap(payload.get("name", ""), stroke)
            return {"window": window, "bits": b64encode(np.packbits(painted).tobytes()).decode()}

        return await _answer(snap, payload)

    async def save_mask(self, payload: Any) -> dict[str, Any]:
        """Write the mask {"name", "path"}, where the path is that of an upload. The upload is removed."""

        def save(payload: dict[str, Any]) -> dict[str, Any]:
            path = resolve_upload(payload.get("path"), get_upload_folder())
            if path is None:
                raise InputError("The mask was not uploaded.", remedy="Save it again.")
            self._folder.save(payload.get("name", ""), Path(path).read_bytes())
            Path(path).unlink(missing_ok=True)
            return {}

        return await _answer(save, payload)


async def _answer(work: Callable[[dict[str, Any]], dict[str, Any]], payload: Any) -> dict[str, Any]:
    try:
        return await asyncio.to_thread(work, payload if isinstance(payload, dict) else {})
    except Exception as error:
        return {"error": to_message(error)}


class SameOrigin:
    """ASGI middleware that rejects cross-origin requests of scripts and forms with status 403."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope) if scope["type"] == "http" else {}
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != headers.get("host"):
            return await JSONResponse({"error": FOREIGN}, 403)(scope, receive, send)
        await self.app(scope, receive, send)


def build_label_page(folder: LabelFolder, host: str = "127.0.0.1") -> "LabelPage":
    """Build the page.

    Args:
        folder: The photos to label.
        host: Address that the page is served at. At a loopback address, requests for other host names are rejected.
    """
    with LabelPage(title=f"Label {folder.root.resolve().name}", analytics_enabled=False, fill_width=True) as page:
        gr.HTML(
            html_template=(PACKAGE / "labelling" / "label.html").read_text(encoding="utf-8"),
            js_on_load=(
                f"import(new URL('modules/{SCRIPTS[0]}', document.baseURI))"
                ".then(module => module.start(element, {server, upload}))"
            ),
            server_functions=LabelService(folder).functions(),
            apply_default_css=False,
            elem_id="label",
        )
    page.folder, page.hosts = folder, list(LOOPBACK) if host in LOOPBACK else ["*"]
    return page


class LabelPage(Page):
    """The page; `launch` adds routes, a stylesheet and middleware."""

    folder: LabelFolder
    hosts: list[str]

    def launch(self, *args: Any, **options: Any) -> Any:
        """Serve the page; see `gr.Blocks.launch`."""
        checks = [PathAllowlist, RequestSizeLimit, SameOrigin]
        own_options: dict[str, Any] = {
            "css_paths": [PACKAGE / "labelling" / "label.css"],
            "footer_links": [],
            "run_history": False,
            "favicon_path": PACKAGE / "page" / "icon.png",
            "max_file_size": MAX_FILE_BYTES,
            "enable_monitoring": False,
            "ssr_mode": False,
            "app_kwargs": {
                "routes": picture_routes(self.folder),
                "middleware": [Middleware(TrustedHostMiddleware, self.hosts), *map(Middleware, checks)],
                "exception_handlers": EXCEPTION_HANDLERS,
            },
        }
        return super().launch(*args, **{**own_options, **options})


def picture_routes(folder: LabelFolder) -> list[Route]:
    """Return the routes of scripts, thumbnails, photos and labels. `PathAllowlist` admits them below modules/."""

    def route(kind: str, media_type: str, read: Callable[[str], bytes]) -> Route:
        def respond(request: Request) -> Response:
            try:
                content = read(request.path_params["name"])
            except Exception as error:
                return JSONResponse({"error": to_message(error)}, 422)
            return Response(content, headers=HEADERS, media_type=media_type)

        return Route(f"/modules/{kind}/{{name:path}}", respond)

    def script(name: str) -> Route:
        return Route(f"/modules/{name}", lambda _: FileResponse(PACKAGE / name, headers={"Cache-Control": "no-cache"}))

    return [
        *map(script, SCRIPTS),
        route("thumbnails", "image/jpeg", folder.thumbnail),
        route("photos", "image/jpeg", folder.photo),
        route("labels", "application/octet-stream", lambda name: folder.labels(name).tobytes()),
    ]
