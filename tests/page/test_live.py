"""The functions of the live tab."""

import asyncio
from base64 import b64decode, b64encode
from concurrent.futures import Future
from io import BytesIO
from threading import Event
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import draw_portrait, run_apart
from PIL import Image

from hairseg.images import encode_jpeg, encode_png, load_photo
from hairseg.inference.predictor import HairPredictor
from hairseg.page.live.live import (
    MAX_FRAME_BYTES,
    MAX_FRAME_SIDE,
    MAX_IDLE_SECONDS,
    MAX_STREAMS,
    LiveStreams,
    read_frame,
)
from hairseg.page.registry import ModelRegistry, ServedModel
from hairseg.page.security import UNEXPECTED
from hairseg.page.store import PhotoStore
from hairseg.recolouring.recolourer import recolour
from hairseg.repository import BUNDLED

PORTRAIT = encode_jpeg(draw_portrait(3, 160)[0])
JPEG_ERROR = 6  # of 255; above the mean error by which JPEG changes a noisy drawing


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def dark_is_hair(photo, variant):
    return (photo.max(axis=2) < 100).astype(np.float32)


def network(predict_single_pass) -> Any:
    """A stand-in for a predictor."""
    return SimpleNamespace(
        predict_single_pass=predict_single_pass, folder=BUNDLED, config=SimpleNamespace(threshold=0.5)
    )


def streams_with(predict_single_pass=dark_is_hair) -> tuple[LiveStreams, Clock]:
    clock = Clock()
    return LiveStreams(PhotoStore(ModelRegistry.from_predictor(network(predict_single_pass))), clock), clock


def frame(stream, file: bytes = PORTRAIT, **others) -> dict:
    asked = {"frame": b64encode(file).decode(), "colour": "#8e24aa", "strength": 1, "variant": "pretrained"}
    return {**asked, "stream": stream["stream"], **others}


def shown(answer) -> np.ndarray:
    file = b64decode(answer["picture"])
    with Image.open(BytesIO(file)) as picture:
        assert picture.format == "JPEG"
    return load_photo(file)


def test_a_frame_comes_back_recoloured_as_a_photo_would():
    async def one_frame(**others):
        streams, _ = streams_with()
        return await streams.recolour_frame(frame(await streams.begin_stream(), **others))

    photo = load_photo(PORTRAIT)
    answer = run_apart(one_frame())
    assert not answer["is_empty"]
    expected = recolour(photo, dark_is_hair(photo, ""), "#8e24aa").astype(float)
    assert np.abs(shown(answer) - expected).mean() < JPEG_ERROR < np.abs(photo - expected).mean()
    assert np.abs(shown(run_apart(one_frame(strength=0))).astype(float) - photo).mean() < JPEG_ERROR


def test_the_requested_network_makes_one_pass(small_repository):
    predictor, passes = HairPredictor(small_repository), []
    for name, network in predictor.networks.items():
        network.register_forward_pre_hook(lambda _, inputs, name=name: passes.append((name, len(inputs[0]))))

    async def one_frame():
        streams = LiveStreams(PhotoStore(ModelRegistry.from_predictor(predictor)))
        return await streams.recolour_frame(frame(await streams.begin_stream(), variant="random"))

    assert shown(run_apart(one_frame())).shape == (160, 160, 3)
    assert passes == [("random", 1)]


def test_a_frame_without_hair_is_reported():
    async def one_frame():
        streams, _ = streams_with(lambda photo, variant: np.zeros(photo.shape[:2], np.float32))
        return await streams.recolour_frame(frame(await streams.begin_stream()))

    assert run_apart(one_frame())["is_empty"]


def test_frames_are_smoothed_within_a_stream_and_not_across():
    answers = iter([0.0, 1.0, 1.0])

    async def frames():
        streams, _ = streams_with(lambda photo, variant: np.full(photo.shape[:2], next(answers), np.float32))
        one, other = await streams.begin_stream(), await streams.begin_stream()
        return [shown(await streams.recolour_frame(frame(stream))).astype(float) for stream in (one, one, other)]

    photo = load_photo(PORTRAIT)
    untouched, little, fully = (np.abs(picture - photo).mean() for picture in run_apart(frames()))
    assert untouched < JPEG_ERROR < little < 0.5 * fully


