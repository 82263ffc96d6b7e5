"""`hairseg label`: paint, save and resume."""

import numpy as np
import pytest
from browser.conftest import TIMEOUT
from conftest import draw_portrait, served
from PIL import Image
from playwright.sync_api import expect

from hairseg.labelling.folder import LabelFolder
from hairseg.labelling.page import build_label_page


@pytest.fixture
def root(tmp_path):
    (tmp_path / "photos").mkdir()
    for seed, name in enumerate(("a", "c")):
        Image.fromarray(draw_portrait(seed, 200)[0]).save(tmp_path / "photos" / f"{name}.jpg")
    (tmp_path / "photos" / "b.jpg").write_bytes(b"\xff\xd8")
    return tmp_path


def ready(page, name: str) -> None:
    expect(page.locator(".labelling:not(.is-loading) .name")).to_have_text(name, timeout=TIMEOUT)


def draw(page, *points: tuple[float, float]) -> None:
    """Draw with the mouse; points are fractions of the photo, which fills its frame."""
    box = page.locator("#label canvas").bounding_box()
    positions = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*positions[0])
    page.mouse.down()
    for position in positions[1:]:
        page.mouse.move(*position, steps=5)
    page.mouse.up()


def mask_of(root, name: str) -> np.ndarray:
    return np.asarray(Image.open(root / "masks" / f"{name}.png"))


def test_paint_save_and_resume(visitor, root):
    page, errors = visitor.new_page(), []
    page.set_default_timeout(TIMEOUT)
    page.on("pageerror", lambda error: errors.append(str(error)))
    with served(build_label_page(LabelFolder(root, lambda photo: np.zeros(photo.shape[:2], bool)))) as url:
        page.goto(url)
        ready(page, "a")
        page.keyboard.press("s")  # snapping off
        draw(page, (0.2, 0.5), (0.8, 0.5))
        page.keyboard.press("3")
        draw(page, (0.5, 0.2), (0.5, 0.8))
        page.keyboard.press("2")
        draw(page, (0.5, 0.5))
        draw(page, (0.1, 0.1))
        page.keyboard.press("1")
        draw(page, (0.9, 0.9))
        page.keyboard.press("Control+z")
        page.keyboard.press("Enter")
        ready(page, "c")  # b is broken
        first = mask_of(root, "a")
        assert first.shape == (200, 200) and set(np.unique(first)) == {0, 128, 255}
        assert first[[100, 50, 100, 20, 180], [50, 100, 100, 20, 180]].tolist() == [255, 128, 0, 0, 0]
        expect(page.locator(".progress")).to_have_text("1 of 2 done, 1 cannot be used")
        expect(page.locator(".strip .is-bad")).to_contain_text("b.jpg")
        draw(page, (0.3, 0.3), (0.5, 0.3))
        page.keyboard.press("p")
        ready(page, "a")
        page.keyboard.press("n")  # unsaved strokes are kept
        ready(page, "c")
        page.keyboard.press("s")  # snapping on: saving waits for the last stroke
        draw(page, (0.3, 0.6), (0.5, 0.6))
        page.keyboard.press("Control+s")
        expect(page.locator(".said")).to_have_text("c is saved. Every photo has a mask.")
        second = mask_of(root, "c")
        assert second[60, 80] == 255 and second[120, 80] == 255 and second[180, 20] == 0
    with served(build_label_page(LabelFolder(root, lambda photo: np.ones(photo.shape[:2], bool)))) as url:
        page.goto(url)
        ready(page, "a")
        expect(page.locator(".progress")).to_have_text("2 of 2 done, 1 cannot be used")
        page.keyboard.press("Enter")
        expect(page.locator(".said")).to_have_text("a is saved. Every photo has a mask.")
        np.testing.assert_array_equal(mask_of(root, "a"), first)
    page.close()
    assert errors == []
