"""The tab "Live" in Chromium, whose camera shows a portrait."""

import re
from base64 import b64decode
from pathlib import Path

import cv2
import numpy as np
import pytest
from browser.conftest import CHROMIUM, PORTRAIT, QUIET, TIMEOUT, WIDE, done
from browser.test_accessibility import findings
from gradio.utils import get_upload_folder
from playwright.sync_api import expect

from hairseg.images import load_photo

WATCH_CAMERAS = """() => {
    window.cameras = [];
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async wanted => {
        const stream = await ask(wanted);
        window.cameras.push(...stream.getTracks());
        return stream;
    };
}"""


@pytest.fixture(scope="module")
def visitor(chromium, tmp_path_factory):
    """One whose camera shows the portrait: twelve noisy frames of YUV4MPEG2, again and again."""
    camera, rng = tmp_path_factory.mktemp("camera") / "portrait.y4m", np.random.default_rng(0)
    portrait = cv2.resize(load_photo(PORTRAIT)[:210], (640, 480))
    with camera.open("wb") as file:
        file.write(b"YUV4MPEG2 W640 H480 F12:1 Ip A1:1 C420jpeg\n")
        for _ in range(12):
            noisy = np.clip(portrait + rng.normal(0, 3, (480, 640, 1)), 0, 255).astype(np.uint8)
            file.write(b"FRAME\n" + cv2.cvtColor(noisy, cv2.COLOR_RGB2YUV_I420).tobytes())
    options = [*QUIET, f"--use-file-for-fake-video-capture={camera}"]
    with chromium.launch(executable_path=CHROMIUM, args=options) as browser:
        yield browser.new_context(viewport=WIDE)


@pytest.fixture
def tab(page):
    """The page with the tab in front; `cameras` in it are the tracks that the browser has given."""
    page.evaluate(WATCH_CAMERAS)
    show(page)
    return page


def show(page) -> None:
    page.get_by_role("tab", name="Live").click()
    expect(page.locator("#live .switch")).to_have_text("Start the camera")


def start(page) -> None:
    page.locator("#live .switch").click()
    expect(page.locator("#live .picture img")).to_be_visible(timeout=TIMEOUT)
    assert camera_runs(page)


def camera_runs(page) -> bool:
    return page.evaluate("cameras.some(track => track.readyState === 'live')")


def expect_stopped(page, sentence) -> None:
    expect(page.locator("#live .switch")).to_have_text("Start the camera", timeout=TIMEOUT)
    expect(page.locator("#live .said")).to_have_text(sentence)
    expect(page.locator("#live .picture img")).to_have_count(0)
    assert not camera_runs(page)


def frames_later(page, number: int) -> np.ndarray:
    """What is shown after that many further frames: RGB."""
    for _ in range(number):
        before = page.locator("#live .picture img").get_attribute("src")
        page.wait_for_function("before => document.querySelector('#live .picture img').src !== before", arg=before)
    kind, data = page.locator("#live .picture img").get_attribute("src").split(",")
    assert kind == "data:image/jpeg;base64"
    return load_photo(b64decode(data)).astype(float)


def test_frames_come_back_with_their_hair_in_the_chosen_colour(tab, monkeypatch):
    for limit in ("MAX_STREAM_SECONDS", "MAX_IDLE_SECONDS"):  # however slow the machine is
        monkeypatch.setattr(f"hairseg.page.live.live.{limit}", 600.0)
    files = sorted(Path(get_upload_folder()).rglob("*"))
    assert tab.evaluate("cameras.length") == 0  # before anybody asks
    tab.locator("#live [name=strength]").fill("0")
    start(tab)
    plain = frames_later(tab, 1)
    assert plain.shape == (360, 480, 3)
    tab.locator("#live [name=strength]").fill("1")
    tab.locator("#live [data-preset='emerald']").click()
    expect(tab.locator("#live [data-preset='emerald']")).to_have_attribute("aria-pressed", "true")
    green = frames_later(tab, 4)  # one may be on its way, the next ones settle
    changed = np.abs(green - plain).max(axis=2) > 40
    assert 0.05 < changed.mean() < 0.6  # her hair, and not the whole picture
    before, after = ((picture[..., 1] - picture[..., 0])[changed].mean() for picture in (plain, green))
    assert after > before + 15
    expect(tab.locator("#live .rate")).to_have_text(re.compile(r"^\d+(\.\d)? pictures a second, \d+ ms delay$"))
    expect(tab.locator("#live .left")).to_have_text(re.compile(r"^\d+ s left$"))
    assert findings(tab) == []
    tab.locator("#live .switch").click()
    expect_stopped(tab, "")
    assert sorted(Path(get_upload_folder()).rglob("*")) == files  # no frame was written


