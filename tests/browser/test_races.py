"""Whatever is clicked while something is in progress, no result is shown beside another photo or setting."""

import re

import cv2
import numpy as np
import pytest
from browser.conftest import PORTRAIT, TIMEOUT, done, notice, picture, source, upload
from PIL import Image
from playwright.sync_api import expect

from hairseg.images import load_photo

DELAYS = [0, 0.1, 0.4, 0.9, 1.6]  # seconds

# Records every moment in which pictures of different photos are shown together.
WATCH = """() => {
    window.mixed = [];
    const nameOf = image => decodeURIComponent(image.src).match(/(large|turned)/)?.[1];
    const places = ["random-mask", "pretrained-mask", "recoloured", "original"];
    const check = () => {
        const images = document.querySelectorAll(places.map(place => `#${place} img`).join());
        const names = new Set([...images].map(nameOf).filter(Boolean));
        if (names.size > 1) window.mixed.push([...names].join());
    };
    const studio = document.querySelector("#studio");
    new MutationObserver(check).observe(studio, {subtree: true, childList: true, attributes: true});
}"""


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """The portrait at 12 megapixels, and a small one upside down."""
    folder = tmp_path_factory.mktemp("photos")
    portrait = load_photo(PORTRAIT)
    Image.fromarray(cv2.resize(portrait, (3464, 3464))).save(folder / "large.jpg", quality=80)
    Image.fromarray(np.ascontiguousarray(portrait[::-1, 40:])).save(folder / "turned.png")
    return folder / "large.jpg", folder / "turned.png"


def assert_turned(page) -> None:
    for name in ("random-mask", "pretrained-mask", "recoloured", "original", "photo"):
        assert picture(page, name).shape[:2] == (280, 240), name
    alpha = picture(page, "pretrained-mask")
    assert alpha[200:].mean() > 2 * alpha[:100].mean()  # hair is at the bottom
    assert "turned.png" in page.locator("#photo .name").inner_text()


@pytest.mark.parametrize("delay", DELAYS)
def test_a_second_photo_while_the_first_is_in_progress(page, photos, delay):
    page.evaluate(WATCH)
    upload(page, photos[0])
    page.wait_for_timeout(1000 * delay)
    upload(page, photos[1])
    done(page)
    page.wait_for_timeout(300)
    assert_turned(page)
    assert page.evaluate("window.mixed") == []


@pytest.mark.parametrize("delay", DELAYS[:3])
def test_removing_a_photo_in_progress_shows_the_example(page, photos, delay):
    upload(page, photos[0])
    page.wait_for_timeout(1000 * delay)
    page.click("[data-do=clear]")
    done(page)
    assert "Example" in page.locator("#photo .name").inner_text()
    assert picture(page, "pretrained-mask").shape == (900, 900)
    upload(page, photos[1])
    done(page)
    assert_turned(page)


@pytest.mark.parametrize("delay", [0, 0.1, 0.3])
def test_settings_chosen_while_a_photo_is_in_progress_apply_to_it(page, photos, delay):
    upload(page, photos[1])
    page.wait_for_timeout(1000 * delay)
    page.click("#swatch-violet")
    page.get_by_role("radio", name="From scratch").check()
    done(page)
    assert "turned-violet" in source(page, "recoloured")
    assert "variant=random" in page.url and "colour=violet" in page.url


def test_an_answer_overtaken_by_a_later_one_is_not_shown(page, photos):
    """The answer for the first colour is held back until the second was chosen."""
    upload(page, photos[1])
    done(page)
    held = []

    def hold(route):
        if '"recolour"' in route.request.post_data and "6b4995" in route.request.post_data and not held:
            held.append(route)
        else:
            route.continue_()

    page.route("**/component_server/", hold)
    page.evaluate("document.getElementById('swatch-violet').click()")
    page.wait_for_timeout(300)
    page.evaluate("document.getElementById('swatch-emerald').click()")
    page.wait_for_timeout(300)
    held[0].continue_()
    done(page)
    assert "emerald" in source(page, "recoloured")


def test_quick_choices_end_with_the_last(page, photos):
    upload(page, photos[0])
    for name in ("violet", "emerald", "black", "platinum", "ocean-blue"):
        page.click(f"#swatch-{name}")
    upload(page, photos[1])
    page.get_by_role("radio", name="From scratch").check()
    page.get_by_role("radio", name="Pretrained").check()
    page.click("#swatch-violet")
    done(page)
    expect(page.locator("#recoloured img")).to_have_attribute("alt", "The photo with violet hair", timeout=TIMEOUT)
    assert_turned(page)
    violet, alpha = picture(page, "recoloured").astype(int), picture(page, "pretrained-mask")
    mean = violet[alpha > 250].mean(axis=0)
    assert mean[2] > mean[1] + 15 and mean[2] > mean[0]


def test_the_same_photo_twice_is_shown_twice(page, photos):
    """Guards against an answer that is ignored because it equals the one before."""
    for _ in range(2):
        upload(page, photos[1])
        done(page)
        assert_turned(page)
        page.click("[data-do=clear]")
        done(page)


def test_a_lost_connection_is_told_once_and_what_was_asked_for_comes_by_itself(page, photos):
    upload(page, photos[1])
    done(page)
    page.evaluate("window.isTheSame = true")
    page.route("**/component_server/", lambda route: route.abort())
    page.click("#swatch-violet")
    expect(notice(page)).to_contain_text("The server does not answer", timeout=TIMEOUT)
    page.click("#cutout-button")
    for name in ("random-mask", "pretrained-mask", "recoloured"):
        expect(page.locator(f"#{name} img")).to_be_visible()
    with page.expect_download(timeout=TIMEOUT) as download:
        page.unroute("**/component_server/")
    assert download.value.suggested_filename == "turned-hair.png"
    expect(page.locator("#recoloured img")).to_have_attribute("src", re.compile("violet"), timeout=TIMEOUT)
    done(page)
    expect(notice(page)).to_have_text("")
    assert_turned(page)
    assert page.evaluate("window.isTheSame")  # the page was not reloaded


def test_an_upload_that_fails_brings_the_photo_before_it_back(page, photos):
    upload(page, photos[1])
    done(page)
    page.route("**/upload**", lambda route: route.abort())
    upload(page, PORTRAIT)
    expect(notice(page)).to_contain_text(f"{PORTRAIT.name} did not get through", timeout=TIMEOUT)
    done(page)
    assert_turned(page)
    page.unroute("**/upload**")


def test_a_picture_that_did_not_come_is_fetched_again(page, photos):
    failures = []
    page.route(
        re.compile(r"/file=.*violet"),
        lambda route: failures.append(1) or route.abort() if not failures else route.continue_(),
    )
    upload(page, photos[1])
    done(page)
    page.click("#swatch-violet")
    done(page)
    assert failures and page.locator("#recoloured img").evaluate("image => image.naturalWidth") == 240


def test_a_photo_that_the_server_has_deleted_is_sent_again(page, photos):
    upload(page, photos[1])
    done(page)
    page.wait_for_selector(".has-thumbnails", timeout=TIMEOUT)  # so that the next request is for the colour
    page.route("**/component_server/", lambda route: route.fulfill(json={"error": "Gone.", "gone": True}), times=1)
    with page.expect_request("**/upload**"):
        page.click("#swatch-violet")
    done(page)
    assert "turned-violet" in source(page, "recoloured")
