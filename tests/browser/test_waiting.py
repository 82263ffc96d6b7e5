"""Who waits is told how many are before; who finds the queue full is told that."""

import json
import threading
import urllib.request

import pytest
from browser.conftest import NARROW, PATIENCE, PORTRAIT, WIDE, done, upload
from conftest import served
from playwright.sync_api import expect

from hairseg.inference.predictor import HairPredictor
from hairseg.page.events import PageEvents
from hairseg.page.layout import build_page
from hairseg.page.style import look
from hairseg.repository import BUNDLED

AT_ONCE = 4  # of the masks


@pytest.fixture
def crowded(monkeypatch):
    """A page whose masks come once `open` is set; `visit(n)` has others ask for some."""
    gate, real = threading.Event(), PageEvents.show_masks

    def show_masks(self, *asked):
        gate.wait()
        return real(self, *asked)

    monkeypatch.setattr(PageEvents, "show_masks", show_masks)
    page = build_page(HairPredictor(BUNDLED))
    (masks, *_) = (
        number for number, function in page.fns.items() if getattr(function.fn, "__name__", "") == "show_masks"
    )

    def visit(count: int) -> None:
        for visitor in range(count):
            call = {"data": [None, "Mask"], "fn_index": masks, "session_hash": f"visitor{visitor}"}
            asked = urllib.request.Request(
                f"{url}gradio_api/queue/join", json.dumps(call).encode(), {"Content-Type": "application/json"}
            )
            urllib.request.urlopen(asked).close()

    with served(page, **look()) as url:
        yield url, page, visit, gate
        gate.set()


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
def test_who_waits_is_told_how_many_are_before(browser, crowded, viewport):
    url, _, visit, gate = crowded
    visit(AT_ONCE + 3)
    page = browser.new_page(viewport=viewport)
    page.goto(url)
    upload(page, PORTRAIT)
    for name in ("random-mask", "pretrained-mask"):
        expect(page.locator(f"#{name} .empty")).to_have_text("Looking for the hair · 3 before you", timeout=PATIENCE)
    expect(page.locator("#recoloured img")).to_be_visible(timeout=PATIENCE)  # nobody waits for that one
    gate.set()
    done(page)
    for name in ("random-mask", "pretrained-mask"):
        expect(page.locator(f"#{name} .empty")).to_have_text("")
    page.close()


def test_a_photo_that_is_removed_waits_no_more(browser, crowded):
    url, _, visit, _ = crowded
    visit(AT_ONCE)
    page = browser.new_page(viewport=WIDE)
    page.goto(url)
    upload(page, PORTRAIT)
    expect(page.locator("#random-mask .empty")).to_have_text("Looking for the hair · you are next", timeout=PATIENCE)
    page.get_by_role("button", name="Remove").click()
    page.wait_for_timeout(1000)
    expect(page.locator("#random-mask .empty")).to_have_text("")
    expect(page.locator("#photo .alert")).to_have_text("")
    page.close()


def test_a_full_queue_is_said_plainly(browser, crowded):
    url, blocks, visit, gate = crowded
    visit(AT_ONCE + 1)
    page = browser.new_page(viewport=WIDE)
    page.goto(url)
    expect(page.locator("#networks [role=status]")).to_have_text("", timeout=PATIENCE)
    blocks._queue.max_size = 1
    upload(page, PORTRAIT)
    expect(page.locator("#photo .alert")).to_have_text("Too many visitors are waiting just now: try again in a minute.")
    expect(page.get_by_text("currently busy").first).to_be_visible()  # Gradio's own
    expect(page.locator("#photo img")).to_have_count(0)
    blocks._queue.max_size = None
    gate.set()
    upload(page, PORTRAIT)
    done(page)
    expect(page.locator("#photo .alert")).to_have_text("")
    page.close()
