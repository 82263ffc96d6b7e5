"""The brush, with mouse, finger and keyboard."""

from itertools import pairwise

import numpy as np
import pytest
from browser.conftest import NARROW, PORTRAIT, TIMEOUT, WIDE, done, picture, source, upload
from playwright.sync_api import expect

MOUTH = [
    (0.42, 0.48),
    (0.5, 0.5),
    (0.58, 0.48),
]  # a stroke over the portrait's mouth, in shares of its width and height
CROWN = [(0.45, 0.14), (0.55, 0.14)]


def opened(page) -> None:
    """The portrait in blue, which nothing else in it is, and the brush at hand."""
    page.click("#swatch-ocean-blue")
    upload(page, PORTRAIT)
    done(page)
    page.click("[data-do=brush]")
    expect(page.get_by_role("button", name="Add hair")).to_be_visible()


def places(page, stroke) -> list[tuple[float, float]]:
    """Where the shares are on the screen: the picture is square, in the middle of its frame."""
    box = page.locator("#compare canvas").bounding_box()
    side = min(box["width"], box["height"])
    return [
        (box["x"] + box["width"] / 2 + (x - 0.5) * side, box["y"] + box["height"] / 2 + (y - 0.5) * side)
        for x, y in stroke
    ]


def draw(page, stroke) -> None:
    """Draw with the mouse, and wait for the server's picture."""
    before, (start, *path) = source(page, "recoloured"), places(page, stroke)
    page.mouse.move(*start)
    page.mouse.down()
    for place in path:
        page.mouse.move(*place, steps=5)
    page.mouse.up()
    expect(page.locator("#recoloured img")).not_to_have_attribute("src", before, timeout=TIMEOUT)


def changed(page, before: np.ndarray) -> np.ndarray:
    """By how much each pixel of the recoloured picture differs from what it was."""
    return np.abs(picture(page, "recoloured").astype(int) - before).mean(axis=2)


def near(stroke, distance: float) -> np.ndarray:
    """Which pixels of the portrait are nearer to the stroke than this share of its side."""
    rows, columns = (np.indices((280, 280)) + 0.5) / 280
    corners = [np.array(corner) for corner in stroke]
    path = np.concatenate([np.linspace(*pair, 50) for pair in pairwise(corners)])
    return np.min([np.hypot(columns - x, rows - y) for x, y in path], axis=0) < distance


def strokes(page) -> int:
    text = page.locator("[data-do=brush]").inner_text()
    return int(text.partition("· ")[2] or 0)


@pytest.mark.parametrize("screen", [WIDE, NARROW], ids=["wide", "narrow"])
def test_hair_is_added_and_removed_there_and_nowhere_else_and_undone(page, screen):
    page.set_viewport_size(screen)
    opened(page)
    plain, first = source(page, "recoloured"), picture(page, "recoloured").astype(int)
    draw(page, MOUTH)
    difference = changed(page, first)
    assert difference[near(MOUTH, 0.015)].mean() > 20
    assert difference[~near(MOUTH, 0.08)].mean() < 3
    bearded, second = source(page, "recoloured"), picture(page, "recoloured").astype(int)

    page.get_by_role("button", name="Remove hair").click()
    draw(page, CROWN)
    difference = changed(page, second)
    assert difference[near(CROWN, 0.02)].mean() > 20 and difference[~near(CROWN, 0.12)].mean() < 3
    crown, original = picture(page, "recoloured").astype(int), picture(page, "original").astype(int)
    assert np.abs(crown - original)[near(CROWN, 0.015)].mean() < 8  # the photo itself, but for JPEG

    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#recoloured img")).to_have_attribute("src", bearded, timeout=TIMEOUT)
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#recoloured img")).to_have_attribute("src", plain, timeout=TIMEOUT)
    page.keyboard.press("Control+z")  # what was cleared comes back
    expect(page.locator("#recoloured img")).to_have_attribute("src", bearded, timeout=TIMEOUT)


@pytest.mark.parametrize("screen", [WIDE, NARROW], ids=["wide", "narrow"])
def test_the_brush_is_off_until_asked_for_and_everything_is_in_reach(page, screen):
    page.set_viewport_size(screen)
    upload(page, PORTRAIT)
    done(page)
    slider = page.get_by_role("slider", name="Before and after")
    expect(slider).to_be_visible()
    assert strokes(page) == 0
    page.click("[data-do=brush]")
    expect(page.get_by_role("button", name="Add hair")).to_be_focused()
    expect(slider).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.querySelector('#compare .dyed')).clipPath") == "none"
    page.locator(".brush-tools").scroll_into_view_if_needed()
    assert page.evaluate("document.documentElement.scrollWidth") <= screen["width"]
    for button in page.locator(".brush-tools button").all():
        assert button.bounding_box()["height"] >= 40
    page.keyboard.press("Escape")
    expect(page.locator(".brush-tools")).to_be_hidden()
    expect(page.locator("[data-do=brush]")).to_be_focused()
    expect(slider).to_be_visible()


