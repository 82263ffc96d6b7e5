"""The tab "Live": recolour the frames of a visitor's camera for a minute.

Frames are sent in requests and responses, and are not written to disk. One thread of low priority processes them, while
the browser captures the next frame. A stream is identified by a secret name that `begin_stream` returns, and ends after
a time limit.
"""

import asyncio
import binascii
import json
import secrets
import time
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from hairseg.errors import InputError, quote
from hairseg.images import encode_jpeg
from hairseg.inference.temporal import AlphaSmoother
from hairseg.page.api import DEFAULT_VARIANT
from hairseg.page.decoder import FRAMES
from hairseg.page.scores import VARIANT_TITLES
from hairseg.page.security import to_message
from hairseg.page.store import PhotoStore, check_variant
from hairseg.page.studio.swatches import render_swatches
from hairseg.page.workarounds import to_functions
from hairseg.page.workers import lower_priority
from hairseg.paper import VARIANTS
from hairseg.recolouring.palette import PRESETS
from hairseg.recolouring.recolourer import HairRecolourer
from hairseg.recolouring.settings import RecolourSettings

MAX_FRAME_SIDE = 480  # pixels

MAX_FRAME_BYTES = 400_000  # a typical frame has 30,000

MAX_STREAM_SECONDS = 60.0

MAX_IDLE_SECONDS = 10.0  # without a frame

MAX_STREAMS = 2

MAX_PENDING_FRAMES = 2  # per stream: one being processed, one in transit

NICENESS = 10  # of the thread, so that uploads get ten times its share of a busy core

MIN_HAIR_FRACTION = 0.002  # of the frame; less counts as no hair

STREAM_ENDED = (
    f"The stream has ended after {MAX_STREAM_SECONDS:.0f} seconds, or {MAX_IDLE_SECONDS:.0f} without a frame. "
    "Start it again."
)


@dataclass
class Stream:
    """The state of one visitor's stream between frames.

    Args:
        started: Time of the beginning, in seconds.
        last_frame: Time of the last frame, in seconds.
        pending: Number of frames that are waiting or being processed.
        network: Model and variant of the last frame. Another network resets the smoother.
        smoother: Averages the alphas of successive frames.
        recolourer: Recolourer of the last frame, the `previous` of the next one.
    """

    started: float
    last_frame: float
    pending: int = 0
    network: tuple[Any, ...] = ()
    smoother: AlphaSmoother = field(default_factory=AlphaSmoother)
    recolourer: HairRecolourer | None = None


class LiveStreams:
    """The functions that the tab's script calls. All run on one event loop.

    Args:
        photos: Provides the networks.
        clock: Returns the time in seconds.
    """

    def __init__(self, photos: PhotoStore, clock: Callable[[], float] = time.monotonic):
        self._photos, self._clock = photos, clock
        self._streams: dict[str, Stream] = {}
        self._thread = ThreadPoolExecutor(1, "live", lower_priority, (NICENESS,))

    async def begin_stream(self, model: Any = None) -> dict[str, Any]:
        """Begin a stream.

        Args:
            model: Name of the model; None for the default.

        Returns:
            {"stream": secret name, "seconds": time limit} or {"error": message}.
        """
        try:
            await self._run(lambda: self._photos.predictor(model))  # loading is not part of the time limit
        except InputError as error:
            return {"error": str(error)}
        self._remove_ended()
        if len(self._streams) >= MAX_STREAMS:
            return {"error": "Other visitors are live at the moment. Try again in a minute."}
        name, now = secrets.token_urlsafe(), self._clock()
        self._streams[name] = Stream(now, now)
        asyncio.get_running_loop().call_later(MAX_STREAM_SECONDS + 1, self._remove_ended)
        return {"stream": name, "seconds": MAX_STREAM_SECONDS}

    async def recolour_frame(self, payload: Any) -> dict[str, Any]:
        """Recolour a frame.

        Args:
            payload: {"stream": name, "frame": JPEG in base64, "colour", "strength", "variant", "model"}.

        Returns:
            {"picture": JPEG in base64, "is_empty": whether no hair was found, "ms": processing time},
            {"ended": message}, or {"error": message}.
        """
        payload = payload if isinstance(payload, dict) else {}
        self._remove_ended()
        stream = self._streams.get(str(payload.get("stream")))
        if stream is None:
            return {"ended": STREAM_ENDED}
        if stream.pending >= MAX_PENDING_FRAMES:
            return {"error": f"Too many frames are pending. Send at most {MAX_PENDING_FRAMES} at a time."}
        stream.pending += 1
        try:
            answer = await self._run(lambda: self._recolour(stream, payload))
        except Exception as error:
            return {"error": to_message(error)}
        finally:
            stream.pending -= 1
            stream.last_frame = self._clock()
        return answer

    async def end_stream(self, name: Any) -> None:
        """End a stream before its time limit."""
        self._streams.pop(str(name), None)

    async def _run(self, work: Callable[[], Any]) -> Any:
        return await asyncio.wrap_future(self._thread.submit(work))

    def _recolour(self, stream: Stream, payload: dict[str, Any]) -> dict[str, Any]:
        began = time.perf_counter()
        settings = RecolourSettings(payload.get("strength", 1.0))
        variant = check_variant(payload.get("variant", DEFAULT_VARIANT))
        photo = read_frame(payload.get("frame"))
        predictor, network = self._photos.predictor(payload.get("model")), (payload.get("model"), variant)
        if network != stream.network:
            stream.network, stream.smoother, stream.recolourer = network, AlphaSmoother(), None
        alpha = stream.smoother.smooth(photo, predictor.predict_single_pass(photo, variant))
        stream.recolourer = HairRecolourer(photo, alpha, stream.recolourer)
        picture = stream.recolourer.recolour(payload.get("colour", ""), settings)
        is_empty = bool(np.mean(alpha >= predictor.config.threshold) < MIN_HAIR_FRACTION)
        encoded = b64encode(encode_jpeg(picture, 88)).decode()
        return {"picture": encoded, "is_empty": is_empty, "ms": 1000 * (time.perf_counter() - began)}

    def _remove_ended(self) -> None:
        now = self._clock()
        for name, stream in list(self._streams.items()):
            is_idle = not stream.pending and now - stream.last_frame > MAX_IDLE_SECONDS
            if is_idle or now - stream.started >= MAX_STREAM_SECONDS:
                del self._streams[name]