def test_a_stream_ends_after_a_minute():
    async def a_minute():
        streams, clock = streams_with()
        stream, answers = await streams.begin_stream(), []
        for _ in range(31):
            clock.now += 2
            answers.append(await streams.recolour_frame(frame(stream)))
        again = await streams.recolour_frame(frame(await streams.begin_stream()))
        return answers, again

    answers, again = run_apart(a_minute())
    assert all("picture" in answer for answer in answers[:29])
    assert all("ended" in answer for answer in answers[29:]) and "picture" in again


def test_another_stream_can_begin_when_one_ends_or_is_idle():
    async def crowd():
        streams, clock = streams_with()
        live = [await streams.begin_stream() for _ in range(MAX_STREAMS)]
        refused = await streams.begin_stream()
        await streams.end_stream(live[0]["stream"])
        live[0] = await streams.begin_stream()
        clock.now += MAX_IDLE_SECONDS + 1  # no visitor sends a frame
        after_vanishing = [await streams.begin_stream() for _ in range(MAX_STREAMS + 1)]
        return refused, live, after_vanishing, await streams.recolour_frame(frame(live[0]))

    refused, live, after_vanishing, gone = run_apart(crowd())
    assert set(refused) == {"error"} and refused["error"].endswith("Try again in a minute.")
    assert all("stream" in stream for stream in live)
    assert ["stream" in answer for answer in after_vanishing] == [True] * MAX_STREAMS + [False]
    assert "ended" in gone


def test_a_stream_without_frames_is_removed(monkeypatch):
    monkeypatch.setattr("hairseg.page.live.live.MAX_STREAM_SECONDS", -0.9)

    async def vanish():
        streams, _ = streams_with()
        await streams.begin_stream()
        before = len(streams._streams)
        await asyncio.sleep(0.3)
        return before, len(streams._streams)

    assert run_apart(vanish()) == (1, 0)


def test_a_stream_has_at_most_two_pending_frames():
    may_go_on = Event()

    def slow(photo, variant):
        may_go_on.wait(30)
        return dark_is_hair(photo, variant)

    async def both():
        streams, _ = streams_with(slow)
        stream = await streams.begin_stream()
        pending = [asyncio.create_task(streams.recolour_frame(frame(stream))) for _ in range(2)]
        await asyncio.sleep(0)
        third = await streams.recolour_frame(frame(stream))
        may_go_on.set()
        return [*await asyncio.gather(*pending), third, await streams.recolour_frame(frame(stream))]

    first, second, third, fourth = run_apart(both())
    assert all("picture" in answer for answer in (first, second, fourth)) and "at most 2 at a time" in third["error"]


@pytest.mark.parametrize("changed", [{"model": "other"}, {"variant": "random"}], ids=str)
def test_alphas_of_different_networks_are_not_averaged(changed):
    """The camera does not move, and only the network changes."""

    def networks(model):
        nothing = network(lambda photo, variant: np.full(photo.shape[:2], float(variant == "random"), np.float32))
        everything = network(lambda photo, variant: np.ones(photo.shape[:2], np.float32))
        return everything if model.name == "other" else nothing

    async def frames():
        store = PhotoStore(ModelRegistry([ServedModel("bundled"), ServedModel("other")], networks))
        streams = LiveStreams(store, Clock())
        stream = await streams.begin_stream()
        first, *_, last = [await streams.recolour_frame(frame(stream, **others)) for others in ({}, {}, changed)]
        return first, last, await streams.recolour_frame(frame(await streams.begin_stream(), **changed))

    first, last, fresh = run_apart(frames())
    assert first["is_empty"] and last["picture"] == fresh["picture"] != first["picture"]


