"""The tab "Live": camera frames go to the server and come back recoloured, one at a time, for a minute.

Frames are part of requests and answers and stay in memory. One thread of low priority works on them. A stream is
identified by a secret name that a visitor gets from `begin`; it ends by itself.
"""

import asyncio
import binascii
import json
import secrets
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from hairseg.errors import InputError, quote
from hairseg.images import encode_jpeg
from hairseg.inference.temporal import AlphaSmoother
from hairseg.page.api import FIRST_VARIANT
from hairseg.page.decoder import FRAMES
from hairseg.page.security import sentence_of
from hairseg.page.store import PhotoStore, check_variant
from hairseg.page.workers import lower_priority
from hairseg.paper import VARIANTS
from hairseg.recolouring.palette import PRESETS
from hairseg.recolouring.recolourer import recolour
from hairseg.recolouring.settings import RecolourSettings

FRAME_SIDE = 480  # longer side in pixels of the frames that the browser sends

FRAME_BYTES = 400_000  # maximum size of a frame; a usual one has 30,000

TIME_LIMIT = 60.0  # seconds per stream

IDLE_LIMIT = 10.0  # seconds without a frame that end a stream

MAX_STREAMS = 2

NICENESS = 10  # of the thread: an upload gets ten times as much of a contested core

MIN_HAIR = 0.002  # fraction of the frame that counts as hair

ENDED = f"The stream has ended after {TIME_LIMIT:.0f} seconds, or {IDLE_LIMIT:.0f} without a frame. Start it again."

TITLES = {"pretrained": "Pretrained", "random": "From scratch"}


@dataclass
class Stream:
    """What is kept of one visitor's stream between frames."""

    started: float  # seconds
    last_frame: float  # seconds
    is_busy: bool = False
    network: tuple[Any, ...] = ()  # model and variant of the last frame; alphas of different networks are not averaged
    smoother: AlphaSmoother = field(default_factory=AlphaSmoother)


class LiveStreams:
    """The functions that the tab's script calls. All run on one event loop.

    Args:
        photos: Gives the networks.
        clock: Returns seconds.
    """

    def __init__(self, photos: PhotoStore, clock: Callable[[], float] = time.monotonic):
        self._photos, self._clock = photos, clock
        self._streams: dict[str, Stream] = {}
        self._thread = ThreadPoolExecutor(1, "live", lower_priority, (NICENESS,))

    async def begin(self, model: Any = None) -> dict[str, Any]:
        """Begin a stream.

        Args:
            model: Name of the model; None for the first one.

        Returns:
            {"stream": secret name, "seconds": time limit} or {"error": sentence}.
        """
        try:
            await self._run(lambda: self._photos.predictor(model))  # loading does not count
        except InputError as error:
            return {"error": str(error)}
        self._remove_ended()
        if len(self._streams) >= MAX_STREAMS:
            return {"error": "Other visitors are live at the moment. Try again in a minute."}
        name, now = secrets.token_urlsafe(), self._clock()
        self._streams[name] = Stream(now, now)
        asyncio.get_running_loop().call_later(TIME_LIMIT + 1, self._remove_ended)
        return {"stream": name, "seconds": TIME_LIMIT}

    async def frame(self, payload: Any) -> dict[str, Any]:
        """Recolour a frame.

        Args:
            payload: {"stream": name, "frame": JPEG in base64, "colour", "strength", "variant", "model"}.

        Returns:
            {"picture": JPEG in base64, "is_empty": whether no hair was found}, {"ended": sentence}, or
            {"error": sentence}.
        """
        payload = payload if isinstance(payload, dict) else {}
        self._remove_ended()
        stream = self._streams.get(str(payload.get("stream")))
        if stream is None:
            return {"ended": ENDED}
        if stream.is_busy:
            return {"error": "The last frame is not done yet. Send one at a time."}
        stream.is_busy = True
        try:
            picture, is_empty = await self._run(lambda: self._recolour(stream, payload))
        except Exception as error:
            return {"error": sentence_of(error)}
        finally:
            stream.is_busy, stream.last_frame = False, self._clock()
        return {"picture": picture, "is_empty": is_empty}

    async def end(self, name: Any) -> None:
        """Forget a stream."""
        self._streams.pop(str(name), None)

    async def _run(self, work: Callable[[], Any]) -> Any:
        return await asyncio.wrap_future(self._thread.submit(work))

    def _recolour(self, stream: Stream, payload: dict[str, Any]) -> tuple[str, bool]:
        settings = RecolourSettings(payload.get("strength", 1.0))
        variant = check_variant(payload.get("variant", FIRST_VARIANT))
        photo = read_frame(payload.get("frame"))
        predictor, network = self._photos.predictor(payload.get("model")), (payload.get("model"), variant)
        if network != stream.network:
            stream.network, stream.smoother = network, AlphaSmoother()
        alpha = stream.smoother.smooth(photo, predictor.predict_single_pass(photo, variant))
        picture = recolour(photo, alpha, payload.get("colour", ""), settings)
        is_empty = bool(np.mean(alpha >= predictor.config.threshold) < MIN_HAIR)
        return b64encode(encode_jpeg(picture, 88)).decode(), is_empty

    def _remove_ended(self) -> None:
        now = self._clock()
        for name, stream in list(self._streams.items()):
            is_idle = not stream.is_busy and now - stream.last_frame > IDLE_LIMIT
            if is_idle or now - stream.started >= TIME_LIMIT:
                del self._streams[name]


