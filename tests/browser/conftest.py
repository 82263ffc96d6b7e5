"""Chromium, and a page for it to open."""

import io
import os
import shutil
import urllib.request
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import PROJECT, served
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from hairseg.inference.predictor import HairPredictor
from hairseg.page.layout import build_page
from hairseg.page.style import look
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
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
PORTRAIT = PROJECT / "hairseg" / "page" / "examples" / "astronaut.jpg"
PATIENCE = 60_000  # milliseconds
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


def pytest_collection_modifyitems(items):
    if not CHROMIUM and not os.environ.get("CI"):
        for item in items:
            if "browser" in str(item.path):
                item.add_marker(pytest.mark.skip(reason="no Chromium on this machine"))


@pytest.fixture(scope="package")
def address():
    with served(build_page(HairPredictor(BUNDLED)), **look()) as url:
        yield url


@pytest.fixture(scope="package")
def chromium():
    assert CHROMIUM, "no Chromium: expected one on the path; install the package chromium"
    with sync_playwright() as playwright:
        yield playwright.chromium


@pytest.fixture(scope="package")
def browser(chromium):
    """For visitors each of whom comes for the first time."""
    browser = chromium.launch(executable_path=CHROMIUM, args=QUIET)
    yield browser
    browser.close()


@pytest.fixture(scope="package")
def visitor(chromium, tmp_path_factory):
    """One who comes again: what was fetched and compiled is kept, a third of what it takes to open the page."""
    profile = tmp_path_factory.mktemp("visitor")
    visitor = chromium.launch_persistent_context(profile, executable_path=CHROMIUM, args=QUIET, viewport=WIDE)
    yield visitor
    visitor.close()


@pytest.fixture
def page(visitor, address):
    """The page on a wide screen; `page.seen` is what must stay empty: strange addresses, and errors of scripts."""
    page = visitor.new_page()
    page.set_default_timeout(PATIENCE)
    page.seen = SimpleNamespace(strangers=[], errors=[])
    page.on("pageerror", lambda error: page.seen.errors.append(str(error)))
    page.on(
        "request",
        lambda request: (
            page.seen.strangers.append(request.url) if not request.url.startswith((address, "data:", "blob:")) else None
        ),
    )
    page.goto(address)
    expect(page.locator("#networks [role=status]")).to_have_text("", timeout=PATIENCE)
    yield page
    page.evaluate("localStorage.clear(); sessionStorage.clear()")
    page.close()
    assert page.seen.errors == []


def upload(page, file) -> None:
    page.set_input_files("#photo input[type=file]", file)


def source(page, name: str) -> str:
    return page.locator(f"#{name} img").get_attribute("src")


def fetched(url: str) -> bytes:
    with urllib.request.urlopen(url) as answer:
        return answer.read()


def picture(page, name: str) -> np.ndarray:
    """What the named picture of the page shows, as delivered."""
    locator = page.locator(f"#{name} img")
    expect(locator).to_be_visible(timeout=PATIENCE)
    return np.asarray(Image.open(io.BytesIO(fetched(locator.get_attribute("src")))))


def idle(page) -> None:
    """Wait until nothing is under way."""
    page.wait_for_function(
        "!document.querySelector('.is-asked, [aria-busy=true]') && !hairseg.messages.open.size", timeout=PATIENCE
    )


def done(page) -> None:
    """Wait until every picture of the present look is there."""
    for name in ("random-mask", "pretrained-mask", "recoloured"):
        expect(page.locator(f"#{name} img")).to_be_visible(timeout=PATIENCE)
    for name in ("random-mask", "pretrained-mask", "compare"):
        expect(page.locator(f"#{name} .empty")).to_have_text("", timeout=PATIENCE)
