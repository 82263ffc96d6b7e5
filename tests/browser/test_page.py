"""The page in a real browser."""

import colorsys
import io
import re
import threading
from pathlib import Path

import numpy as np
import pytest
from browser.conftest import NARROW, PATIENCE, PORTRAIT, WIDE, done, fetched, idle, picture, source, upload
from gradio.utils import get_upload_folder
from PIL import Image
from playwright.sync_api import expect

from hairseg.images import load_photo
from hairseg.inference.predictor import HairPredictor
from hairseg.page import events as page_events
from hairseg.page.style import swatch_id
from hairseg.recolouring.palette import PRESETS
from hairseg.repository import BUNDLED, ModelRepository


def hue(picture: np.ndarray, where: np.ndarray) -> float:
    return float(np.median([colorsys.rgb_to_hsv(*pixel)[0] * 360 for pixel in picture[where] / 255]))


def nearly(picture: np.ndarray, other: np.ndarray) -> bool:
    """The same but for what JPEG loses."""
    return picture.shape == other.shape and np.abs(picture.astype(int) - other).mean() < 4


def test_upload_shows_the_papers_figure_3_and_recolours(page):
    upload(page, PORTRAIT)
    photo = load_photo(PORTRAIT)
    random, pretrained, recoloured = (picture(page, name) for name in ("random-mask", "pretrained-mask", "recoloured"))
    assert random.shape == pretrained.shape == photo.shape[:2]
    assert pretrained[30:55, 120:170].mean() > 200 and pretrained[-20:, :20].mean() < 60
    assert nearly(picture(page, "original"), photo) and nearly(picture(page, "photo"), photo)

    edges = [page.locator(f"#{name} .picture").bounding_box() for name in ("random-mask", "photo", "pretrained-mask")]
    assert edges[0]["x"] < edges[1]["x"] < edges[2]["x"] and len({box["y"] for box in edges}) == 1
    assert max(box["width"] for box in edges) - min(box["width"] for box in edges) < 2  # three equal pictures
    for name, beginning in (("random", "Trained from random weights"), ("pretrained", "Fine-tuned from pretrained")):
        caption = page.locator(f"#{name}-mask figcaption").inner_text()
        share = 100 * (HairPredictor(BUNDLED).alphas(photo)[name] >= 0.5).mean()
        assert caption.startswith(beginning) and f"calls {share:.0f} % of this picture hair" in caption
    auroc = ModelRepository(BUNDLED).metrics().variants["pretrained"].auroc
    assert f"AUROC {auroc:.4f} " in page.locator("#pretrained-mask figcaption").inner_text()

    assert nearly(recoloured[pretrained == 0], photo[pretrained == 0])
    assert hue(recoloured, pretrained > 250) == pytest.approx(19, abs=20)  # copper
    expect(page.locator("#compare .said")).to_have_text("")
    assert page.seen.strangers == []


