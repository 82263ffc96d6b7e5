"""The page in a real browser."""

import colorsys
import io
import os
import shutil
import urllib.request

import numpy as np
import pytest
from conftest import PROJECT
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from hairseg.images import load_photo
from hairseg.page.layout import build_page
from hairseg.page.style import look
from hairseg.prediction import HairPredictor
from hairseg.repository import BUNDLED

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PORTRAIT = PROJECT / "hairseg" / "page" / "examples" / "astronaut.jpg"
PATIENCE = 60_000  # milliseconds

pytestmark = pytest.mark.skipif(not CHROMIUM and not os.environ.get("CI"), reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def address():
    page = build_page(HairPredictor(BUNDLED))
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, ssr_mode=False, **look())
    yield url
    page.close(verbose=False)


@pytest.fixture(scope="module")
def browser():
    assert CHROMIUM, "no Chromium: expected one on the path; install the package chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address):
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    page.strangers = []
    page.on(
        "request",
        lambda request: (
            page.strangers.append(request.url) if not request.url.startswith((address, "data:", "blob:")) else None
        ),
    )
    yield page
    page.close()


def picture(page, name: str) -> np.ndarray:
    """What the named picture of the page shows, as delivered."""
    locator = page.locator(f"#{name} img")
    locator.scroll_into_view_if_needed()
    expect(locator).to_be_visible(timeout=PATIENCE)
    with urllib.request.urlopen(locator.get_attribute("src")) as answer:
        return np.asarray(Image.open(io.BytesIO(answer.read())))


def upload(page, *files) -> None:
    page.set_input_files("#photo input[type=file]", files[0])


def source(page, name: str) -> str:
    return page.locator(f"#{name} img").get_attribute("src")


def hue(picture: np.ndarray, where: np.ndarray) -> float:
    return float(np.median([colorsys.rgb_to_hsv(*pixel)[0] * 360 for pixel in picture[where] / 255]))


def test_upload_shows_the_papers_figure_3_and_recolours(page):
    upload(page, PORTRAIT)
    photo = load_photo(PORTRAIT)
    random, pretrained, recoloured = (picture(page, name) for name in ("random-mask", "pretrained-mask", "recoloured"))
    assert random.shape == pretrained.shape == photo.shape[:2] and recoloured.shape == photo.shape
    assert pretrained[30:55, 120:170].mean() > 200 and pretrained[-20:, :20].mean() < 60
    np.testing.assert_array_equal(picture(page, "original"), np.asarray(Image.open(PORTRAIT)))

    labels = {name: page.locator(f"#{name} label").first for name in ("random-mask", "photo", "pretrained-mask")}
    assert [label.inner_text().strip() for label in labels.values()] == ["Random-init mask", "Photo", "Pretrained mask"]
    left_edges = [page.locator(f"#{name}").bounding_box()["x"] for name in labels]
    assert left_edges == sorted(left_edges)

    np.testing.assert_array_equal(recoloured[pretrained == 0], photo[pretrained == 0])
    assert hue(recoloured, pretrained > 250) == pytest.approx(19, abs=20)  # copper
    assert page.strangers == []


def test_another_colour_updates_the_picture_and_nothing_else(page):
    upload(page, PORTRAIT)
    alpha, before = picture(page, "pretrained-mask"), source(page, "recoloured")
    masks = source(page, "pretrained-mask"), source(page, "random-mask")
    page.click("#swatch-violet")
    expect(page.locator("#recoloured img")).not_to_have_attribute("src", before, timeout=PATIENCE)
    recoloured = picture(page, "recoloured")
    assert hue(recoloured, alpha > 250) == pytest.approx(267, abs=20)
    np.testing.assert_array_equal(recoloured[alpha == 0], load_photo(PORTRAIT)[alpha == 0])
    assert (source(page, "pretrained-mask"), source(page, "random-mask")) == masks


def test_the_other_variants_mask_can_do_the_colouring(page):
    upload(page, PORTRAIT)
    picture(page, "recoloured")
    alpha, before = picture(page, "random-mask"), source(page, "recoloured")
    page.get_by_role("radio", name="random").check()
    expect(page.locator("#recoloured img")).not_to_have_attribute("src", before, timeout=PATIENCE)
    recoloured, photo = picture(page, "recoloured"), load_photo(PORTRAIT)
    np.testing.assert_array_equal(recoloured[alpha == 0], photo[alpha == 0])
    assert (recoloured != photo).any()


def test_the_example_is_one_click(page):
    page.locator("#example img").first.click()
    assert picture(page, "recoloured").shape == load_photo(PORTRAIT).shape


def test_a_text_file_named_jpg_gets_a_sentence_and_the_next_photo_works(page, tmp_path):
    (tmp_path / "selfie.jpg").write_text("not a picture")
    upload(page, tmp_path / "selfie.jpg")
    expect(page.get_by_text("selfie.jpg is not a picture that can be read")).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#photo img")).to_have_count(0, timeout=PATIENCE)
    upload(page, PORTRAIT)
    assert picture(page, "recoloured").shape == load_photo(PORTRAIT).shape


def test_a_phones_screen_shows_the_upload_first_and_no_sideways_scroll(page):
    page.set_viewport_size({"width": 390, "height": 844})
    upload(page, PORTRAIT)
    picture(page, "recoloured")
    tops = {name: page.locator(f"#{name}").bounding_box()["y"] for name in ("photo", "random-mask", "pretrained-mask")}
    assert tops["photo"] < tops["random-mask"] < tops["pretrained-mask"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_link_opens_the_page_with_its_colour_and_mask(page, address):
    page.click("#swatch-rose-pink")
    link = page.locator("#link textarea, #link input").first
    expect(page.locator("#page-link textarea, #page-link input").first).to_have_value(address, timeout=PATIENCE)
    expect(link).to_have_value(f"{address}?colour=rose+pink&variant=pretrained", timeout=PATIENCE)
    page.goto(f"{address}?colour=0a64c8&variant=random")
    expect(link).to_have_value(f"{address}?colour=0a64c8&variant=random", timeout=PATIENCE)
    expect(page.get_by_role("radio", name="random")).to_be_checked(timeout=PATIENCE)
    upload(page, PORTRAIT)
    recoloured, alpha = picture(page, "recoloured"), picture(page, "random-mask")
    assert hue(recoloured, alpha > 250) == pytest.approx(212, abs=25)


def test_sheet_and_cutout_are_one_click_each_and_go_with_the_photo(page):
    page.click("#cutout-button")
    expect(page.get_by_text("There is no photo yet")).to_be_visible(timeout=PATIENCE)
    upload(page, PORTRAIT)
    alpha = picture(page, "pretrained-mask")
    page.click("#sheet-button")
    assert picture(page, "sheet").shape[1] > 5 * 280
    page.click("#cutout-button")
    np.testing.assert_array_equal(picture(page, "cutout")[..., 3], alpha)
