"""Three models behind one page: a visitor chooses, and every result is that of the model chosen."""

import urllib.parse

import numpy as np
import pytest
from browser.conftest import NARROW, PATIENCE, PORTRAIT, WIDE, done, idle, picture, source, upload
from conftest import served, write_repository
from playwright.sync_api import expect

from hairseg.hub.resolve import ResolvedRepo
from hairseg.images import alpha_to_grey, load_photo
from hairseg.inference.predictor import HairPredictor
from hairseg.page.layout import build_page
from hairseg.page.models import Model, Models
from hairseg.page.style import look
from hairseg.repository import BUNDLED

TAG = "ada/hair@v2"


@pytest.fixture(scope="module")
def listed(small_repository, tmp_path_factory) -> list[Model]:
    drawn = write_repository(tmp_path_factory.mktemp("models") / "drawn", seed=1)
    return [
        Model("bundled", ResolvedRepo(BUNDLED)),
        Model(TAG, ResolvedRepo(small_repository, "ada/hair", "0123456789" * 4)),
        Model("drawn", ResolvedRepo(drawn)),
    ]


@pytest.fixture(scope="module")
def greys(listed) -> dict[str, np.ndarray]:
    """The pretrained variant's mask of the portrait, by model."""
    photo = load_photo(PORTRAIT)
    alphas = {model.name: HairPredictor(model.repository.folder).alphas(photo)["pretrained"] for model in listed}
    return {name: alpha_to_grey(alpha) for name, alpha in alphas.items()}


@pytest.fixture(scope="module")
def three(listed):
    models = Models(listed, lambda model: HairPredictor(model.repository.folder), memory=1)  # one fits
    with served(build_page(models, ["the model eve is not served, because it is missing."]), **look()) as url:
        yield url


@pytest.fixture
def visit(browser, three):
    """Opens the page for one more visitor."""
    visitors = []

    def open_page(query: str = "", viewport=WIDE):
        page = browser.new_page(viewport=viewport)
        visitors.append(page)
        page.set_default_timeout(PATIENCE)
        page.errors = []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.goto(three + query)
        expect(page.locator("#networks [role=status]")).to_have_text("", timeout=PATIENCE)
        return page

    yield open_page
    for page in visitors:
        assert page.errors == []
        page.close()


def choose(page, name: str) -> None:
    page.get_by_role("tab", name="Models").click()
    page.locator(f'#leaderboard [data-model="{name}"]').click()
    page.get_by_role("tab", name="Try it").click()


def chosen(page):
    return page.get_by_label("Model", exact=True)


def shows(page, grey: np.ndarray, before: str | None = None) -> None:
    """Waits for another pretrained mask than the one before, which is then this one."""
    if before:
        expect(page.locator("#pretrained-mask img")).not_to_have_attribute("src", before, timeout=PATIENCE)
    done(page)
    np.testing.assert_array_equal(picture(page, "pretrained-mask"), grey)


def test_a_visitor_chooses_and_the_link_carries_it_and_others_are_left_alone(visit, three, greys):
    page, other = visit(), visit()
    for visitor in (page, other):
        upload(visitor, PORTRAIT)
        shows(visitor, greys["bundled"])
    caption = page.locator("#pretrained-mask figcaption")
    expect(caption).to_contain_text("AUROC")
    before, recoloured = source(page, "pretrained-mask"), source(page, "recoloured")
    choose(page, TAG)
    shows(page, greys[TAG], before)
    expect(page.locator("#networks [role=status]")).to_have_text("", timeout=PATIENCE)
    assert source(page, "recoloured") != recoloured
    expect(caption).not_to_contain_text("AUROC")  # this one has no scores
    expect(chosen(page)).to_have_value(TAG)
    expect(page.locator("#about")).to_contain_text("ada/hair at 0123456")
    page.get_by_role("tab", name="How good is it?").click()
    expect(page.locator("#scores")).to_contain_text("This repository has no scores", timeout=PATIENCE)

    page.get_by_role("tab", name="Use it elsewhere").click()
    expect(page.locator("#from-python")).to_contain_text(f'model="{TAG}"', timeout=PATIENCE)
    link = page.locator("#link textarea, #link input").first.input_value()
    asked = urllib.parse.parse_qs(urllib.parse.urlsplit(link).query)
    assert asked == {"colour": ["copper"], "variant": ["pretrained"], "model": [TAG]}
    guest = visit(link.removeprefix(three))
    expect(chosen(guest)).to_have_value(TAG, timeout=PATIENCE)
    upload(guest, PORTRAIT)
    shows(guest, greys[TAG])

    other.get_by_role("radio", name="Outline").check()
    other.get_by_role("radio", name="Mask", exact=True).check()
    other.click("#swatch-violet")
    expect(other.locator("#recoloured img")).to_have_attribute("alt", "Your photo with violet hair", timeout=PATIENCE)
    expect(chosen(other)).to_have_value("bundled")
    shows(other, greys["bundled"])


