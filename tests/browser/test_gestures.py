"""Touch gestures, and copying, sharing and dragging the recoloured picture."""

import pytest
from browser.conftest import NARROW, TIMEOUT, done
from playwright.sync_api import expect

SCALE = "element => new DOMMatrix(getComputedStyle(element.querySelector('.pan')).transform).a"

WIPED = "document.querySelector('#compare').getAnimations({subtree: true}).length === 0"  # the opening wipe has ended

FRAMES = ("random-mask", "photo", "pretrained-mask", "compare")


class Fingers:
    """Touch input by the Chrome DevTools Protocol."""

    def __init__(self, page):
        self._session = page.context.new_cdp_session(page)

    def move(self, *steps: list[tuple[float, float]]) -> None:
        """Touch the first points, move the fingers to the others in turn, and lift them."""
        for kind, points in zip(["touchStart", *["touchMove"] * (len(steps) - 1)], steps, strict=True):
            touches = [{"x": x, "y": y, "id": index} for index, (x, y) in enumerate(points)]
            self._session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})
        self._session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    def spread(self, locator, start: float, end: float) -> None:
        """Move two fingers from `start` to `end` pixels on each side of a point away from the slider's handle."""
        locator.scroll_into_view_if_needed()
        box = locator.bounding_box()
        x, y = box["x"] + 0.3 * box["width"], box["y"] + 0.5 * box["height"]
        halves = [start + (end - start) * step / 5 for step in range(6)]
        self.move(*([(x - half, y), (x + half, y)] for half in halves))


@pytest.fixture
def phone(browser, address):
    page = browser.new_page(viewport=NARROW, has_touch=True, is_mobile=True)
    page.set_default_timeout(TIMEOUT)
    page.goto(address)
    done(page)
    yield page
    page.close()


def test_two_fingers_zoom_all_pictures_and_one_finger_pans_or_scrolls(phone):
    fingers, frames = Fingers(phone), [phone.locator(f"#{name}") for name in FRAMES]
    fingers.spread(frames[0], 15, 45)
    assert [round(frame.evaluate(SCALE), 2) for frame in frames] == [3] * 4
    fingers.spread(frames[3], 45, 10)
    assert [frame.evaluate(SCALE) for frame in frames] == [1] * 4

    def drag() -> None:
        box = frames[3].bounding_box()
        fingers.move(*[[(box["x"] + 60 + 8 * step, box["y"] + 200 - 20 * step)] for step in range(6)])

    drag()
    phone.wait_for_function("scrollY > 20")  # over a photo that is not magnified, one finger scrolls the page
    fingers.spread(frames[3], 15, 45)
    pan = frames[3].locator(".pan").first
    before, scrolled = pan.evaluate("element => getComputedStyle(element).transform"), phone.evaluate("scrollY")
    drag()
    assert pan.evaluate("element => getComputedStyle(element).transform") != before
    assert phone.evaluate("scrollY") == scrolled


def test_with_the_brush_one_finger_paints_and_two_zoom(phone):
    fingers, canvas = Fingers(phone), phone.locator("#compare canvas.brush")
    phone.click("[data-do=brush]")
    box = canvas.bounding_box()
    fingers.move(*[[(box["x"] + 100 + 8 * step, box["y"] + 150)] for step in range(6)])
    expect(phone.locator("[data-do=brush]")).to_have_text("Touch up · 1")
    fingers.spread(canvas, 15, 45)
    assert phone.locator("#compare").evaluate(SCALE) == pytest.approx(3)
    expect(phone.locator("[data-do=brush]")).to_have_text("Touch up · 1")


def test_a_long_press_on_the_recoloured_picture_is_not_intercepted(phone):
    """Headless Chromium has no long-press menu, so check that no element covers the picture or cancels the events."""
    phone.wait_for_function(WIPED)
    phone.locator("#compare").scroll_into_view_if_needed()
    box = phone.locator("#compare").bounding_box()
    pressed = phone.evaluate(
        """([x, y]) => {
            const hit = document.elementFromPoint(x, y);
            const touch = new TouchEvent("touchstart", {bubbles: true, cancelable: true});
            const menu = new Event("contextmenu", {bubbles: true, cancelable: true});
            return [hit.tagName, hit.closest("[id]").id, hit.dispatchEvent(touch), hit.dispatchEvent(menu)];
        }""",
        [box["x"] + 0.85 * box["width"], box["y"] + 60],
    )
    assert pressed == ["IMG", "recoloured", True, True]


def test_the_picture_is_copied_as_png(page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click("[data-do=copy]")
    expect(page.locator(".said")).to_have_text("The picture is copied.")
    copied = page.evaluate(
        """async () => {
            const [item] = await navigator.clipboard.read();
            const {width, height} = await createImageBitmap(await item.getType("image/png"));
            return [width, height];
        }"""
    )
    assert copied == page.locator("#recoloured img").evaluate("image => [image.naturalWidth, image.naturalHeight]")


@pytest.mark.parametrize("with_files", [True, False])
def test_picture_and_link_are_shared_where_the_browser_can(page, with_files):
    page.add_init_script(
        f"""navigator.canShare = content => {str(with_files).lower()};
        navigator.share = async content => {{ window.shared = content; }};"""
    )
    page.reload()
    done(page)
    page.click("[data-do=share]")
    page.wait_for_function("window.shared")
    assert page.evaluate("shared.url").endswith("?colour=copper&variant=pretrained")
    files = page.evaluate("shared.files?.map(file => [file.name, file.type, file.size > 10000])")
    assert files == ([["new-colour.jpg", "image/jpeg", True]] if with_files else None)


def test_dragging_the_picture_out_does_not_open_it_as_a_new_photo(page):
    page.evaluate(
        """() => {
            window.drags = [];
            document.addEventListener("dragstart", event => drags.push(event.dataTransfer.getData("text/uri-list")));
            document.addEventListener("dragend", () => drags.push("end"));
        }"""
    )
    page.wait_for_function(WIPED)
    box = page.locator("#compare").bounding_box()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 200, steps=8)
    page.mouse.up()
    page.wait_for_function("drags.length === 2")
    assert page.evaluate("drags[0]").endswith("-copper.jpg")
    assert page.locator("#photo .name").inner_text() == "Example: A beanie"
    expect(page.locator(".is-target")).to_have_count(0)


def test_dragging_a_magnified_picture_pans_it(page):
    page.get_by_role("button", name="Zoom in").click()
    pan = page.locator("#compare .pan").first
    before = pan.evaluate("element => getComputedStyle(element).transform")
    box = page.locator("#compare").bounding_box()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 160)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 100, steps=4)
    page.mouse.up()
    assert pan.evaluate("element => getComputedStyle(element).transform") != before
