"""Everything that touches private names of Gradio, or changes what it does, in one place.

Checked with Gradio 6.31. Each class and function names its reason, and tests/page/test_workarounds.py fails when Gradio
no longer has the name or the defect.
"""

from contextlib import suppress
from typing import Any

import gradio as gr
from fastapi import HTTPException
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from gradio import http_server, route_utils, routes
from gradio.route_utils import GradioMultiPartParser
from gradio.state_holder import SessionState, StateHolder

from hairseg.page.security import MALFORMED, NOT_UPLOADED

MAX_FILES = 4  # per upload; all are open until the last one has arrived

LONGEST_SESSION = 100  # characters of a session's name; Gradio keeps it as long as the session


class Page(gr.Blocks):
    """Blocks that answer malformed calls with one sentence."""

    def validate_inputs(self, block_fn: Any, inputs: list[Any]) -> None:
        """Append default values: gradio_client may omit the last arguments, but plain HTTP calls may not."""
        inputs += [component.value for component in block_fn.inputs[len(inputs) :]]

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], *args: Any, **options: Any) -> Any:
        """Refuse files at URLs, which Gradio would download, and hide the tracebacks of malformed values."""
        if contains_url(inputs):
            raise gr.Error(NOT_UPLOADED, print_exception=False)
        if block_fn.fn is None:  # an event that runs in the browser only
            raise gr.Error(MALFORMED, print_exception=False)
        try:
            return await super().preprocess_data(block_fn, inputs, *args, **options)
        except gr.Error:
            raise
        except Exception:
            raise gr.Error(MALFORMED, print_exception=False) from None

    def queue(self, *args: Any, **options: Any) -> Any:
        """Guard the queue's sender: a KeyError for an evicted session would end the queue for everybody."""
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
    """Gradio's upload parser without form fields, which it would keep in memory at any size."""

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **{**options, "max_fields": 0, "max_files": MAX_FILES})


class ShortSessions(StateHolder):
    """Gradio's session states, with a limit on the length of names."""

    def __getitem__(self, session_id: str) -> SessionState:
        if len(session_id) > LONGEST_SESSION:
            raise HTTPException(422, "The session name is too long.")
        return super().__getitem__(session_id)


def replace_parser_and_state_holder() -> None:
    """Install both classes above. `gradio.routes` has no parameter for either."""
    route_utils.GradioMultiPartParser = FilesOnlyParser  # pyright: ignore[reportAttributeAccessIssue]
    routes.StateHolder = ShortSessions  # pyright: ignore[reportAttributeAccessIssue]


def disable_reloader() -> None:
    """Disable reloading in a Space, which needs the package spaces and logs a traceback without it."""
    http_server.get_space = lambda: None  # pyright: ignore[reportPrivateImportUsage]


# FastAPI's own handler echoes the request, and fails if that contains values that JSON cannot represent.
EXCEPTION_HANDLERS = {RequestValidationError: lambda *_: JSONResponse({"error": MALFORMED}, 422)}
