"""All code that uses private names of Gradio or replaces parts of it.

Checked with Gradio 6.31. Each class and function states its reason, and tests/page/test_workarounds.py fails when
Gradio no longer has the name or the defect.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import wraps
from typing import Any

import gradio as gr
from fastapi import HTTPException
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from gradio import http_server, route_utils, routes
from gradio.route_utils import GradioMultiPartParser
from gradio.state_holder import SessionState, StateHolder

from hairseg.page.security import MALFORMED, NOT_UPLOADED

MAX_FILES = 4  # per upload; Gradio keeps all of them open until the last one has arrived

MAX_SESSION_NAME_CHARACTERS = 100


class Page(gr.Blocks):
    """Blocks that answer a malformed call with one sentence."""

    def launch(self, *args: Any, **options: Any) -> Any:
        """Skip the request by which Gradio checks that the page is up: after 3 s, a busy machine would not serve it."""
        replace_parser_and_state_holder()
        return super().launch(*args, **{"_frontend": False, **options})

    def validate_inputs(self, block_fn: Any, inputs: list[Any]) -> None:
        """Append default values: gradio_client may omit the last arguments, but plain HTTP calls may not."""
        inputs += [component.value for component in block_fn.inputs[len(inputs) :]]

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], *args: Any, **options: Any) -> Any:
        """Refuse files at URLs, which Gradio would download, and malformed values, for which it logs a traceback."""
        if contains_url(inputs):
            raise gr.Error(NOT_UPLOADED, print_exception=False)
        if block_fn.fn is None:  # such an event runs in the browser only
            raise gr.Error(MALFORMED, print_exception=False)
        try:
            return await super().preprocess_data(block_fn, inputs, *args, **options)
        except gr.Error:
            raise
        except Exception:
            raise gr.Error(MALFORMED, print_exception=False) from None

    def queue(self, *args: Any, **options: Any) -> Any:
        """Ignore messages to evicted sessions: their KeyError would stop the queue for all visitors."""
        super().queue(*args, **options)
        send = self._queue.send_message

        def send_if_connected(event: Any, event_message: Any) -> None:
            with suppress(KeyError):
                send(event, event_message)

        self._queue.send_message = send_if_connected
        return self


def contains_url(values: list[Any]) -> bool:
    """Return whether a call contains a file at an http(s) URL."""
    pending: list[Any] = [values]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            locations = (str(value.get(key) or "").strip().lower() for key in ("path", "url"))
            if "meta" in value and any(location.startswith(("http:", "https:")) for location in locations):
                return True
            pending += value.values()
        elif isinstance(value, list):
            pending += value
    return False


class FilesOnlyParser(GradioMultiPartParser):
    """Gradio's upload parser without form fields, whose size in memory it does not limit."""

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **{**options, "max_fields": 0, "max_files": MAX_FILES})


class BoundedStateHolder(StateHolder):
    """Gradio's session states, with a limit for the names of sessions, which it keeps in memory."""

    def __getitem__(self, session_id: str) -> SessionState:
        if len(session_id) > MAX_SESSION_NAME_CHARACTERS:
            raise HTTPException(422, "The session name is too long.")
        return super().__getitem__(session_id)


def to_functions(*methods: Callable[[Any], Awaitable[Any]]) -> list[Callable[[Any], Awaitable[Any]]]:
    """Convert methods for `server_functions`: Gradio sets an attribute on each, which methods do not allow."""

    def to_function(method: Callable[[Any], Awaitable[Any]]) -> Callable[[Any], Awaitable[Any]]:
        @wraps(method)
        async def function(payload: Any) -> Any:
            return await method(payload)

        return function

    return [to_function(method) for method in methods]


def replace_parser_and_state_holder() -> None:
    """Install `FilesOnlyParser` and `BoundedStateHolder`. Gradio has no parameter for either."""
    route_utils.GradioMultiPartParser = FilesOnlyParser  # pyright: ignore[reportAttributeAccessIssue]
    routes.StateHolder = BoundedStateHolder  # pyright: ignore[reportAttributeAccessIssue]


def disable_reloader() -> None:
    """Disable reloading in a Space, which needs the package spaces and logs a traceback without it."""
    http_server.get_space = lambda: None  # pyright: ignore[reportPrivateImportUsage]


# FastAPI's own handler repeats the request, and fails if it contains values that JSON cannot represent.
EXCEPTION_HANDLERS = {RequestValidationError: lambda *_: JSONResponse({"error": MALFORMED}, 422)}
