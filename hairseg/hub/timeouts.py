"""No call of the Hub's client waits for ever."""

import time
from contextlib import contextmanager
from importlib import import_module

from huggingface_hub import constants, set_client_factory
from huggingface_hub.errors import (
    HTTPError,
)
from huggingface_hub.utils import _http, logging

# The HTTP library is httpx in huggingface_hub 1.x and httpx2 in 2.x, and its errors are no OSError.
http = import_module(HTTPError.__module__.partition(".")[0])

SLOWEST = 1000  # bytes per second; whoever sends less for the time of patience counts as silent


class HubTimeoutError(Exception):
    """The Hub was given all the time there is. The client does not know this error and so does not try again."""


class _MinimumRate(http.SyncByteStream):
    """The body of an answer, refused when it only drips."""

    def __init__(self, stream, deadline: "_Deadline"):
        self._stream, self._deadline = stream, deadline

    def __iter__(self):
        started, received = time.monotonic(), 0
        try:
            for chunk in self._stream:
                received += len(chunk)
                elapsed = time.monotonic() - started
                if elapsed > self._deadline.silence and received < elapsed * SLOWEST:
                    raise HubTimeoutError
                self._deadline.heard()
                yield chunk
        except http.TimeoutException:
            # The client resumes after whole chunks only; without one it would begin anew, five times.
            self._deadline.in_vain += received < constants.DOWNLOAD_CHUNK_SIZE
            if self._deadline.in_vain > 1:
                raise HubTimeoutError from None
            raise
        self._deadline.heard()

    def close(self) -> None:
        self._stream.close()


class _Deadline:
    def __init__(self, wait: float):
        self.wait, self.silence, self.in_vain = wait, 2 * wait, 0
        self.heard()

    def heard(self) -> None:
        self.last = time.monotonic()

    def before_request(self, request) -> None:
        left = self.silence - (time.monotonic() - self.last)
        if left <= 0:
            raise HubTimeoutError
        limits = request.extensions.get("timeout") or {}
        # Many calls of the client pass timeout=None, which overrides any timeout the client object was built with.
        request.extensions["timeout"] = {
            name: min(limits.get(name) or self.wait, self.wait, left) for name in ("connect", "read", "write", "pool")
        }

    def after_headers(self, response) -> None:
        response.stream = _MinimumRate(response.stream, self)


@contextmanager
def deadline(times: float = 1):
    """Within this context no call of `huggingface_hub` waits for ever.

    A wait for the other side ends after HF_HUB_DOWNLOAD_TIMEOUT seconds (10 unless set) multiplied by `times`; when
    nothing has been heard for twice as long, however often the client tried, HubTimeoutError is raised. The client retries
    without a word meanwhile: what fails in the end is told once, by `explain`.
    """
    limits = _Deadline(constants.HF_HUB_DOWNLOAD_TIMEOUT * times)
    before, verbosity, without_xet = _http._GLOBAL_CLIENT_FACTORY, logging.get_verbosity(), constants.HF_HUB_DISABLE_XET

    def client():
        built = before()
        hooks = built.event_hooks
        built.event_hooks = {
            "request": [*hooks["request"], limits.before_request],
            "response": [*hooks["response"], limits.after_headers],
        }
        return built

    set_client_factory(client)
    logging.set_verbosity_error()
    constants.HF_HUB_DISABLE_XET = True  # its transfers have connections of their own, whose waits nothing here bounds
    try:
        yield
    finally:
        constants.HF_HUB_DISABLE_XET = without_xet
        set_client_factory(before)
        logging.set_verbosity(verbosity)
