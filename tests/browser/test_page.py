"""The page as a visitor uses it."""

import re

import numpy as np
import pytest
from browser.conftest import NARROW, PORTRAIT, TIMEOUT, WIDE, done, notice, picture, source, upload
from conftest import draw_portrait
from PIL import Image
from playwright.sync_api import expect

from hairseg.images import alpha_to_grey, load_photo
from hairseg.inference.predictor import HairPredictor
from hairseg.repository import BUNDLED

TABS = ("Try it", "Live", "What pretraining is worth", "Models", "Use it elsewhere")


def test_a_finished_example_is_shown_before_any_upload(page):
    assert page.locator("h1").inner_text() == "What is pretraining worth?"
    for name in ("random-mask", "photo", "pretrained-mask", "recoloured"):
        expect(page.locator(f"#{name} img")).to_be_in_viewport()
    masks = [picture(page, name) > 127 for name in ("random-mask", "pretrained-mask")]
    assert (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum() < 0.7  # it shows a difference
    assert "They agree on" in page.locator(".verdict").inner_text()
    assert page.seen.strangers == []


def test_an_upload_shows_both_masks_and_the_recoloured_photo(page):
    upload(page, PORTRAIT)
    done(page)
    photo = load_photo(PORTRAIT)
    alphas = HairPredictor(BUNDLED).alphas(photo)
    for variant, score in (("random", "F1 88 %"), ("pretrained", "F1 93 %")):
        shown = picture(page, f"{variant}-mask")
        assert np.abs(shown.astype(int) - alpha_to_grey(alphas[variant])).max() <= 1
        caption = page.locator(f"#{variant}-mask figcaption").inner_text()
        assert score in caption and "hair: 12 % of the photo" in caption
    recoloured, alpha = picture(page, "recoloured").astype(int), alphas["pretrained"]
    assert np.abs(recoloured - photo)[alpha > 0.9].mean() > 8 > 3 > np.abs(recoloured - photo)[alpha < 0.02].mean()
    assert not page.evaluate("[...document.images].some(image => image.src.includes('.webp'))")


def test_another_colour_changes_the_picture_the_link_and_nothing_else(page):
    upload(page, PORTRAIT)
    done(page)
    masks = [source(page, f"{name}-mask") for name in ("random", "pretrained")]
    page.click("#swatch-ocean-blue")
    done(page)
    assert source(page, "recoloured").endswith("astronaut-ocean-blue.jpg")
    assert [source(page, f"{name}-mask") for name in ("random", "pretrained")] == masks
    expect(page.locator("#swatch-ocean-blue")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("[id^=swatch-][aria-pressed=true]")).to_have_count(1)
    assert "colour=ocean+blue" in page.url


def test_every_preset_is_shown_on_the_visitors_head(page):
    upload(page, PORTRAIT)
    done(page)
    page.wait_for_selector(".has-thumbnails", timeout=TIMEOUT)
    style = page.locator("#swatch-violet .thumbnail").evaluate("element => getComputedStyle(element).backgroundImage")
    assert "thumbnails.jpg" in style
    page.locator("#finer > button").click()
    page.click("#swatch-emerald")  # the modes of the second colour are shown in it
    page.wait_for_function(
        """before => {
            const label = document.querySelector("#second-mode label");
            return ![before, "none"].includes(getComputedStyle(label, "::before").backgroundImage);
        }""",
        arg=style,
    )


def test_settings_and_colour_of_a_link_are_opened_and_reset(page, address):
    page.goto(
        f"{address}?colour=8e24aa&variant=random&strength=0.5&natural_roots=0.2&second_mode=ombre&second_colour=violet"
    )
    done(page)
    assert source(page, "recoloured").endswith("8e24aa.jpg")
    expect(page.get_by_role("radio", name="From scratch")).to_be_checked()
    expect(page.locator("#alpha-button")).to_have_text("Mask, from scratch")
    expect(page.locator("#strength input[type=number]")).to_have_value("0.5")
    assert page.locator("#studio [data-changed]").get_attribute("data-changed") == "2"
    expect(page.get_by_role("radio", name="Ombré")).to_be_visible()
    expect(page.get_by_role("radio", name="Ombré")).to_be_checked()
    expect(page.locator("#natural_roots input[type=number]")).to_have_value("20")
    page.get_by_text("Second colour", exact=True).first.click()
    expect(page.locator("#swatch-violet")).to_have_attribute("aria-pressed", "true")
    page.click("#swatch-emerald")
    page.wait_for_url(re.compile("colour=8e24aa.*natural_roots=0.2.*second_colour=emerald"))
    page.click("#reset")
    done(page)
    assert source(page, "recoloured").endswith("copper.jpg") and page.url.endswith("?colour=copper&variant=pretrained")
    expect(page.get_by_role("radio", name="Pretrained")).to_be_checked()
    expect(page.locator("#strength input[type=number]")).to_have_value("1")


def test_what_a_link_asks_for_and_the_page_does_not_offer_is_named(page, address):
    page.goto(f"{address}?colour=mauve&strength=7&variant=random")
    done(page)
    expect(notice(page)).to_have_text(
        "The link asks for the colour mauve and the strength 7, which this page does not offer."
    )
    expect(page.get_by_role("radio", name="From scratch")).to_be_checked()
    page.get_by_role("button", name="Close the message").click()
    expect(notice(page)).to_be_hidden()


def test_a_slider_changes_the_picture(page):
    upload(page, PORTRAIT)
    done(page)
    page.locator("#strength input[type=number]").fill("0")
    page.locator("#strength input[type=number]").press("Enter")
    page.wait_for_url(re.compile("strength=0"))
    done(page)
    assert np.abs(picture(page, "recoloured").astype(int) - load_photo(PORTRAIT)).mean() < 3


def test_an_example_is_one_click_and_its_credit_is_visible(page):
    page.locator('[data-example="head-wrap"]').click()
    page.wait_for_function("document.querySelector('#photo .name').textContent.includes('head wrap')")
    done(page)
    assert "Only the network from scratch" in page.locator(".verdict").inner_text()
    assert (
        "no hair found" in page.locator("#pretrained-mask figcaption").inner_text()
        or "hardly any" in page.locator("#pretrained-mask figcaption").inner_text()
    )
    assert page.locator(".examples small").first.inner_text() == "CC0, inter-faces"


def test_a_file_that_is_no_photo_gets_one_sentence_and_the_photo_before_stays(page, tmp_path):
    upload(page, PORTRAIT)
    done(page)
    (tmp_path / "text.jpg").write_text("no picture")
    upload(page, tmp_path / "text.jpg")
    expect(notice(page)).to_contain_text("text.jpg is not a picture", timeout=TIMEOUT)
    done(page)
    assert "astronaut.jpg" in page.locator("#photo .name").inner_text()
    expect(notice(page)).to_contain_text("text.jpg is not a picture")
    assert picture(page, "pretrained-mask").shape == (280, 280)


def test_a_file_that_is_too_large_is_not_sent(page, tmp_path):
    with (tmp_path / "huge.jpg").open("wb") as file:
        file.truncate(201 * 2**20)
    requests = []
    page.on("request", lambda request: requests.append(request.url) if "upload" in request.url else None)
    page.locator("#photo input[type=file]").set_input_files(tmp_path / "huge.jpg")
    expect(notice(page)).to_contain_text("huge.jpg is too large", timeout=TIMEOUT)
    assert requests == []


def test_both_masks_lie_over_the_photo_in_one_picture(page):
    page.get_by_text("Difference", exact=True).click()
    expect(page.locator("#overlay .legend")).to_contain_text("only from scratch")
    expect(page.locator("#overlay .legend")).to_contain_text(re.compile(r"both agree \(\d+ % here\)"))
    colours = page.locator("#overlay canvas").evaluate(
        """canvas => {
            const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            let orange = 0, blue = 0;
            for (let i = 0; i < data.length; i += 4) {
                orange += data[i] > data[i + 2] + 90;
                blue += data[i + 2] > data[i] + 60;
            }
            return [orange / data.length * 4, blue / data.length * 4];
        }"""
    )
    assert min(colours) > 0.02
    page.get_by_text("Wipe", exact=True).click()
    slider = page.get_by_label("Wipe from the network from scratch")
    slider.focus()
    page.keyboard.press("Home")
    expect(slider).to_have_value("0")
    page.get_by_text("Side by side", exact=True).click()
    expect(page.locator("#random-mask img")).to_be_visible()


def test_zoom_is_linked_by_buttons_double_click_wheel_and_keyboard(page, tmp_path):
    Image.fromarray(load_photo(PORTRAIT)).resize((2400, 2400)).save(tmp_path / "large.jpg", quality=90)
    upload(page, tmp_path / "large.jpg")
    done(page)
    scale = "element => new DOMMatrix(getComputedStyle(element.querySelector('.pan')).transform).a"
    frames = [page.locator(f"#{name}") for name in ("random-mask", "photo", "pretrained-mask", "compare")]
    page.get_by_role("button", name="Zoom in").click()
    assert [frame.evaluate(scale) for frame in frames] == [1.5] * 4
    page.wait_for_selector("#recoloured .detail", timeout=TIMEOUT)  # at the upload's resolution
    assert page.locator(".detail").count() == 5
    page.locator("#photo .frame").dblclick()
    assert [frame.evaluate(scale) for frame in frames] == [1] * 4
    page.locator("#photo .frame").dblclick()
    page.mouse.wheel(0, -300)
    assert frames[3].evaluate(scale) > 3.5
    page.locator("#photo .frame").focus()
    page.keyboard.press("0")
    page.keyboard.press("+")
    assert frames[0].evaluate(scale) == 1.5
    page.get_by_role("button", name="Whole photo").click()
    assert frames[0].evaluate(scale) == 1


def test_a_small_head_is_shown_cropped_and_the_whole_photo_is_one_click(page, tmp_path):
    wide = np.full((900, 900, 3), 200, np.uint8)
    wide[300:480, 350:530] = np.asarray(Image.fromarray(load_photo(PORTRAIT)).resize((180, 180)))
    Image.fromarray(wide).save(tmp_path / "far.png")
    upload(page, tmp_path / "far.png")
    done(page)
    assert "a small head" in page.locator("#pretrained-mask figcaption").inner_text()
    assert page.locator("#studio.is-zoomed, #studio .is-zoomed").count() == 1
    page.get_by_role("button", name="Whole photo").click()
    assert page.locator("#studio .is-zoomed").count() == 0
    page.get_by_role("button", name="Head", exact=True).click()
    assert page.locator("#studio .is-zoomed").count() == 1


def test_before_and_after_by_keyboard_and_the_picture_can_be_dragged_out(page):
    slider = page.get_by_role("slider", name="Before and after")
    slider.focus()
    page.keyboard.press("End")
    assert page.locator("#compare").evaluate("element => getComputedStyle(element).getPropertyValue('--cut')") == "1"
    page.keyboard.press("Home")
    box = page.locator("#compare").bounding_box()
    hit = page.evaluate(
        "([x, y]) => document.elementFromPoint(x, y).tagName", [box["x"] + box["width"] / 2, box["y"] + 60]
    )
    assert hit == "IMG"  # nothing lies over it


def test_back_closes_the_enlarged_picture_and_stays_on_the_page(page):
    page.click("[data-do=enlarge]")
    dialog = page.get_by_role("dialog", name="Before and after")
    expect(dialog.locator("#recoloured img")).to_be_visible()
    page.go_back()
    expect(dialog).to_have_count(0)
    expect(page.locator(".result #recoloured img")).to_be_visible()
    page.click("[data-do=enlarge]")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.locator(".result #recoloured img")).to_be_visible()