def read_frame(frame: Any) -> np.ndarray:
    """Decode a frame.

    Args:
        frame: JPEG in base64, as the browser sent it.

    Returns:
        uint8 RGB, (height, width, 3).

    Raises:
        InputError: It is not a JPEG in base64, or exceeds `MAX_FRAME_SIDE` or `MAX_FRAME_BYTES`.

    Example:
        >>> import numpy as np
        >>> read_frame(b64encode(encode_jpeg(np.zeros((30, 40, 3), np.uint8))).decode()).shape
        (30, 40, 3)
    """
    remedy = "Send a JPEG picture in base64."
    if not isinstance(frame, str):
        raise InputError(f"The frame is {quote(frame)}.", remedy=remedy)
    if len(frame) > 4 * MAX_FRAME_BYTES / 3 + 4:
        raise InputError("The frame is too large.", remedy=f"Send at most {MAX_FRAME_BYTES // 1000} kB.")
    try:
        file = binascii.a2b_base64(frame, strict_mode=True)
    except ValueError:
        raise InputError("The frame is not base64.", remedy=remedy) from None
    if not file.startswith(b"\xff\xd8"):
        raise InputError("The frame is not a JPEG picture.", remedy=remedy)
    if FRAMES.count_pixels(file) > MAX_FRAME_SIDE**2:
        raise InputError("The frame is too large.", remedy=f"Send at most {MAX_FRAME_SIDE} x {MAX_FRAME_SIDE} pixels.")
    return FRAMES.load(file, "the frame")


def build_live(photos: PhotoStore, modules: str) -> gr.HTML:
    """Build the tab.

    Args:
        photos: Provides the networks.
        modules: URL path of the scripts, relative to the page.
    """
    streams = LiveStreams(photos)
    variants = "".join(
        f'<label><input type="radio" name="live-variant" value="{name}"{" checked" * (name == DEFAULT_VARIANT)}> '
        f"{VARIANT_TITLES[name]}</label>"
        for name in VARIANTS
    )
    constants = {"side": MAX_FRAME_SIDE, "pending": MAX_PENDING_FRAMES, "presets": PRESETS}
    template = (Path(__file__).parent / "live.html").read_text(encoding="utf-8")
    return gr.HTML(
        html_template=template.replace("<!--SWATCHES-->", render_swatches()).replace("<!--VARIANTS-->", variants),
        js_on_load=(
            f"import(new URL('{modules}/live/live.js', document.baseURI))"
            f".then(module => module.start(element, server, {json.dumps(constants)}))"
        ),
        elem_id="live",
        apply_default_css=False,
        server_functions=to_functions(streams.begin_stream, streams.recolour_frame, streams.end_stream),
    )