def test_the_camera_stops_when_the_minute_is_over_or_the_tab_is_left(tab):
    tab.clock.install()
    start(tab)
    tab.clock.fast_forward(60_000)
    expect_stopped(tab, "The 60 seconds are over. Start again if you like.")
    start(tab)
    tab.get_by_role("tab", name="Try it").click()
    tab.wait_for_function("cameras.every(track => track.readyState === 'ended')")
    show(tab)


def test_the_camera_on_the_back_is_offered_where_there_are_two(tab):
    start(tab)
    expect(tab.locator("#live .turn")).to_be_hidden()
    tab.evaluate("navigator.mediaDevices.enumerateDevices = async () => Array(2).fill({kind: 'videoinput'})")
    tab.evaluate(
        """() => {
            const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
            navigator.mediaDevices.getUserMedia = wanted => ask(window.wanted = wanted);
        }"""
    )
    tab.locator("#live .switch").click()
    start(tab)
    assert tab.evaluate("wanted.video.facingMode") == "user"
    tab.locator("#live .turn").click()
    expect(tab.locator("#live .picture img")).to_be_visible(timeout=TIMEOUT)
    assert tab.evaluate("wanted.video.facingMode") == "environment"
    assert tab.evaluate("cameras.filter(track => track.readyState === 'live').length") == 1


def test_a_frame_that_is_shown_as_the_minute_ends_leaves_the_sentence_of_the_end(tab):
    tab.clock.install()
    tab.evaluate("() => { HTMLImageElement.prototype.decode = () => new Promise(resolve => window.finish = resolve) }")
    start(tab)
    tab.clock.fast_forward(60_000)
    over = "The 60 seconds are over. Start again if you like."
    expect_stopped(tab, over)
    tab.evaluate("finish()")  # what waits for it goes on before the next line asks
    expect(tab.locator("#live .said")).to_have_text(over)


def test_a_server_that_is_gone_or_refuses_ends_the_stream_with_one_sentence(tab):
    start(tab)
    tab.route("**/component_server/", lambda route: route.abort())
    expect_stopped(tab, "The server does not answer. Check the connection and start again.")
    tab.unroute("**/component_server/")
    tab.route("**/component_server/", lambda route: route.fulfill(json={"error": "Others are live at the moment."}))
    tab.locator("#live .switch").click()
    expect_stopped(tab, "Others are live at the moment.")


def test_a_stream_of_whose_end_the_server_has_not_heard_holds_no_place(tab):
    for _ in range(4):  # twice as often as there are places
        start(tab)
        tab.context.set_offline(True)
        expect(tab.locator("#live .said")).to_contain_text("does not answer", timeout=TIMEOUT)
        tab.context.set_offline(False)
    start(tab)  # the server ends the previous stream, too
    tab.locator("#live .switch").click()
    expect_stopped(tab, "")


def test_the_colour_of_the_first_tab_is_taken_along(page):
    page.locator("#swatch-violet").click()
    expect(page.locator("#swatch-violet")).to_have_attribute("aria-pressed", "true")
    show(page)
    expect(page.locator("#live [data-preset='violet']")).to_have_attribute("aria-pressed", "true")


def test_a_picture_is_frozen_compared_and_taken_to_the_first_tab(tab):
    start(tab)
    tab.get_by_role("button", name="Freeze in 3 seconds").click()
    expect(tab.locator("#live .timer")).to_have_text("3")
    expect(tab.locator("#live .freeze")).to_have_attribute("aria-pressed", "true")
    tab.wait_for_timeout(1000)
    frozen = tab.locator("#live .picture img").get_attribute("src")
    tab.wait_for_timeout(1000)
    assert tab.locator("#live .picture img").get_attribute("src") == frozen
    expect(tab.locator("#live .before")).to_be_hidden()
    tab.get_by_role("button", name="Before", exact=True).click()
    expect(tab.locator("#live .before")).to_be_visible()
    tab.get_by_role("button", name="Take this picture to Try it").click()
    expect(tab.locator("#photo .name")).to_have_text("live.jpg", timeout=TIMEOUT)
    done(tab)
    assert not camera_runs(tab)


def test_a_camera_that_is_denied_costs_one_sentence(chromium, address):
    options = [option for option in QUIET if option != "--use-fake-ui-for-media-stream"]  # which would allow it
    strict = chromium.launch(executable_path=CHROMIUM, args=options)
    page = strict.new_page()
    page.set_default_timeout(TIMEOUT)
    page.goto(address)
    show(page)
    page.evaluate(WATCH_CAMERAS)
    page.locator("#live .switch").click()
    expect_stopped(page, "The camera cannot be used. Allow it for this page in the browser, then start again.")
    strict.close()