@pytest.mark.parametrize("kind, name", [("recoloured-jpeg", "big-copper.jpg"), ("alpha", "big-pretrained-mask.png")])
def test_each_download_has_a_clear_name(page, tmp_path, kind, name):
    Image.fromarray(load_photo(PORTRAIT)).resize((1500, 1500)).save(tmp_path / "big.jpg", quality=90)
    upload(page, tmp_path / "big.jpg")
    done(page)
    for _ in range(2):
        with page.expect_download(timeout=TIMEOUT) as download:
            page.click(f"#{kind}-button")
        assert download.value.suggested_filename == name
    with Image.open(download.value.path()) as file:
        assert file.size == (1500, 1500)
    expect(page.locator("dialog[open]")).to_have_count(0)


@pytest.mark.parametrize("event", ["paste", "drop"])
def test_a_photo_may_be_pasted_or_dropped_anywhere(page, event):
    transfer = page.evaluate_handle(
        """async () => {
            const transfer = new DataTransfer(), photo = await fetch(document.querySelector("#photo img").src);
            transfer.items.add(new File([await photo.blob()], "pasted.jpg", {type: "image/jpeg"}));
            return transfer;
        }"""
    )
    key = "clipboardData" if event == "paste" else "dataTransfer"
    page.evaluate(
        """([transfer, event, key]) => document.body.dispatchEvent(Object.assign(
            new Event(event, {bubbles: true, cancelable: true}), {[key]: transfer}))""",
        [transfer, event, key],
    )
    expect(page.locator("#photo .name")).to_have_text("pasted.jpg", timeout=TIMEOUT)
    done(page)


