"""Over a slow link, and over one that breaks off."""

import re

import numpy as np
import pytest
from browser.conftest import PATIENCE, PORTRAIT, WIDE, done, idle, upload
from PIL import Image
from playwright.sync_api import expect

from hairseg.page.request_size import LARGEST_FILE


@pytest.fixture
def throttle(page):
    """Call it with bytes a second, up and down; -1: as fast as it goes."""
    link = page.context.new_cdp_session(page)
    link.send("Network.enable")

    def throttle(up: int = -1, down: int = -1) -> None:
        limits = {"offline": False, "latency": 0, "uploadThroughput": up, "downloadThroughput": down}
        link.send("Network.emulateNetworkConditions", limits)

    yield throttle
    link.detach()


def test_over_a_slow_link_the_page_says_that_the_photo_is_being_sent(page):
    held = []
    page.route("**/upload*", lambda route: held.append(route))
    upload(page, PORTRAIT)
    for name in ("#random-mask", "#pretrained-mask", "#compare"):
        expect(page.locator(f"{name} .empty")).to_have_text("Sending the photo")
    page.evaluate(
        "window.told = [];"
        " for (const empty of document.querySelectorAll('.empty[data-work]'))"
        "  new MutationObserver(() => told.push(empty.textContent)).observe(empty, {childList: true})"
    )
    (sent,) = held
    sent.continue_()
    done(page)
    told = page.evaluate("told")
    assert told.count("Looking for the hair") == 2 and "Dyeing" in told and "Sending the photo" not in told


def test_over_a_slow_link_the_page_counts_what_is_sent_and_stops_once_nobody_waits(page, throttle, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")  # 3 MB
    failed = []
    throttle(up=100_000)
    page.on("requestfailed", lambda request: failed.append(request.url) if "/upload" in request.url else None)
    upload(page, tmp_path / "noise.png")
    for name in ("#random-mask", "#compare"):
        expect(page.locator(f"{name} .empty")).to_have_text(
            re.compile(r"Sending the photo, [1-9]\d? %"), timeout=PATIENCE
        )
    upload(page, PORTRAIT)
    done(page)
    assert page.locator("#photo .name").inner_text() == PORTRAIT.name
    assert len(failed) == 1


def test_a_file_that_is_too_large_is_not_sent(page, tmp_path):
    with open(tmp_path / "large.jpg", "wb") as file:
        file.truncate(LARGEST_FILE + 1)
    sent = []
    page.on("request", lambda request: sent.append(request.url) if "/upload" in request.url else None)
    upload(page, tmp_path / "large.jpg")
    expect(page.locator("#photo .alert")).to_have_text(
        "large.jpg is too large: expected at most 200 MB; scale it down and try again."
    )
    assert sent == []


def test_the_words_stand_until_the_pictures_do(page):
    held = []
    page.route("**/file=**/astronaut*", lambda route: held.append(route))
    upload(page, PORTRAIT)
    expect(page.locator("#pretrained-mask figcaption")).to_contain_text("of this picture hair", timeout=PATIENCE)
    page.wait_for_timeout(500)
    for name in ("#random-mask", "#pretrained-mask"):
        expect(page.locator(f"{name} .empty")).to_have_text("Looking for the hair")
        expect(page.locator(f"{name} button.picture")).to_be_disabled()
    expect(page.locator("#compare .empty")).to_have_text("Dyeing")
    expect(page.locator("#large-button")).to_be_hidden()
    for route in held:
        route.continue_()
    done(page)
    for name in ("#random-mask", "#pretrained-mask", "#compare"):
        expect(page.locator(f"{name} .empty")).to_have_text("")


@pytest.mark.parametrize(
    "tiles, choose", [(["compare"], "#swatch-violet"), (["random-mask", "pretrained-mask"], "#view")]
)
def test_a_picture_that_is_on_its_way_is_said_to_be(page, tiles, choose):
    upload(page, PORTRAIT)
    done(page)
    expect(page.locator(".tile.is-asked")).to_have_count(0)
    held = []
    page.route(re.compile(r"/file=.*astronaut-.*(violet|outline)"), lambda route: held.append(route))
    page.click(choose if choose.startswith("#swatch") else f"{choose} label:has-text('Outline')")
    for name in tiles:
        says = f"getComputedStyle(document.querySelector('#{name} .tile'), '::after')"
        page.wait_for_function(f"{says}.content.includes('On its way') && {says}.opacity === '1'")
    expect(page.locator(".tile.is-asked")).to_have_count(len(tiles))
    for route in held:
        route.continue_()
    expect(page.locator(".tile.is-asked")).to_have_count(0, timeout=PATIENCE)


def test_charts_that_did_not_come_are_said_to_be_missing(browser, address):
    page = browser.new_page(viewport=WIDE)
    page.goto(address)
    expect(page.locator("#networks [role=status]")).to_have_text("", timeout=PATIENCE)
    page.route("**/assets/**", lambda route: route.abort())
    page.get_by_role("tab", name="How good is it?").click()
    expect(page.get_by_text("Part of this tab did not come over the connection")).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".missing")).to_have_count(1)
    page.close()


