"""The tab "Live": the camera's frames come and go recoloured, one at a time, for a minute.

A frame is part of a request and its answer, in memory alone. Frames are worked on by one thread of their own, which has
the time that uploads leave it.
"""

import asyncio
import binascii
import secrets
import sys
import time
import traceback
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import gradio as gr

from hairseg.errors import InputError, quote
from hairseg.images import encode_jpeg
from hairseg.inference.temporal import AlphaSmoother
from hairseg.page.decoding import LIVE
from hairseg.page.events import BALD, UNEXPECTED
from hairseg.page.session import PageSession, known, yield_to_others
from hairseg.page.style import FIRST_VARIANT
from hairseg.page.try_it import read_markup
from hairseg.page.views import share_of_hair
from hairseg.paper import VARIANTS
from hairseg.recolouring.palette import PRESETS
from hairseg.recolouring.recolourer import recolour
from hairseg.recolouring.settings import RecolourSettings

FRAME_SIDE = 480  # pixels, longer side of the frames that the browser sends

FRAME_BYTES = 400_000  # of a frame at most; such a JPEG has some 30,000

TIME_LIMIT = 60.0  # seconds from the start of a stream to its end

PATIENCE = 10.0  # seconds without a frame after which a visitor has gone

OVER = f"The stream is over: {TIME_LIMIT:.0f} seconds have passed, or {PATIENCE:.0f} without a frame. Start it again."

VISITORS = 2  # live at once: each has to get frames often enough

NICE = 10  # priority of the thread: a tenth of what an upload gets where both want the same core


class Stream:
    """One visitor's stream: what is remembered from one frame to the next."""

    def __init__(self, began: float):
        self.began = self.heard = began  # seconds: the start, and the end of the latest request
        self.is_at_work = False
        self.looks_by: tuple = ()  # model and variant of the latest frame: alphas of others are not mixed with its
        self.smoother = AlphaSmoother()


class LiveStreams:
    """Answers to the tab's requests. They all come on the one event loop, and so do not disturb each other.

    Args:
        session: with the networks.
        clock: seconds, from any beginning.
    """

    def __init__(self, session: PageSession, clock: Callable[[], float] = time.monotonic):
        self._session, self._clock = session, clock
        self._streams: dict[str, Stream] = {}
        self._worker = ThreadPoolExecutor(1, "live", yield_to_others, (NICE,))

    async def begin(self, model: Any = None) -> dict[str, Any]:
        """A new stream: {"stream": its secret name, "seconds": that it lasts}, or {"error": a sentence}.

        Args:
            model: the name of that which the visitor has chosen; None for the first one.
        """
        try:
            await self._do(lambda: self._session.predictor(model))  # time spent on loading is not the visitor's
        except InputError as error:
            return {"error": str(error)}
        self._forget_ended()
        if len(self._streams) >= VISITORS:
            error = InputError("Others are live at the moment", "try again in a minute")
            return {"error": str(error)}
        name = secrets.token_urlsafe()
        self._streams[name] = Stream(self._clock())
        asyncio.get_running_loop().call_later(TIME_LIMIT + 1, self._forget_ended)
        return {"stream": name, "seconds": TIME_LIMIT}

    async def answer(self, asked: Any) -> dict[str, Any]:
        """The next frame, recoloured.

        Args:
            asked: {"stream": its name, "frame": JPEG in base64, "colour", "strength", "variant", "model": None for the
                first one}.

        Returns:
            {"picture": JPEG in base64, "bald": whether no hair was found}, {"ended": a sentence} once the stream is
            over, or {"error": a sentence} if the frame or a setting cannot be used.
        """
        asked = asked if isinstance(asked, dict) else {}
        self._forget_ended()
        stream = self._streams.get(str(asked.get("stream")))
        if stream is None:
            return {"ended": OVER}
        if stream.is_at_work:
            return {"error": str(InputError("a frame came before the last one was done", "one at a time"))}
        stream.is_at_work = True
        try:
            picture, is_bald = await self._do(lambda: self._recolour(stream, asked))
        except InputError as error:
            return {"error": str(error)}
        except Exception:
            traceback.print_exc(file=sys.stderr)
            return {"error": UNEXPECTED}
        finally:
            stream.is_at_work, stream.heard = False, self._clock()
        return {"picture": picture, "bald": is_bald}

    async def end(self, name: Any) -> None:
        """Somebody else may be live; nothing is left of the stream."""
        self._streams.pop(str(name), None)

    async def _do(self, work: Callable) -> Any:
        return await asyncio.wrap_future(self._worker.submit(work))

    def _recolour(self, stream: Stream, asked: dict) -> tuple[str, bool]:
        """The frame's answer: JPEG in base64, and whether there is no hair in it. Raises InputError."""
        settings, variant = RecolourSettings(asked.get("strength", 1.0)), known(asked.get("variant", ""))
        photo = read_frame(asked.get("frame"))
        predictor, looks_by = self._session.predictor(asked.get("model")), (asked.get("model"), variant)
        if looks_by != stream.looks_by:
            stream.looks_by, stream.smoother = looks_by, AlphaSmoother()
        alpha = stream.smoother.smooth(photo, predictor.predict_single_pass(photo, variant))
        picture = recolour(photo, alpha, asked.get("colour", ""), settings)
        return b64encode(encode_jpeg(picture, 88)).decode(), share_of_hair(alpha, predictor.config.threshold) < BALD

    def _forget_ended(self) -> None:
        now = self._clock()
        for name, stream in list(self._streams.items()):
            is_gone = not stream.is_at_work and now - stream.heard > PATIENCE
            if is_gone or now - stream.began >= TIME_LIMIT:
                del self._streams[name]


