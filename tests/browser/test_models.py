"""Three models behind one page: a visitor chooses, and every result is that of the model chosen."""

import urllib.parse

import numpy as np
import pytest
from browser.conftest import NARROW, PORTRAIT, TIMEOUT, WIDE, done, notice, picture, source, upload
from conftest import served, write_repository
from playwright.sync_api import expect

from hairseg.hub.resolve import ResolvedRepo
from hairseg.images import alpha_to_grey, load_photo
from hairseg.inference.predictor import HairPredictor
from hairseg.page.app import build_page
from hairseg.page.registry import ModelRegistry, ServedModel
from hairseg.repository import BUNDLED

TAG = "ada/hair@v2"


@pytest.fixture(scope="module")
def listed(small_repository, tmp_path_factory) -> list[ServedModel]:
    drawn = write_repository(tmp_path_factory.mktemp("models") / "drawn", seed=1)
    return [
        ServedModel("bundled", ResolvedRepo(BUNDLED)),
        ServedModel(TAG, ResolvedRepo(small_repository, "ada/hair", "0123456789" * 4)),
        ServedModel("drawn", ResolvedRepo(drawn)),
    ]


@pytest.fixture(scope="module")
def greys(listed) -> dict[str, np.ndarray]:
    """The pretrained variant's mask of the portrait, by model."""
    photo = load_photo(PORTRAIT)
    alphas = {model.name: HairPredictor(model.repository.folder).alphas(photo)["pretrained"] for model in listed}
    return {name: alpha_to_grey(alpha) for name, alpha in alphas.items()}


@pytest.fixture(scope="module")
def three(listed):
    models = ModelRegistry(listed, lambda model: HairPredictor(model.repository.folder), max_megabytes=1)  # one fits
    with served(build_page(models, ["The model eve is not served: it is missing."])) as url:
        yield url


@pytest.fixture
def visit(browser, three):
    """Opens the page for one more visitor."""
    visitors = []

    def open_page(query: str = "", viewport=WIDE):
        page = browser.new_page(viewport=viewport)
        visitors.append(page)
        page.set_default_timeout(TIMEOUT)
        page.errors = []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.goto(three + query)
        done(page)
        return page

    yield open_page
    for page in visitors:
        assert page.errors == []
        page.close()


def chosen(page):
    return page.get_by_label("Model", exact=True)


def choose(page, name: str) -> None:
    chosen(page).click()
    page.get_by_role("option", name=name, exact=True).click()


def shows(page, grey: np.ndarray, before: str | None = None) -> None:
    """Waits for another pretrained mask than the one before, which is then this one."""
    if before:
        expect(page.locator("#pretrained-mask img")).not_to_have_attribute("src", before, timeout=TIMEOUT)
    done(page)
    np.testing.assert_array_equal(picture(page, "pretrained-mask"), grey)


def test_a_visitor_chooses_the_link_carries_it_and_others_keep_theirs(visit, three, greys):
    page, other = visit(), visit()
    for visitor in (page, other):
        upload(visitor, PORTRAIT)
        shows(visitor, greys["bundled"])
    caption = page.locator("#pretrained-mask figcaption")
    expect(caption).to_contain_text("F1")
    before, recoloured = source(page, "pretrained-mask"), source(page, "recoloured")
    choose(page, TAG)
    shows(page, greys[TAG], before)
    assert source(page, "recoloured") != recoloured
    expect(caption).not_to_contain_text("F1")  # this model has no scores
    page.get_by_role("tab", name="What pretraining is worth").click()
    expect(page.locator("#headline")).to_contain_text("This model has no scores", timeout=TIMEOUT)
    page.get_by_role("tab", name="Models").click()
    page.get_by_role("button", name="Files").click()
    expect(page.locator("#files")).to_contain_text("ada/hair at 0123456", timeout=TIMEOUT)
    page.get_by_role("tab", name="Use it elsewhere").click()
    expect(page.locator("#from-python")).to_contain_text(f'model="{TAG}"', timeout=TIMEOUT)

    page.get_by_role("tab", name="Try it").click()
    asked = urllib.parse.parse_qs(urllib.parse.urlsplit(page.url).query)
    assert asked == {"colour": ["copper"], "variant": ["pretrained"], "model": [TAG]}
    guest = visit(page.url.removeprefix(three))
    expect(chosen(guest)).to_have_value(TAG, timeout=TIMEOUT)
    upload(guest, PORTRAIT)
    shows(guest, greys[TAG])

    other.click("#swatch-violet")
    done(other)
    expect(chosen(other)).to_have_value("bundled")
    shows(other, greys["bundled"])


def test_models_in_quick_succession_end_with_the_last(visit, greys):
    """Each has to be loaded again, since one alone fits into memory."""
    page = visit()
    upload(page, PORTRAIT)
    for name in ("drawn", TAG, "bundled", "drawn"):
        choose(page, name)
        expect(chosen(page)).to_have_value(name)
    shows(page, greys["drawn"])


def test_only_listed_models_are_taken_from_a_link(visit, greys):
    page = visit("?model=mallory/hair")
    expect(notice(page)).to_contain_text("asks for the model mallory/hair, which", timeout=TIMEOUT)
    expect(chosen(page)).to_have_value("bundled")
    upload(page, PORTRAIT)
    shows(page, greys["bundled"])


def test_the_table_is_readable_on_a_phone(visit):
    page = visit(viewport=NARROW)
    page.get_by_role("tab", name="Models").click()
    expect(page.locator("#leaderboard th", has_text="drawn")).to_be_visible(timeout=TIMEOUT)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    expect(page.locator("#notice")).to_contain_text("The model eve is not served")


def test_a_page_with_one_model_offers_no_choice(page):
    expect(chosen(page)).to_be_hidden()
    page.get_by_role("tab", name="Use it elsewhere").click()
    expect(page.locator("#from-python")).not_to_contain_text("model=")