def test_a_slow_frame_does_not_end_the_stream():
    async def slowly():
        streams, clock = streams_with()
        stream = await streams.begin_stream()

        def takes_long(photo, variant):
            clock.now += 3 * MAX_IDLE_SECONDS
            return dark_is_hair(photo, variant)

        streams._photos = PhotoStore(ModelRegistry.from_predictor(network(takes_long)))
        await streams.recolour_frame(frame(stream))
        return await streams.recolour_frame(frame(stream))

    assert "picture" in run_apart(slowly())


NOISE = np.random.default_rng(0).integers(0, 256, (MAX_FRAME_SIDE, MAX_FRAME_SIDE, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "wrong",
    [
        {"frame": None},
        {"frame": 7},
        {"frame": ["x"]},
        {"frame": ""},
        {"frame": "no base64!"},
        {"frame": b64encode(b"no picture").decode()},
        {"frame": b64encode(PORTRAIT[:900]).decode()},
        {"frame": b64encode(encode_jpeg(np.zeros((MAX_FRAME_SIDE + 1, MAX_FRAME_SIDE, 3), np.uint8))).decode()},
        {"frame": b64encode(encode_png(NOISE)).decode()},
        {"frame": b64encode(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n").decode()},
        {"colour": "nothing"},
        {"colour": None},
        {"strength": "much"},
        {"strength": 2},
        {"variant": "third"},
        {"variant": []},
        {"model": "mallory"},
        {"model": []},
    ],
    ids=str,
)
def test_invalid_frames_are_answered_with_one_sentence_and_the_stream_goes_on(wrong):
    async def frames():
        streams, _ = streams_with()
        stream = await streams.begin_stream()
        return await streams.recolour_frame(frame(stream, **wrong)), await streams.recolour_frame(frame(stream))

    bad, good = run_apart(frames())
    assert set(bad) == {"error"} and bad["error"].endswith(".") and "\n" not in bad["error"] and len(bad["error"]) < 300
    assert bad["error"] != UNEXPECTED and "picture" in good


def test_an_unknown_model_is_refused_before_the_stream_begins():
    async def begin():
        streams, _ = streams_with()
        return await streams.begin_stream("mallory"), len(streams._streams)

    refused, live = run_apart(begin())
    assert set(refused) == {"error"} and "'mallory' is not a model of this page" in refused["error"] and live == 0


@pytest.mark.parametrize("asked", [None, "x", [], {}, {"stream": None}, {"stream": []}, {"stream": "guessed"}])
def test_frames_without_a_stream_are_not_processed(asked):
    async def ask():
        streams, _ = streams_with(lambda *_: pytest.fail("a network ran"))
        await streams.begin_stream()
        await streams.end_stream(asked)
        return await streams.recolour_frame(asked)

    assert set(run_apart(ask())) == {"ended"}


def test_an_unexpected_failure_is_answered_with_one_sentence(capsys):
    def broken(photo, variant):
        raise RuntimeError("out of order")

    async def one_frame():
        streams, _ = streams_with(broken)
        return await streams.recolour_frame(frame(await streams.begin_stream()))

    assert run_apart(one_frame()) == {"error": UNEXPECTED}
    assert "out of order" in capsys.readouterr().err


def test_loading_the_networks_does_not_count_as_streaming():
    loading = Future()

    async def early():
        clock = Clock()
        streams = LiveStreams(
            PhotoStore(ModelRegistry([ServedModel("bundled")], lambda model: loading.result())), clock
        )
        begun = asyncio.create_task(streams.begin_stream())
        await asyncio.sleep(0.05)
        clock.now += 100
        loading.set_result(network(dark_is_hair))
        return await streams.recolour_frame(frame(await begun))

    assert "picture" in run_apart(early())


def test_a_noisy_frame_is_within_the_limit():
    file = encode_jpeg(NOISE, 80)
    assert len(file) < MAX_FRAME_BYTES < len(encode_png(NOISE))
    assert read_frame(b64encode(file).decode()).shape == NOISE.shape