def test_several_files_become_a_strip(page, tmp_path):
    files = []
    for seed in range(3):
        files.append(tmp_path / f"{seed}.png")
        Image.fromarray(draw_portrait(seed)[0]).save(files[-1])
    page.locator("#photo input[type=file]").set_input_files(files)
    done(page)
    assert "0.png" in source(page, "photo") or "0.jpg" in source(page, "photo")
    page.locator(".strip button").nth(2).click()
    expect(page.locator("#photo .name")).to_have_text("2.png")
    done(page)


@pytest.mark.parametrize("button", ["Take the photo", "Take it in 3 seconds"])
def test_the_camera_takes_a_photo_and_is_off_afterwards(page, button):
    page.evaluate(
        """() => {
            window.tracks = [];
            const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
            navigator.mediaDevices.getUserMedia = async wanted => {
                const stream = await ask(wanted);
                window.tracks.push(...stream.getTracks());
                return stream;
            };
        }"""
    )
    page.click("[data-do=camera]")
    page.get_by_role("button", name=button).click()
    expect(page.locator("#photo .name")).to_have_text("camera.jpg", timeout=TIMEOUT)
    done(page)
    assert page.evaluate("tracks.every(track => track.readyState === 'ended')")


def test_a_page_without_https_says_why_the_camera_cannot_be_used(page):
    page.evaluate("Object.defineProperty(navigator, 'mediaDevices', {value: undefined})")
    page.click("[data-do=camera]")
    expect(notice(page)).to_have_text("The camera cannot be used. Open this page over HTTPS, or choose a photo.")


