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
from hairseg.page.app import build_page
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
TIMEOUT = 60_000  # milliseconds
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


def pytest_collection_modifyitems(items):
    if not CHROMIUM and not os.environ.get("CI"):
        for item in items:
            if "browser" in str(item.path):
                item.add_marker(pytest.mark.skip(reason="no Chromium on this machine"))


@pytest.fixture(scope="package")
def address():
    with served(build_page(HairPredictor(BUNDLED))) as url:
        yield url


@pytest.fixture(scope="package")
def chromium():
    assert CHROMIUM, "Chromium is missing. Install the package chromium."
    with sync_playwright() as playwright:
        yield playwright.chromium


@pytest.fixture(scope="package")
def browser(chromium):
    """For visitors who come for the first time."""
    browser = chromium.launch(executable_path=CHROMIUM, args=QUIET)
    yield browser
    browser.close()


@pytest.fixture(scope="package")
def visitor(chromium, tmp_path_factory):
    """A visitor who comes again: a warm cache saves a third of the time to open the page."""
    profile = tmp_path_factory.mktemp("visitor")
    visitor = chromium.launch_persistent_context(profile, executable_path=CHROMIUM, args=QUIET, viewport=WIDE)
    yield visitor
    visitor.close()


@pytest.fixture
def page(visitor, address):
    """The page on a wide screen. `page.seen` collects addresses of other sites and errors of scripts."""
    page = visitor.new_page()
    page.set_default_timeout(TIMEOUT)
    page.seen = SimpleNamespace(strangers=[], errors=[])
    page.on("pageerror", lambda error: page.seen.errors.append(str(error)))
    page.on(
        "request",
        lambda request: (
            page.seen.strangers.append(request.url) if not request.url.startswith((address, "data:", "blob:")) else None
        ),
    )
    page.goto(address)
    done(page)
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
    """The pixels of the named picture, as delivered."""
    locator = page.locator(f"#{name} img")
    expect(locator).to_have_count(1, timeout=TIMEOUT)
    address = page.evaluate("src => new URL(src, document.baseURI).href", locator.get_attribute("src"))
    return np.asarray(Image.open(io.BytesIO(fetched(address))))


def done(page) -> None:
    """Wait until every picture of the present photo and settings is there."""
    page.wait_for_function(
        """() => {
            const studio = document.querySelector("#studio [aria-busy]");
            const waiting = ".is-waiting, #compare.is-empty, #studio button[aria-busy=true]";
            return studio?.getAttribute("aria-busy") === "false" && !document.querySelector(waiting);
        }""",
        timeout=TIMEOUT,
    )


def notice(page):
    """What the page says about something that went wrong."""
    return page.locator("#studio .notice p")
