"""No call of the Hub's client waits for ever.

The client's own settings do not see to that: many of its requests are sent with `timeout=None`, it repeats what failed
up to five times, and a body that drips a byte a second never times out. A deadline around a whole call does not either:
a large file may take an hour, and a thread that is left behind keeps the lock of the file that it was writing.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from huggingface_hub import constants, set_client_factory
from huggingface_hub.errors import HTTPError
from huggingface_hub.utils import (
    _http,  # private: nothing public tells which factory to put back
    logging,
)

# The HTTP library is httpx in huggingface_hub 1.x and httpx2 in 2.x, and its errors are no OSError.
http = import_module(HTTPError.__module__.partition(".")[0])

MINIMUM_RATE = 1000  # bytes per second; an answer that comes more slowly counts as none


class HubTimeoutError(Exception):
    """The Hub was given all the time there is. The client does not know this error and so does not try again."""


class _Deadline:
    """What is left of the time until the Hub must have sent something."""

    def __init__(self, wait: float):
        self.wait = wait  # seconds, of a single wait for the other side
        self.silence = 2 * wait  # seconds without a byte, over all attempts
        self.useless_attempts = 0
        self.restart()

    def restart(self) -> None:
        self.heard_at = time.monotonic()

    def bound_request(self, request) -> None:
        left = self.silence - (time.monotonic() - self.heard_at)
        if left <= 0:
            raise HubTimeoutError
        # A timeout of the request itself, None included, overrides any that the client object was built with.
        asked = request.extensions.get("timeout") or {}
        request.extensions["timeout"] = {
            name: min(asked.get(name) or self.wait, self.wait, left) for name in ("connect", "read", "write", "pool")
        }

    def bound_response(self, response) -> None:
        response.stream = _BoundedBody(response.stream, self)


class _BoundedBody(http.SyncByteStream):
    """The body of an answer, refused when it comes more slowly than `MINIMUM_RATE`."""

    def __init__(self, stream, deadline: _Deadline):
        self._stream, self._deadline = stream, deadline

    def __iter__(self) -> Iterator[bytes]:
        started, received = time.monotonic(), 0
        try:
            for chunk in self._stream:
                received += len(chunk)
                elapsed = time.monotonic() - started
                if elapsed > self._deadline.silence and received < elapsed * MINIMUM_RATE:
                    raise HubTimeoutError
                self._deadline.restart()
                yield chunk
        except http.TimeoutException:
            # The client resumes after whole chunks only; without one it would begin anew, five times.
            self._deadline.useless_attempts += received < constants.DOWNLOAD_CHUNK_SIZE
            if self._deadline.useless_attempts > 1:
                raise HubTimeoutError from None
            raise
        self._deadline.restart()

    def close(self) -> None:
        self._stream.close()


_TURN = threading.RLock()  # the client is one for the whole process


@contextmanager
def deadline(times: float = 1) -> Iterator[None]:
    """Within this context no call of `huggingface_hub` waits for ever.

    A wait for the other side ends after HF_HUB_DOWNLOAD_TIMEOUT seconds (10 unless set) multiplied by `times`. When
    nothing has been heard for twice as long, however often the client tried, HubTimeoutError is raised. The client
    retries without a word meanwhile: `explain` tells once what failed in the end. Threads take turns.
    """
    with _TURN:
        limits = _Deadline(constants.HF_HUB_DOWNLOAD_TIMEOUT * times)
        before, verbosity = _http._GLOBAL_CLIENT_FACTORY, logging.get_verbosity()
        without_xet = constants.HF_HUB_DISABLE_XET

        def bounded_client():
            client = before()
            hooks = client.event_hooks
            client.event_hooks = {
                "request": [*hooks["request"], limits.bound_request],
                "response": [*hooks["response"], limits.bound_response],
            }
            return client

        set_client_factory(bounded_client)
        logging.set_verbosity_error()
        constants.HF_HUB_DISABLE_XET = True  # its transfers have connections of their own, which nothing here bounds
        try:
            yield
        finally:
            constants.HF_HUB_DISABLE_XET = without_xet
            set_client_factory(before)
            logging.set_verbosity(verbosity)