def test_a_reload_keeps_photo_and_settings_and_the_browser_keeps_no_picture(page):
    upload(page, PORTRAIT)
    page.click("#swatch-emerald")
    done(page)
    page.reload()
    done(page)
    assert "astronaut-emerald" in source(page, "recoloured")
    kept = page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})")
    assert "base64" not in kept and len(kept) < 1000
    page.click("[data-do=clear]")
    done(page)
    assert page.evaluate("sessionStorage.getItem('hairseg-photo')") is None


def test_of_several_heads_one_is_coloured_by_a_click(page, tmp_path):
    two = np.full((400, 800, 3), 200, np.uint8)
    two[60:340, 60:340] = two[60:340, 460:740] = load_photo(PORTRAIT)
    Image.fromarray(two).save(tmp_path / "two.png")
    page.click("#swatch-violet")
    upload(page, tmp_path / "two.png")
    done(page)
    buttons = page.get_by_role("group", name="Whose hair to colour").get_by_role("button")
    expect(buttons).to_have_text(["Everyone", "Person 1", "Person 2"])
    both = picture(page, "recoloured").astype(int)
    before = source(page, "recoloured")
    buttons.nth(2).click()
    expect(page.locator("#recoloured img")).not_to_have_attribute("src", before)
    done(page)
    changed = np.abs(picture(page, "recoloured").astype(int) - both).mean(axis=2)
    assert changed[:, :400].mean() > 1 > changed[:, 400:].mean()
    box = page.locator("#compare").bounding_box()
    page.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 0.3 * box["height"])
    expect(buttons.nth(1)).to_have_attribute("aria-pressed", "true")