def live(session: PageSession) -> None:
    """Build the tab."""
    streams = LiveStreams(session)

    async def begin_stream(model: Any) -> dict:
        return await streams.begin(model)

    async def recolour_frame(asked: Any) -> dict:
        return await streams.answer(asked)

    async def end_stream(name: Any) -> None:
        await streams.end(name)

    swatches = "".join(f'<button type="button" class="swatch" data-preset="{name}">{name}</button>' for name in PRESETS)
    variants = "".join(
        f'<label><input type="radio" name="live-variant" value="{name}"{" checked" * (name == FIRST_VARIANT)}> {name}'
        "</label>"
        for name in VARIANTS
    )
    html = read_markup("live").replace("SWATCHES", swatches).replace("VARIANTS", variants)
    gr.HTML(
        html_template=html.replace("FRAME_SIDE", str(FRAME_SIDE)),
        js_on_load="hairseg.live(element, server)",
        elem_id="live",
        apply_default_css=False,
        server_functions=[begin_stream, recolour_frame, end_stream],
    )


def read_frame(frame: Any):
    """A frame as the browser sends it, JPEG in base64 -> uint8 RGB (height, width, 3).

    Raises:
        InputError: it is something else, broken, or larger than `FRAME_SIDE` and `FRAME_BYTES` allow.

    Example:
        >>> import numpy as np
        >>> read_frame(b64encode(encode_jpeg(np.zeros((30, 40, 3), np.uint8))).decode()).shape
        (30, 40, 3)
    """
    if not isinstance(frame, str):
        raise InputError(f"the frame is {quote(frame)}", "a JPEG picture in base64")
    if len(frame) > 4 * FRAME_BYTES / 3 + 4:
        raise InputError("the frame is too large", "send smaller ones")
    try:
        file = binascii.a2b_base64(frame, strict_mode=True)
    except ValueError:
        raise InputError("the frame is not base64", "a JPEG picture in base64") from None
    if not file.startswith(b"\xff\xd8"):
        raise InputError("the frame is no JPEG", "a JPEG picture in base64")
    if LIVE.pixels(file) > FRAME_SIDE**2:
        raise InputError("the frame is too large", "send smaller ones")
    return LIVE.load(file, "the frame")
