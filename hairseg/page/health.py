"""Health check of the page at /health, for load balancers and containers."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hairseg.page.decoder import REGULAR, Decoder
from hairseg.page.registry import ModelRegistry

CHECK_SECONDS = 5.0  # for which a check of the decoder is cached

ANSWER_SECONDS = 4.0  # timeout of a check of the decoder

REASONS = {
    "loading": "The networks are being loaded.",
    "failed": "The networks cannot be loaded; see the log.",
}

DECODER_FAILED = "The decoder does not answer."


class Health:
    """Responds with status 200 if visitors' photos can be processed, else 503 and a reason.

    Args:
        models: The models that the page serves. The default one must be loaded.
        decoder: The decoder of visitors' photos.
        clock: Returns the time in seconds.
    """

    def __init__(
        self, models: ModelRegistry, decoder: Decoder = REGULAR, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._models, self._decoder, self._clock = models, decoder, clock
        self._thread = ThreadPoolExecutor(1, "health")
        self._check: Future[bool] | None = None
        self._checked_at = 0.0

    async def respond(self, _: Request) -> Response:
        """Respond to a GET or HEAD request."""
        reason = REASONS.get(self._models.state())
        if reason is None and not await self._decoder_answers():
            reason = DECODER_FAILED
        content = {"status": "unavailable", "reason": reason} if reason else {"status": "ok"}
        return JSONResponse(content, 503 if reason else 200, headers={"Cache-Control": "no-store"})

    async def _decoder_answers(self) -> bool:
        is_stale = self._clock() - self._checked_at > CHECK_SECONDS
        if self._check is None or (is_stale and self._check.done()):
            self._check, self._checked_at = self._thread.submit(self._decoder.answers), self._clock()
        try:
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(self._check)), ANSWER_SECONDS)
        except TimeoutError:
            return False
