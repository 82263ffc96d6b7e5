"""axe-core on every tab, in light and in dark, empty and with a photo; and the keyboard alone."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser.conftest import NARROW, PATIENCE, PORTRAIT, WIDE, done, upload
from playwright.sync_api import expect


def findings(page) -> list[str]:
    """What axe-core calls critical or serious, with the places."""
    page.wait_for_timeout(400)  # transitions of colours
    violations = Axe().run(page).response["violations"]
    return [
        f"{violation['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for violation in violations
        if violation["impact"] in ("critical", "serious")
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", [WIDE, NARROW], ids=["wide", "narrow"])
def test_nothing_critical_or_serious_is_found(page, scheme, screen):
    page.set_viewport_size(screen)
    page.emulate_media(color_scheme=scheme)
    page.reload()
    expect(page.locator("#networks [role=status]")).to_have_text("", timeout=PATIENCE)
    found = findings(page)
    upload(page, PORTRAIT)
    done(page)
    page.get_by_role("button", name="Finer settings").click()
    found += findings(page)
    page.click("#touch-up-button")
    found += findings(page)
    page.keyboard.press("Escape")
    page.locator("#pretrained-mask .picture").click()
    found += findings(page)
    page.keyboard.press("Escape")
    for tab in ("Live", "How good is it?", "Models", "Use it elsewhere") if screen == WIDE else ("Live",):
        page.get_by_role("tab", name=tab).click()
        found += findings(page)
    assert found == []


def test_everything_is_reached_by_the_keyboard_and_shows_it(page):
    upload(page, PORTRAIT)
    done(page)
    reached, page_focus = [], "document.activeElement.closest('[id]')?.id + '/' + document.activeElement.tagName"
    page.evaluate("document.activeElement.blur()")
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(page_focus))
        if not reached[-1].endswith("/BODY"):  # the end of the page
            style = page.evaluate(
                "(() => { const at = document.activeElement, near = at.closest('label, .before-after') || at;"
                " return [at, near].map(e => getComputedStyle(e)).map(s => s.outlineStyle + s.boxShadow).join() })()"
            )
            assert "solid" in style or "rgb" in style or "auto" in style, reached[-1]
    for name in ("touch-up-button", "swatch-violet", "sheet-button", "card-button"):
        assert any(place.startswith(f"{name}/") for place in reached), name
    assert any("INPUT" in place for place in reached)


def test_the_options_of_one_question_are_one_stop_and_arrows_change_them(page):
    upload(page, PORTRAIT)
    done(page)
    mask = page.locator("#random-mask img").get_attribute("src")
    page.locator("#view input").first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#view input").nth(1)).to_be_checked()
    expect(page.locator("#random-mask img")).not_to_have_attribute("src", mask)  # the outline
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('#view')") is None