def read_frame(frame: Any) -> np.ndarray:
    """Decode a frame, JPEG in base64, to uint8 RGB (height, width, 3).

    Raises:
        InputError: It is something else, or exceeds `FRAME_SIDE` or `FRAME_BYTES`.

    Example:
        >>> import numpy as np
        >>> read_frame(b64encode(encode_jpeg(np.zeros((30, 40, 3), np.uint8))).decode()).shape
        (30, 40, 3)
    """
    remedy = "Send a JPEG picture in base64."
    if not isinstance(frame, str):
        raise InputError(f"The frame is {quote(frame)}.", remedy=remedy)
    if len(frame) > 4 * FRAME_BYTES / 3 + 4:
        raise InputError("The frame is too large.", remedy=f"Send at most {FRAME_BYTES // 1000} kB.")
    try:
        file = binascii.a2b_base64(frame, strict_mode=True)
    except ValueError:
        raise InputError("The frame is not base64.", remedy=remedy) from None
    if not file.startswith(b"\xff\xd8"):
        raise InputError("The frame is not a JPEG picture.", remedy=remedy)
    if FRAMES.pixels(file) > FRAME_SIDE**2:
        raise InputError("The frame is too large.", remedy=f"Send at most {FRAME_SIDE} x {FRAME_SIDE} pixels.")
    return FRAMES.load(file, "the frame")


def build_live(photos: PhotoStore, modules: str) -> gr.HTML:
    """Build the tab.

    Args:
        photos: Gives the networks.
        modules: Address of the scripts, relative to the page.
    """
    streams = LiveStreams(photos)

    def exposed(name: str, method: Callable[[Any], Awaitable[Any]]) -> Callable[[Any], Awaitable[Any]]:
        async def function(payload: Any) -> Any:
            return await method(payload)

        function.__name__ = name
        return function

    swatches = "".join(
        f'<button type="button" class="swatch" data-preset="{name}" aria-pressed="false" style="--swatch: {code}">'
        f'<span class="thumbnail"></span>{name}</button>'
        for name, code in PRESETS.items()
    )
    variants = "".join(
        f'<label><input type="radio" name="live-variant" value="{name}"{" checked" * (name == FIRST_VARIANT)}> '
        f"{TITLES[name]}</label>"
        for name in VARIANTS
    )
    template = (Path(__file__).parent / "live.html").read_text(encoding="utf-8")
    return gr.HTML(
        html_template=template.replace("<!--SWATCHES-->", swatches).replace("<!--VARIANTS-->", variants),
        js_on_load=(
            f"import(new URL('{modules}/live/live.js', document.baseURI))"
            f".then(module => module.start(element, server, {json.dumps({'side': FRAME_SIDE, 'presets': PRESETS})}))"
        ),
        elem_id="live",
        apply_default_css=False,
        server_functions=[
            exposed("begin_stream", streams.begin),
            exposed("recolour_frame", streams.frame),
            exposed("end_stream", streams.end),
        ],
    )
