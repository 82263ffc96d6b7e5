"""Whatever is clicked while something is at work, no result stands beside another photo."""

import re

import cv2
import numpy as np
import pytest
from browser.conftest import PATIENCE, PORTRAIT, done, idle, picture, source, upload
from PIL import Image
from playwright.sync_api import expect

from hairseg.images import load_photo

DELAYS = [0, 0.1, 0.4, 0.9, 1.6]  # seconds


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two people that nobody takes for one another: the portrait at 12 megapixels, and a small one upside down."""
    folder = tmp_path_factory.mktemp("photos")
    portrait = load_photo(PORTRAIT)
    Image.fromarray(cv2.resize(portrait, (3464, 3464))).save(folder / "large.jpg", quality=80)
    Image.fromarray(np.ascontiguousarray(portrait[::-1, 40:])).save(folder / "turned.png")
    return folder / "large.jpg", folder / "turned.png"


def settled(page) -> None:
    """Until nothing is under way any more."""
    done(page)
    idle(page)
    page.wait_for_timeout(300)


def shows_the_turned_one(page) -> None:
    height, width = 280, 240
    for name in ("random-mask", "pretrained-mask", "recoloured", "original", "photo"):
        assert picture(page, name).shape[:2] == (height, width), name
    alpha = picture(page, "pretrained-mask")
    assert alpha[200:].mean() > 2 * alpha[:100].mean()  # hair is at the bottom
    assert "turned.png" in page.locator("#photo .name").inner_text()


@pytest.mark.parametrize("delay", DELAYS)
def test_a_second_photo_while_the_first_is_at_work(page, photos, delay):
    upload(page, photos[0])
    page.wait_for_timeout(1000 * delay)
    upload(page, photos[1])
    settled(page)
    shows_the_turned_one(page)


@pytest.mark.parametrize("delay", DELAYS)
def test_clearing_while_a_photo_is_at_work(page, photos, delay):
    upload(page, photos[0])
    page.wait_for_timeout(1000 * delay)
    page.evaluate("hairseg.clear()")
    idle(page)
    page.wait_for_timeout(300)
    for name in ("random-mask", "pretrained-mask", "recoloured", "original", "photo"):
        expect(page.locator(f"#{name} img")).to_have_count(0)
    upload(page, photos[1])
    settled(page)
    shows_the_turned_one(page)


@pytest.mark.parametrize("delay", [0, 0.3])
@pytest.mark.parametrize("kind", ["sheet", "cutout", "card"])
def test_what_was_asked_for_before_a_new_photo_does_not_appear_under_it(page, photos, kind, delay):
    upload(page, photos[0])
    done(page)
    page.click(f"#{kind}-button")
    page.wait_for_timeout(1000 * delay)
    upload(page, photos[1])
    settled(page)
    page.wait_for_timeout(300)
    shows_the_turned_one(page)
    expect(page.locator("dialog[open]")).to_have_count(0)


@pytest.mark.parametrize("delay", [0, 0.1, 0.2, 0.3])
def test_what_is_chosen_while_a_photo_is_looked_at_is_what_is_shown(page, photos, delay):
    """The answers for the photo and for the choice come in any order."""
    upload(page, photos[1])
    page.wait_for_timeout(1000 * delay)
    page.evaluate("document.getElementById('swatch-violet').click()")
    page.evaluate("document.querySelector('#view input[value=Outline]').click()")
    settled(page)
    assert source(page, "recoloured").endswith("violet.jpg")
    assert source(page, "random-mask").endswith("outline.jpg") and source(page, "pretrained-mask").endswith(
        "outline.jpg"
    )


def test_an_answer_that_a_later_one_has_overtaken_is_not_shown(page, photos):
    """The first picture is held up until the one of the next colour is there."""
    held, is_held = [], True
    page.route("**/queue/join**", lambda route: held.append(route) if is_held else route.continue_())
    upload(page, photos[1])
    page.wait_for_function("hairseg.photo?.path")
    page.wait_for_timeout(500)
    is_held = False
    page.click("#swatch-violet")
    expect(page.locator("#recoloured img")).to_have_attribute("src", re.compile("violet"), timeout=PATIENCE)
    assert held
    for route in held:
        route.continue_()
    settled(page)
    assert source(page, "recoloured").endswith("violet.jpg")


def test_a_connection_that_is_lost_costs_neither_the_photo_nor_its_touch_up(page, photos):
    upload(page, photos[1])
    done(page)
    page.evaluate("window.isTheSame = true")
    page.route("**/{queue/join,run,upload}**", lambda route: route.abort())
    page.click("#swatch-violet")
    expect(page.locator("#photo .alert")).to_contain_text("The server does not answer", timeout=PATIENCE)
    upload(page, PORTRAIT)
    expect(page.locator("#photo .name")).to_have_text("turned.png", timeout=PATIENCE)  # the one before is back
    page.wait_for_timeout(2500)  # Gradio would have loaded the page anew
    expect(page.locator(".toast-body:visible")).to_have_count(0)
    for name in ("random-mask", "pretrained-mask", "recoloured"):  # its pictures have not gone
        expect(page.locator(f"#{name} img")).to_be_visible()
    page.unroute("**/{queue/join,run,upload}**")
    expect(page.locator("#recoloured img")).to_have_attribute("src", re.compile("violet"), timeout=PATIENCE)
    settled(page)
    shows_the_turned_one(page)
    assert page.evaluate("window.isTheSame")
    expect(page.locator("#photo .alert")).to_contain_text(f"{PORTRAIT.name} did not get through", timeout=PATIENCE)


def test_what_was_chosen_while_the_connection_was_lost_comes_by_itself(page, photos):
    upload(page, photos[1])
    done(page)
    page.route("**/{queue/join,run}**", lambda route: route.abort())
    page.click("#swatch-violet")
    page.get_by_role("radio", name="Outline").check()
    expect(page.locator("#photo .alert")).to_contain_text("It is asked again by itself", timeout=PATIENCE)
    page.get_by_role("button", name="Hair alone").click()
    page.wait_for_timeout(1000)
    expect(page.locator("#photo .alert")).to_contain_text("It is asked again by itself")
    page.unroute("**/{queue/join,run}**")
    expect(page.locator("#recoloured img")).to_have_attribute("src", re.compile("violet"), timeout=PATIENCE)
    expect(page.locator("#random-mask img")).to_have_attribute("src", re.compile("outline"), timeout=PATIENCE)
    expect(page.locator("#photo .alert")).to_have_text("")
    expect(page.locator("dialog #cutout img")).to_be_visible(timeout=PATIENCE)


def test_colours_variants_and_views_in_quick_succession_end_with_the_last(page, photos):
    upload(page, photos[0])
    for name in ("violet", "emerald", "black", "platinum", "ocean-blue"):
        page.click(f"#swatch-{name}")
    upload(page, photos[1])
    page.get_by_role("radio", name="Outline").check()
    page.get_by_role("radio", name="random").check()
    page.get_by_role("radio", name="pretrained").check()
    page.get_by_role("radio", name="Mask", exact=True).check()
    page.click("#swatch-violet")
    settled(page)
    expect(page.locator("#recoloured img")).to_have_attribute("alt", "Your photo with violet hair", timeout=PATIENCE)
    shows_the_turned_one(page)
    violet, alpha = picture(page, "recoloured").astype(int), picture(page, "pretrained-mask")
    mean = violet[alpha > 250].mean(axis=0)
    assert mean[2] > mean[1] + 15 and mean[2] > mean[0]


def test_the_same_photo_again_after_clearing(page, photos):
    """Guards against a result that is left out because it equals the one before."""
    for _ in range(3):
        upload(page, photos[1])
        settled(page)
        shows_the_turned_one(page)
        page.evaluate("hairseg.clear()")