def test_tried_colours_are_compared_side_by_side_and_one_is_taken(page):
    page.click("#swatch-violet")
    done(page)
    page.click("#swatch-emerald")
    done(page)
    page.get_by_role("button", name="Compare colours").click()
    dialog = page.get_by_role("dialog", name="Compare colours")
    expect(dialog.locator("img")).to_have_count(4, timeout=TIMEOUT)
    dialog.get_by_role("button", name="violet").click()
    expect(dialog).to_have_count(0)
    done(page)
    assert source(page, "recoloured").endswith("violet.jpg")
    page.reload()
    done(page)
    expect(page.get_by_role("button", name="Back to emerald")).to_be_visible()


def test_the_address_names_the_tab_and_back_goes_through_tabs(page, address):
    choose_tab(page, "Models")
    assert page.url.endswith("tab=models")
    choose_tab(page, "Live")
    page.go_back()
    expect(page.get_by_role("tab", name="Models")).to_have_attribute("aria-selected", "true")
    page.go_back()
    expect(page.get_by_role("tab", name="Try it")).to_have_attribute("aria-selected", "true")
    page.goto(f"{address}?tab=scores")
    expect(page.get_by_role("tab", name="What pretraining is worth")).to_have_attribute("aria-selected", "true")


def test_a_photo_that_is_gone_after_a_reload_is_told_and_the_example_is_shown(page):
    page.evaluate("sessionStorage.setItem('hairseg-photo', JSON.stringify({name: 'a.jpg', path: '/tmp/gone/a.jpg'}))")
    page.reload()
    expect(notice(page)).to_have_text("The photo is no longer on the server. Choose it again.", timeout=TIMEOUT)
    done(page)
    assert "Example" in page.locator("#photo .name").inner_text()


@pytest.mark.parametrize("width", [320, 390, 820, 1440])
def test_no_tab_is_wider_than_the_screen(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    for tab in TABS:
        choose_tab(page, tab)
        page.wait_for_timeout(300)
        for section in page.locator(".section > button:visible").all():
            section.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, tab
        right = "[...document.querySelectorAll('table')].map(table => table.getBoundingClientRect().right)"
        assert max(page.evaluate(right), default=0) <= width, tab


def test_right_to_left_mirrors_the_page_and_keeps_the_order_of_the_networks(page):
    page.evaluate("document.documentElement.dir = 'rtl'")
    left = {
        name: page.locator(selector).bounding_box()["x"]
        for name, selector in {
            "story": ".story",
            "result": ".result",
            "random": "#random-mask",
            "photo": "#photo",
        }.items()
    }
    assert left["result"] < left["story"] and left["random"] < left["photo"]
    assert page.locator("#title h1").evaluate("element => getComputedStyle(element).direction") == "rtl"


def choose_tab(page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def test_everything_of_the_story_is_on_the_first_screen(page):
    for selector in ("#random-mask .frame", "#pretrained-mask .frame", "#compare", "#swatch-violet", ".verdict"):
        box = page.locator(selector).bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= WIDE["height"], selector
    box = page.locator("#compare").bounding_box()
    assert box["width"] * box["height"] > 0.2 * WIDE["width"] * WIDE["height"]


def test_on_a_phone_the_picture_stays_in_sight_while_a_colour_is_chosen(page):
    page.set_viewport_size(NARROW)
    page.locator("#swatch-emerald").scroll_into_view_if_needed()
    page.click("#swatch-emerald")
    done(page)
    expect(page.locator("#original img")).to_be_in_viewport(ratio=0.9)


def test_the_other_tabs_say_what_the_files_say(page):
    choose_tab(page, "What pretraining is worth")
    expect(page.locator("#headline")).to_contain_text("50 photos")
    page.locator("#training-photos input[type=range]").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#transfer-result")).to_contain_text("Trained on 1,260 photos")
    choose_tab(page, "Models")
    expect(page.locator("#leaderboard")).to_contain_text("efficientnet_lite0")
    page.get_by_role("button", name="Files").click()
    expect(page.locator("#files")).to_contain_text("pretrained/model.safetensors")


def test_code_names_the_pages_own_address(page, address):
    choose_tab(page, "Use it elsewhere")
    expect(page.locator("#from-python")).to_contain_text(address.rstrip("/"))
    assert page.seen.strangers == []