def test_strokes_are_seen_while_they_are_drawn(page):
    opened(page)
    seen = (
        "(([x, y]) => { const canvas = document.querySelector('#compare canvas'), box = canvas.getBoundingClientRect();"
    )
    seen += " return [...canvas.getContext('2d').getImageData(x - box.x, y - box.y, 1, 1).data] })"
    start, middle, end = places(page, MOUTH)
    assert page.evaluate(seen, start)[3] == 0
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*middle, steps=5)
    page.mouse.move(*end, steps=5)
    page.wait_for_function(f"{seen}([{start[0]}, {start[1]}])[3] === 255")
    red, _, blue, _ = page.evaluate(seen, start)
    assert blue > red + 20
    page.mouse.up()
    page.mouse.move(5, 5)
    page.wait_for_function(f"{seen}([{start[0]}, {start[1]}])[3] === 0", timeout=TIMEOUT)  # the picture has taken over
    assert picture(page, "recoloured")[int(0.5 * 280), 140].argmax() == 2


def test_colour_variant_and_view_keep_the_touch_up_and_the_networks_masks_stay(page):
    opened(page)
    masks = source(page, "random-mask"), source(page, "pretrained-mask")
    draw(page, MOUTH)
    assert (source(page, "random-mask"), source(page, "pretrained-mask")) == masks
    mouth, background = near(MOUTH, 0.015), near([(0.1, 0.1), (0.2, 0.1)], 0.05)
    for change in ("#swatch-emerald", "#variant label:has-text('From scratch')", "#swatch-violet"):
        before = source(page, "recoloured")
        page.click(change)
        expect(page.locator("#recoloured img")).not_to_have_attribute("src", before, timeout=TIMEOUT)
        difference = np.abs(picture(page, "recoloured").astype(int) - picture(page, "original")).mean(axis=2)
        assert difference[mouth].mean() > 15 and difference[background].mean() < 6
    assert strokes(page) == 1


@pytest.mark.parametrize("delay", [0, 0.2])
def test_a_new_photo_right_after_a_stroke_shows_none_of_it(page, delay):
    opened(page)
    plain = source(page, "recoloured")
    (start, *path) = places(page, MOUTH)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*path[-1], steps=5)
    page.mouse.up()
    page.wait_for_timeout(1000 * delay)
    upload(page, PORTRAIT)
    done(page)
    page.wait_for_timeout(500)
    assert source(page, "recoloured") == plain and strokes(page) == 0


def test_strokes_in_quick_succession_all_arrive(page):
    opened(page)
    first = picture(page, "recoloured").astype(int)
    dabs = [(0.4, 0.45), (0.5, 0.5), (0.6, 0.45), (0.1, 0.2), (0.9, 0.2)]
    for place in places(page, dabs):
        page.mouse.click(*place)
    assert strokes(page) == 5
    page.wait_for_timeout(300)
    done(page)
    difference = changed(page, first)
    for x, y in dabs:
        assert difference[int(280 * y) - 2 : int(280 * y) + 2, int(280 * x) - 2 : int(280 * x) + 2].mean() > 15


def test_strokes_follow_the_zoom(page):
    """A dab in the middle of the frame lands in the middle of the visible window."""
    opened(page)
    first = picture(page, "recoloured").astype(int)
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Zoom in").click()
    page.locator("#photo .frame").focus()
    page.keyboard.press("ArrowDown")
    view = "(() => { const style = document.querySelector('#studio .has_children').style;"
    view += " return ['--x', '--y', '--scale'].map(name => Number(style.getPropertyValue(name))) })()"
    x, y, scale = page.evaluate(view)
    before = source(page, "recoloured")
    page.locator("#compare canvas").click()
    expect(page.locator("#recoloured img")).not_to_have_attribute("src", before, timeout=TIMEOUT)
    column, row = int(280 * (x + 0.5 / scale)), int(280 * (y + 0.5 / scale))
    assert changed(page, first)[row - 2 : row + 2, column - 2 : column + 2].mean() > 15


def test_the_keyboard_alone_paints(page):
    opened(page)
    before, first = source(page, "recoloured"), picture(page, "recoloured").astype(int)
    page.locator("#compare canvas").focus()
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    expect(page.locator("#recoloured img")).not_to_have_attribute("src", before, timeout=TIMEOUT)
    difference = changed(page, first)
    assert (
        difference[138:142, 110:114].mean() > 15
    )  # five halves of the brush, a tenth of the picture, left of its middle
    page.keyboard.press("Control+z")
    expect(page.locator("#recoloured img")).to_have_attribute("src", before, timeout=TIMEOUT)