def test_models_in_quick_succession_end_with_the_last(visit, greys):
    """Each has to be loaded again, since one alone fits into memory."""
    page = visit()
    upload(page, PORTRAIT)  # and at once, while it is on its way:
    page.get_by_role("tab", name="Models").click()
    for name in ("drawn", TAG, "bundled", "drawn"):
        page.locator(f'#leaderboard [data-model="{name}"]').click()
        expect(chosen(page)).to_have_value(name)
    page.get_by_role("tab", name="Try it").click()
    idle(page)
    page.wait_for_timeout(1000)
    shows(page, greys["drawn"])
    expect(page.locator("#leaderboard [data-model=drawn]")).to_have_count(0, timeout=PATIENCE)
    expect(page.locator("#networks [role=status]")).to_have_text("", timeout=PATIENCE)


def test_only_listed_models_are_taken_from_a_link(visit, greys):
    page = visit("?model=mallory/hair")
    said = page.get_by_role("alert").filter(has_text="asks for the model mallory/hair, which")
    expect(said).to_be_visible(timeout=PATIENCE)
    expect(chosen(page)).to_have_value("bundled")
    upload(page, PORTRAIT)
    shows(page, greys["bundled"])


def test_the_table_is_readable_on_a_phone(visit):
    page = visit(viewport=NARROW)
    page.locator("#tabs .overflow-menu > button").click()  # where Gradio puts the tabs that find no room
    page.locator("#tabs .overflow-dropdown").get_by_text("Models").click()
    rows = page.locator("#leaderboard tbody tr:not(.group)")
    expect(rows).to_have_count(3)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for row in rows.all():
        box = row.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390
    button = page.locator(f'#leaderboard [data-model="{TAG}"]').bounding_box()
    assert button["height"] >= 40
    expect(page.locator("#notice")).to_contain_text("the model eve is not served")


def test_a_page_with_one_model_offers_no_choice(page):
    expect(page.get_by_label("Model", exact=True)).to_be_hidden()
    page.get_by_role("tab", name="Models").click()
    expect(page.locator("#leaderboard tbody tr:not(.group)")).to_have_count(1)
    expect(page.locator("#leaderboard button")).to_have_count(0)
    page.get_by_role("tab", name="Use it elsewhere").click()
    expect(page.locator("#from-python")).not_to_contain_text("model=")


def test_a_touch_up_goes_along_to_another_model(visit, greys):
    page = visit()
    page.click("#swatch-ocean-blue")
    upload(page, PORTRAIT)
    done(page)
    page.click("#touch-up-button")
    page.locator("#compare canvas").click()  # a dab in the middle of the picture
    page.get_by_role("button", name="Done").click()
    before = source(page, "pretrained-mask")
    choose(page, TAG)
    shows(page, greys[TAG], before)
    expect(page.locator("#touch-up-button")).to_have_text("Touch up · 1")
    touched, after = source(page, "recoloured"), picture(page, "recoloured").astype(int)
    page.click("#touch-up-button")
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#recoloured img")).not_to_have_attribute("src", touched, timeout=PATIENCE)
    difference = np.abs(after - picture(page, "recoloured")).mean(axis=2)
    assert difference[135:145, 135:145].mean() > 5 * difference[:40, :40].mean()