LATE_ENDS = """
    const fetched = window.fetch;
    window.fetch = async (address, options) => {
        const answer = await fetched.call(window, address, options);
        if (!String(address.url || address).includes("/queue/data")) return answer;
        const late = new TransformStream({async transform(text, controller) {
            for (const event of text.split(/(?<=\\n\\n)/)) {
                if (event.includes("close_stream")) await new Promise(resolve => setTimeout(resolve, 2000));
                controller.enqueue(event);
            }
        }});
        const events = answer.body.pipeThrough(new TextDecoderStream()).pipeThrough(late);
        return new Response(events.pipeThrough(new TextEncoderStream()), {headers: answer.headers});
    };
"""


def test_what_is_asked_for_while_the_stream_of_messages_ends_is_answered(browser, address):
    page = browser.new_page(viewport=WIDE)
    page.add_init_script(LATE_ENDS)
    page.goto(address)
    upload(page, PORTRAIT)
    done(page)
    for view in ("Outline", "Tint", "Where they differ"):
        page.get_by_role("radio", name=view).check()
        shown = re.compile(view.split()[-1].lower())
        expect(page.locator("#random-mask img")).to_have_attribute("src", shown, timeout=PATIENCE / 3)
    page.close()


BREAKS_OFF = """
    const fetched = window.fetch;
    window.breakOff = false;
    window.fetch = async (address, options) => {
        const answer = await fetched.call(window, address, options);
        if (!String(address.url || address).includes("/queue/data")) return answer;
        const cut = new TransformStream({transform(chunk, controller) {
            if (window.breakOff) controller.error(new TypeError("network error"));
            else controller.enqueue(chunk);
        }});
        return new Response(answer.body.pipeThrough(cut), {status: answer.status, headers: answer.headers});
    };
"""


def test_a_stream_of_messages_that_breaks_off_costs_nothing(browser, address):
    page = browser.new_page(viewport=WIDE)
    page.add_init_script(BREAKS_OFF)
    page.goto(address)
    expect(page.locator("#networks [role=status]")).to_have_text("", timeout=PATIENCE)
    upload(page, PORTRAIT)
    done(page)
    page.evaluate("window.isTheSame = window.breakOff = true")
    page.get_by_role("radio", name="Outline").check()
    expect(page.locator("#photo .alert")).to_contain_text("It is asked again by itself", timeout=PATIENCE)
    page.get_by_role("button", name="Recoloured, PNG").click()
    page.wait_for_timeout(2500)  # Gradio would have loaded the page anew
    expect(page.locator(".toast-body:visible")).to_have_count(0)
    with page.expect_download():
        page.evaluate("window.breakOff = false")
    expect(page.locator("#random-mask img")).to_have_attribute("src", re.compile("outline"), timeout=PATIENCE)
    expect(page.locator("#photo .alert")).to_have_text("")
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    assert page.evaluate("window.isTheSame")
    page.close()


def test_networks_are_asked_about_again_where_their_answer_is_lost(browser, address):
    page = browser.new_page(viewport=WIDE)
    page.add_init_script(BREAKS_OFF + "window.breakOff = true;")
    page.goto(address)
    expect(page.locator("#photo .alert")).to_contain_text("It is asked again by itself", timeout=PATIENCE)
    expect(page.locator("#networks [role=status]")).not_to_have_text("")
    page.evaluate("window.breakOff = false")
    expect(page.locator("#networks [role=status]")).to_have_text("", timeout=PATIENCE)
    expect(page.locator("#photo .alert")).to_have_text("")
    page.close()


def test_a_picture_that_did_not_come_is_fetched_again(page):
    upload(page, PORTRAIT)
    done(page)
    lost = []

    def lose(route):
        if len(lost) < 3:
            lost.append(route)
            return route.abort()
        route.continue_()

    page.route(re.compile(r"/file=.*(violet|outline)"), lose)
    page.click("#swatch-violet")
    page.get_by_role("radio", name="Outline").check()
    idle(page)
    assert len(lost) == 3
    for name in ("recoloured", "random-mask", "pretrained-mask"):
        assert page.evaluate(f"document.querySelector('#{name} img').naturalWidth") > 0


def test_a_photo_that_the_server_has_let_go_of_is_sent_until_it_is_there(page):
    upload(page, PORTRAIT)
    done(page)
    page.route("**/upload*", lambda route: route.abort())
    page.evaluate("hairseg.photoInput.renew()")  # what is done when a result says that the photo is gone
    expect(page.locator("#photo .alert")).to_contain_text("It is asked again by itself", timeout=PATIENCE)
    page.unroute("**/upload*")
    done(page)
    expect(page.locator("#photo .name")).to_have_text(PORTRAIT.name)
    expect(page.locator("#photo .alert")).to_have_text("")