def test_both_stories_fit_on_one_screen(page):
    upload(page, PORTRAIT)
    done(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1440
    for name in ("random-mask", "pretrained-mask", "recoloured", "card-button", "view"):
        box = page.locator(f"#{name}").bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 900, name


def test_another_colour_updates_the_picture_and_nothing_else(page):
    upload(page, PORTRAIT)
    done(page)
    alpha, before = picture(page, "pretrained-mask"), source(page, "recoloured")
    masks = source(page, "pretrained-mask"), source(page, "random-mask")
    page.click("#swatch-violet")
    expect(page.locator("#recoloured img")).not_to_have_attribute("src", before, timeout=PATIENCE)
    recoloured = picture(page, "recoloured")
    assert hue(recoloured, alpha > 250) == pytest.approx(267, abs=20)
    assert nearly(recoloured[alpha == 0], load_photo(PORTRAIT)[alpha == 0])
    assert (source(page, "pretrained-mask"), source(page, "random-mask")) == masks
    assert len(fetched(source(page, "recoloured"))) < 200_000
    expect(page.locator("#swatch-violet")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#swatch-copper")).to_have_attribute("aria-pressed", "false")


def test_the_second_colour_is_offered_once_it_has_a_use(page):
    page.get_by_role("button", name="Finer settings").click()
    expect(page.locator("#second-colour")).to_be_hidden()
    page.get_by_label("ombre").check()
    expect(page.locator("#second-colour")).to_be_visible()


def test_the_other_variants_mask_can_do_the_colouring(page):
    upload(page, PORTRAIT)
    done(page)
    alpha, before = picture(page, "random-mask"), source(page, "recoloured")
    page.get_by_role("radio", name="random").check()
    expect(page.locator("#recoloured img")).not_to_have_attribute("src", before, timeout=PATIENCE)
    recoloured, photo = picture(page, "recoloured"), load_photo(PORTRAIT)
    assert nearly(recoloured[alpha == 0], photo[alpha == 0])
    assert hue(recoloured, alpha > 250) == pytest.approx(19, abs=20)


def test_the_example_is_one_click(page):
    page.locator("#example img").first.click()
    assert picture(page, "recoloured").shape == load_photo(PORTRAIT).shape


def test_an_example_that_does_not_arrive_is_said_and_the_page_is_as_before(page):
    page.route("**/component_server/", lambda route: route.abort())
    page.locator("#example img").first.click()
    expect(page.locator("#photo .alert")).to_contain_text("astronaut.jpg did not get through", timeout=PATIENCE)
    expect(page.locator("#photo img")).to_have_count(0)
    page.unroute("**/component_server/")
    page.locator("#example img").first.click()
    done(page)


def test_a_text_file_named_jpg_gets_a_sentence_and_the_next_photo_works(page, tmp_path):
    (tmp_path / "selfie.jpg").write_text("not a picture")
    upload(page, tmp_path / "selfie.jpg")
    said = page.get_by_role("alert").filter(has_text="selfie.jpg is not a picture that can be read")
    expect(said).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#photo img")).to_have_count(0, timeout=PATIENCE)
    upload(page, PORTRAIT)
    assert picture(page, "recoloured").shape == load_photo(PORTRAIT).shape
    expect(said).to_have_count(0)


def test_a_photo_without_hair_is_called_that(page, tmp_path):
    Image.new("RGB", (300, 300), (120, 150, 190)).save(tmp_path / "sky.png")
    upload(page, tmp_path / "sky.png")
    expect(page.locator("#compare .said")).to_contain_text("finds no hair", timeout=PATIENCE)
    caption = page.locator("#pretrained-mask figcaption")
    expect(caption).to_contain_text("no hair found", timeout=PATIENCE)
    page.get_by_label("Where they differ").check()
    expect(page.locator("#pretrained-mask img")).to_have_attribute("src", re.compile("differ"), timeout=PATIENCE)
    assert "striped" not in caption.inner_text()


def test_a_phones_screen_keeps_the_colours_and_the_picture_in_sight(page):
    page.set_viewport_size(NARROW)
    upload(page, PORTRAIT)
    done(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    boxes = [page.locator(f"#{name} .picture").bounding_box() for name in ("random-mask", "photo", "pretrained-mask")]
    assert len({round(box["y"]) for box in boxes}) == 1 and boxes[0]["x"] < boxes[1]["x"] < boxes[2]["x"]
    page.locator("#swatch-emerald").scroll_into_view_if_needed()
    page.click("#swatch-emerald")
    recoloured, swatch = (page.locator(name).bounding_box() for name in ("#recoloured", "#swatch-emerald"))
    assert recoloured["y"] >= 0 and recoloured["y"] + recoloured["height"] <= swatch["y"] <= 844
    assert recoloured["height"] == pytest.approx(0.36 * 844, abs=3)
    assert swatch["height"] >= 40
    page.locator("#random-mask .picture").click()
    assert page.locator("dialog img").bounding_box()["width"] > 200


def test_a_link_opens_the_page_with_its_colour_and_mask(page, address):
    page.click("#swatch-rose-pink")
    page.get_by_role("tab", name="Use it elsewhere").click()
    link = page.locator("#link textarea, #link input").first
    expect(page.locator("#page-link textarea, #page-link input").first).to_have_value(address, timeout=PATIENCE)
    expect(link).to_have_value(f"{address}?colour=rose+pink&variant=pretrained", timeout=PATIENCE)
    page.goto(f"{address}?colour=0a64c8&variant=random&strength=0.6")
    page.get_by_role("tab", name="Use it elsewhere").click()
    expect(link).to_have_value(f"{address}?colour=0a64c8&variant=random&strength=0.6", timeout=PATIENCE)
    page.get_by_role("tab", name="Try it").click()
    expect(page.get_by_role("radio", name="random")).to_be_checked(timeout=PATIENCE)
    upload(page, PORTRAIT)
    recoloured, alpha = picture(page, "recoloured"), picture(page, "random-mask")
    assert hue(recoloured, alpha > 250) == pytest.approx(212, abs=25)


def test_a_link_takes_all_that_is_chosen_for_the_hair_along(page, address):
    upload(page, PORTRAIT)
    done(page)
    page.click("#swatch-violet")
    page.get_by_role("button", name="Finer settings").click()
    page.get_by_label("streaks").check()
    page.locator("#second-colour input").fill("#ffcc00")
    page.get_by_role("spinbutton", name="Natural roots").fill("0.25")
    page.keyboard.press("Tab")
    asked = "colour=violet&variant=pretrained&natural_roots=0.25&second_mode=streaks&second_colour=ffcc00"
    link = page.locator("#link textarea, #link input").first
    page.get_by_role("tab", name="Use it elsewhere").click()
    expect(link).to_have_value(f"{address}?{asked}", timeout=PATIENCE)
    page.get_by_role("tab", name="Try it").click()
    idle(page)
    dyed = picture(page, "recoloured")
    page.goto(f"{address}?{asked}")
    page.get_by_role("tab", name="Use it elsewhere").click()
    expect(link).to_have_value(f"{address}?{asked}", timeout=PATIENCE)
    page.get_by_role("tab", name="Try it").click()
    upload(page, PORTRAIT)
    np.testing.assert_array_equal(picture(page, "recoloured"), dyed)


def test_what_a_link_asks_for_and_the_page_has_not_is_named_and_the_rest_is_done(page, address):
    page.goto(f"{address}?colour=constructor&strength=3&variant=random&second_mode=dots&model=none")
    said = "The link asks for the colour constructor, the strength 3, the second mode dots, and the model none, which "
    expect(page.locator("#photo .alert")).to_have_text(f"{said}this page does not offer.")
    expect(page.get_by_role("radio", name="random")).to_be_checked(timeout=PATIENCE)
    expect(page.locator("#swatch-copper")).to_have_attribute("aria-pressed", "true")


def test_any_colour_starts_at_the_one_that_is_chosen(page):
    upload(page, PORTRAIT)
    done(page)
    before, colour = source(page, "recoloured"), page.locator("#colour").get_by_label("Any colour")
    page.click("#swatch-violet")
    expect(colour).to_have_value(PRESETS["violet"])
    expect(page.locator("#recoloured img")).not_to_have_attribute("src", before, timeout=PATIENCE)
    colour.fill("#0a64c8")
    expect(page.locator("#recoloured img")).to_have_attribute("alt", "Your photo with 0a64c8 hair", timeout=PATIENCE)
    expect(page.locator("#swatch-violet")).to_have_attribute("aria-pressed", "false")
    assert hue(picture(page, "recoloured"), picture(page, "pretrained-mask") > 250) == pytest.approx(212, abs=25)


def test_captions_get_their_scores_once_the_networks_tell_them(page):
    caption, scores = page.locator("#random-mask figcaption"), page.evaluate("hairseg.scores")
    page.evaluate("hairseg.scores = {}")
    upload(page, PORTRAIT)
    done(page)
    expect(caption).not_to_contain_text("AUROC")
    page.evaluate("scores => { hairseg.scores = scores; hairseg.explanations.forEach(explain => explain()); }", scores)
    expect(caption).to_contain_text("AUROC")


def test_on_a_phone_that_lies_the_picture_stays_beside_what_is_chosen(page):
    page.set_viewport_size({"width": 844, "height": 390})
    upload(page, PORTRAIT)
    done(page)
    for name in PRESETS:
        wide, shown = page.locator(f"#{swatch_id(name)}").evaluate("place => [place.scrollWidth, place.clientWidth]")
        assert wide <= shown, name
    page.locator("#card-button").scroll_into_view_if_needed()
    box = page.locator("#recoloured").bounding_box()
    assert box["y"] >= 0 and box["y"] + box["height"] <= 390


def test_words_beside_a_narrow_picture_do_not_lie_over_one_another(page, tmp_path):
    Image.fromarray(load_photo(PORTRAIT)[:, 90:200]).save(tmp_path / "narrow.png")
    upload(page, tmp_path / "narrow.png")
    done(page)
    before, after = (page.locator(f".side.{name}").bounding_box() for name in ("before", "after"))
    assert before["x"] + before["width"] < after["x"]


def test_the_new_colour_begins_in_the_middle_of_the_hair_until_it_is_moved(page, tmp_path):
    photo = load_photo(PORTRAIT)
    Image.fromarray(np.hstack([photo, np.full_like(photo, 90)])).save(tmp_path / "left.png")
    upload(page, tmp_path / "left.png")
    done(page)
    slider = page.locator(".before-after input")
    hair = np.flatnonzero(picture(page, "pretrained-mask") >= 128) % (2 * photo.shape[1])
    assert float(slider.input_value()) == pytest.approx(100 * np.median(hair) / (2 * photo.shape[1]), abs=1)
    expect(page.locator(".before-after.is-new")).to_have_count(0)  # it has swept there, and does so once
    slider.fill("0")
    before = source(page, "recoloured")
    page.click("#swatch-violet")
    expect(page.locator("#recoloured img")).not_to_have_attribute("src", before, timeout=PATIENCE)
    assert slider.input_value() == "0"
    for name, opacity in (("before", "0"), ("after", "1")):
        expect(page.locator(f".side.{name}")).to_have_css("opacity", opacity)


@pytest.mark.parametrize("width", [760, 844, 900])
def test_no_tab_is_wider_than_the_screen(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    for tab in ("Try it", "Live", "How good is it?", "Models", "Use it elsewhere"):
        page.get_by_role("tab", name=tab).click()
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, tab


def show_as(page, view: str) -> np.ndarray:
    """What the tile of the random variant shows once another view of the masks is chosen."""
    before = source(page, "random-mask"), source(page, "pretrained-mask")
    page.get_by_role("radio", name=view).check()
    for name, old in zip(("random-mask", "pretrained-mask"), before, strict=True):
        expect(page.locator(f"#{name} img")).not_to_have_attribute("src", old, timeout=PATIENCE)
    return picture(page, "random-mask").astype(int)


def test_masks_are_shown_as_outline_and_as_tint(page):
    upload(page, PORTRAIT)
    done(page)
    alpha, photo = HairPredictor(BUNDLED).alphas(load_photo(PORTRAIT))["random"], load_photo(PORTRAIT)
    drawn = (np.abs(show_as(page, "Outline") - photo) > 40).any(2)
    assert 0.002 < drawn.mean() < 0.05 and drawn[(alpha < 0.01) | (alpha > 0.99)].mean() < 0.02
    tinted = show_as(page, "Tint")
    assert nearly(tinted[alpha < 0.01], photo[alpha < 0.01])
    assert (tinted[alpha > 0.99] - photo[alpha > 0.99]).mean(axis=0)[0] > 20  # orange


def test_what_one_variant_alone_calls_hair_is_striped(page):
    cat = PORTRAIT.with_name("cat.jpg")  # the random variant takes fur for hair
    upload(page, cat)
    done(page)
    alphas = HairPredictor(BUNDLED).alphas(load_photo(cat))
    alone = (alphas["random"] >= 0.5) & (alphas["pretrained"] < 0.5)
    shown = show_as(page, "Where they differ")
    orange = (shown[..., 0] - shown[..., 2]) > 60
    assert alone.mean() > 0.1
    assert (orange & alone).sum() > 0.6 * alone.sum() and (orange & ~alone).sum() < 0.2 * alone.sum()
    assert f"striped: {100 * alone.mean():.0f} %" in page.locator("#random-mask figcaption").inner_text()


def test_the_recoloured_photo_opens_large(page):
    expect(page.locator("#large-button")).to_be_hidden()
    upload(page, PORTRAIT)
    done(page)
    page.click("#large-button")
    photo, dyed = page.locator("dialog[open] img").all()
    assert [photo.get_attribute("src"), dyed.get_attribute("src")] == [
        source(page, "original"),
        source(page, "recoloured"),
    ]
    assert photo.bounding_box() == dyed.bounding_box()
    assert dyed.bounding_box()["height"] > page.locator("#recoloured img").bounding_box()["height"]
    cut = page.locator("dialog[open] input")
    box = cut.bounding_box()
    page.mouse.click(box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2)
    assert float(cut.input_value()) == pytest.approx(90, abs=3)
    shown = "document.querySelector('dialog .dyed').computedStyleMap().get('--cut').toString()"
    assert float(page.evaluate(shown)) == pytest.approx(0.9, abs=0.03)
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)


def test_before_and_after_are_one_picture_with_a_slider(page):
    upload(page, PORTRAIT)
    done(page)
    slider = page.get_by_label("Before and after")
    slider.focus()
    before = float(slider.input_value())
    page.keyboard.press("ArrowRight")
    assert float(slider.input_value()) == before + 1
    page.keyboard.press("End")
    clip = page.evaluate("getComputedStyle(document.querySelector('#recoloured')).clipPath")
    assert clip.startswith("inset(0px 0px 0px calc(100% - ")  # what lies beside the picture
    frame, along = page.locator(".before-after").bounding_box(), slider.bounding_box()
    assert along["width"] == pytest.approx(frame["height"], abs=4)  # of the picture, which is square
    assert along["x"] + along["width"] / 2 == pytest.approx(frame["x"] + frame["width"] / 2, abs=2)
    assert page.evaluate("getComputedStyle(document.querySelector('.before-after')).outlineStyle") == "solid"


@pytest.mark.parametrize("kind, name", [("sheet", "astronaut-colours.png"), ("cutout", "astronaut-hair.png")])
def test_sheet_and_cutout_open_and_are_named_after_the_photo(page, kind, name):
    page.click(f"#{kind}-button", force=True) if page.locator(f"#{kind}-button").is_visible() else None
    upload(page, PORTRAIT)
    done(page)
    page.click(f"#{kind}-button")
    made = picture(page, kind)
    if kind == "sheet":
        assert made.shape[1] > 5 * 280
    else:
        np.testing.assert_array_equal(made[..., 3], picture(page, "pretrained-mask"))
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == name
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)


@pytest.mark.parametrize("kind, name", [("recoloured-png", "large-copper.png"), ("recoloured-jpeg", "large-copper.jpg"),
                                        ("alpha", "large-pretrained-mask.png")])  # fmt: skip
def test_downloads_have_the_photos_own_size(page, kind, name, tmp_path):
    with Image.open(PORTRAIT) as portrait:
        portrait.resize((1500, 2000), Image.Resampling.BICUBIC).save(tmp_path / "large.jpg", quality=85)
    upload(page, tmp_path / "large.jpg")
    done(page)
    assert picture(page, "recoloured").shape == (1280, 960, 3)
    with page.expect_download() as download:
        page.click(f"#{kind}-button")
    assert download.value.suggested_filename == name
    with Image.open(download.value.path()) as picture_:
        assert picture_.size == (1500, 2000) and picture_.format == ("JPEG" if name.endswith("jpg") else "PNG")


def test_the_same_download_comes_as_often_as_it_is_asked_for(page):
    upload(page, PORTRAIT)
    done(page)
    for _ in range(3):
        with page.expect_download():
            page.get_by_role("button", name="Recoloured, JPEG").click()
        expect(page.locator("[aria-busy=true]")).to_have_count(0)


def test_each_download_is_under_way_until_its_own_file_is_there(page, monkeypatch):
    upload(page, PORTRAIT)
    done(page)
    gate, real = threading.Event(), page_events.contact_sheet

    def contact_sheet(*arguments):
        gate.wait(PATIENCE / 1000)
        return real(*arguments)

    monkeypatch.setattr(page_events, "contact_sheet", contact_sheet)
    page.get_by_role("button", name="All colours on one sheet").click()
    with page.expect_download():
        page.click("#alpha-button")
    expect(page.locator("#alpha-button")).not_to_have_attribute("aria-busy", "true")
    expect(page.locator("#sheet-button")).to_have_attribute("aria-busy", "true")
    gate.set()
    expect(page.locator("dialog #sheet img")).to_be_visible(timeout=PATIENCE)
    expect(page.locator("[aria-busy=true]")).to_have_count(0)


def test_the_card_holds_figure_3_and_the_recolouring(page):
    upload(page, PORTRAIT)
    done(page)
    page.click("#card-button")
    card = picture(page, "card")
    assert card.shape[0] > 2 * 280 and card.shape[1] > 2 * 300
    black = (card.max(axis=2) < 12).mean()
    assert 0.3 < black < 0.6  # two masks of mostly nothing


@pytest.mark.parametrize("tab", ["Try it", "How good is it?"])
def test_a_picture_can_be_pasted(page, tab):
    page.get_by_role("tab", name=tab).click()
    page.evaluate(
        """async () => {
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [64, 48];
            const blob = await new Promise(resolve => canvas.toBlob(resolve));
            const data = new DataTransfer();
            data.items.add(new File([blob], "clip.png", {type: "image/png"}));
            document.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data}));
        }"""
    )
    assert picture(page, "pretrained-mask").shape == (48, 64)
    assert "clip.png" in page.locator("#photo .name").inner_text()


CAMERAS = """() => {
    window.cameras = [];
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async asked => {
        const stream = await open(asked);
        cameras.push(...stream.getTracks());
        return stream;
    };
}"""


def test_a_camera_that_was_asked_for_twice_is_off_once_its_picture_is_closed(page):
    page.evaluate(CAMERAS)
    page.get_by_role("button", name="Use the camera").dblclick()
    page.wait_for_function("cameras.length === 2")
    page.get_by_role("button", name="Close", exact=True).click()
    page.wait_for_function("cameras.every(camera => camera.readyState === 'ended')")


def test_a_camera_that_comes_too_late_is_off_at_once(page):
    page.evaluate(CAMERAS)
    page.evaluate(
        "() => { const now = navigator.mediaDevices.getUserMedia;"
        " const permitted = new Promise(go => window.permit = go);"
        " navigator.mediaDevices.getUserMedia = async asked => { await permitted; return now(asked); }; }"
    )
    page.get_by_role("button", name="Use the camera").click()
    page.locator("#example button").first.click()
    done(page)
    page.evaluate("permit()")
    page.wait_for_function("cameras.length && cameras.every(camera => camera.readyState === 'ended')")
    expect(page.locator("dialog[open]")).to_have_count(0)


def test_nothing_is_taken_before_the_camera_shows_something(page):
    page.evaluate("navigator.mediaDevices.getUserMedia = async () => new MediaStream()")
    page.get_by_role("button", name="Use the camera").click()
    expect(page.get_by_role("button", name="Take the photo")).to_be_disabled()
    page.keyboard.press("Escape")


def test_the_keyboard_goes_on_where_the_photo_is(page):
    page.locator("#example button").first.focus()
    page.keyboard.press("Enter")
    done(page)
    expect(page.get_by_role("button", name="Change")).to_be_focused()
    page.get_by_role("button", name="Remove").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#photo .drop [data-do=choose]")).to_be_focused()


def test_a_number_that_is_emptied_is_what_it_was(page):
    upload(page, PORTRAIT)
    done(page)
    strength = page.get_by_label("number input for Strength")
    strength.fill("0.4")
    page.keyboard.press("Enter")
    for nothing in ("Delete", "Backspace"):
        strength.focus()  # still, or again
        page.keyboard.press("Control+a")
        page.keyboard.press(nothing)
        page.keyboard.press("Tab")
        expect(strength).to_have_value("0.4")
        expect(page.get_by_label("range slider for Strength")).to_have_value("0.4")


def test_what_is_said_can_be_closed(page):
    upload(page, Path(__file__))
    expect(page.locator("#photo .alert")).to_contain_text("is not a picture that can be read", timeout=PATIENCE)
    page.get_by_role("button", name="Close the message").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#photo .notice")).to_be_hidden()
    expect(page.locator("#photo .drop [data-do=choose]")).to_be_focused()


def test_the_camera_takes_a_photo(page):
    page.get_by_role("button", name="Use the camera").click()
    take = page.get_by_role("button", name="Take the photo")
    expect(take).to_be_enabled(timeout=PATIENCE)
    expect(take).to_be_focused()
    page.keyboard.press("Enter")
    done(page)
    assert picture(page, "pretrained-mask").ndim == 2


def test_the_visitors_browser_keeps_nothing(page):
    upload(page, PORTRAIT)
    done(page)
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert "astronaut" not in kept
    assert page.evaluate("indexedDB.databases().then(all => all.length)") == 0


def test_results_are_never_webp(page):
    upload(page, PORTRAIT)
    done(page)
    for name in ("random-mask", "pretrained-mask", "recoloured", "original", "photo"):
        assert Image.open(io.BytesIO(fetched(source(page, name)))).format in ("PNG", "JPEG")


def test_a_photo_that_the_server_has_let_go_of_is_sent_again(page, tmp_path):
    Image.fromarray(load_photo(PORTRAIT)[:, ::-1]).save(tmp_path / "kept-for-an-hour.png")
    upload(page, tmp_path / "kept-for-an-hour.png")
    done(page)
    (kept,) = Path(get_upload_folder()).rglob("kept-for-an-hour.png")
    kept.unlink()
    before = source(page, "recoloured")
    page.click("#swatch-violet")
    expect(page.locator("#recoloured img")).to_have_attribute("alt", "Your photo with violet hair", timeout=PATIENCE)
    assert source(page, "recoloured") != before and page.locator("#photo .alert").inner_text() == ""
    done(page)


def test_a_file_that_cannot_be_used_brings_the_photo_before_it_back(page, tmp_path):
    upload(page, PORTRAIT)
    done(page)
    (tmp_path / "notes.jpg").write_text("no picture")
    upload(page, tmp_path / "notes.jpg")
    expect(page.locator("#photo .alert")).to_contain_text("notes.jpg is not a picture", timeout=PATIENCE)
    done(page)
    idle(page)
    assert "astronaut" in page.locator("#photo .name").inner_text()
    assert nearly(picture(page, "photo"), load_photo(PORTRAIT))
    expect(page.locator("#photo .alert")).to_contain_text("notes.jpg is not a picture")
    page.click("#swatch-violet")
    expect(page.locator("#photo .alert")).to_have_text("", timeout=PATIENCE)


DROP = """([name, place]) => {
    const dataTransfer = new DataTransfer(), at = document.querySelector(place);
    dataTransfer.items.add(new File([new Uint8Array(FILE)], name, {type: "image/jpeg"}));
    const dropped = kind => at.dispatchEvent(new DragEvent(kind, {dataTransfer, bubbles: true, cancelable: true}));
    return ["dragover", "drop"].map(kind => !dropped(kind));  // whether the browser is kept from opening the file
}"""


def test_a_photo_may_be_dropped_anywhere_and_never_takes_the_page_away(page):
    drop = DROP.replace("FILE", str(list(PORTRAIT.read_bytes())))
    assert page.evaluate(drop, ["beside.jpg", "#controls"]) == [True, True]
    done(page)
    assert "beside.jpg" in page.locator("#photo .name").inner_text()
    page.get_by_role("tab", name="Models").click()
    assert page.evaluate(drop, ["elsewhere.jpg", "body"]) == [True, True]
    expect(page.locator("#photo .name")).to_have_text("elsewhere.jpg")
    done(page)


def test_code_names_the_pages_own_address(page, address):
    page.get_by_role("tab", name="Use it elsewhere").click()
    for name in ("from-python", "from-shell"):
        expect(page.locator(f"#{name}")).to_contain_text(address.rstrip("/"), timeout=PATIENCE)


@pytest.mark.parametrize("viewport", [WIDE, {"width": 1024, "height": 768}, NARROW], ids=["wide", "tablet", "narrow"])
def test_nothing_of_the_settings_is_cut_off(page, viewport):
    page.set_viewport_size(viewport)
    upload(page, PORTRAIT)
    done(page)
    for name in ("#variant", "#view", "#take-away"):
        wide, shown = page.locator(name).evaluate("place => [place.scrollWidth, place.clientWidth]")
        assert wide <= shown, name
