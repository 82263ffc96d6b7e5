"""axe-core on every tab, in light, dark and forced colours; and the keyboard alone."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser.conftest import NARROW, PORTRAIT, WIDE, done, upload
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


@pytest.mark.parametrize(
    "media, screen",
    [({"color_scheme": "light"}, WIDE), ({"color_scheme": "dark"}, NARROW), ({"forced_colors": "active"}, WIDE)],
    ids=["light", "dark, narrow", "forced colours"],
)
def test_nothing_critical_or_serious_is_found(page, media, screen):
    page.set_viewport_size(screen)
    page.emulate_media(**media)
    page.reload()
    done(page)
    found = findings(page)
    upload(page, PORTRAIT)
    done(page)
    page.get_by_role("button", name="Finer settings").click()
    page.get_by_role("radio", name="Ombré").check()
    page.get_by_text("Difference", exact=True).click()
    found += findings(page)
    page.get_by_text("Wipe", exact=True).click()
    page.click("[data-do=brush]")
    found += findings(page)
    page.keyboard.press("Escape")
    page.click("[data-do=enlarge]")
    found += findings(page)
    page.keyboard.press("Escape")
    for tab in ("Live", "What pretraining is worth", "Models", "Use it elsewhere"):
        page.get_by_role("tab", name=tab).click()
        found += findings(page)
    assert found == []


def test_every_control_is_reached_by_the_keyboard_and_shows_its_focus(page):
    upload(page, PORTRAIT)
    done(page)
    reached, focus = [], "[document.activeElement.id, document.activeElement.outerHTML.slice(0, 120)].join()"
    page.evaluate("document.activeElement.blur()")
    for _ in range(75):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(focus))
        if not reached[-1].startswith(",<body"):  # the end of the page
            style = page.evaluate(
                "(() => { const at = document.activeElement, near = at.closest('label, .frame') || at;"
                " return [at, near].map(e => getComputedStyle(e)).map(s => s.outlineStyle + s.boxShadow).join() })()"
            )
            assert "solid" in style or "rgb" in style or "auto" in style, reached[-1]
    for name in (
        "swatch-violet,",
        "chart-button,",
        "card-button,",
        'data-do="brush"',
        'data-zoom="in"',
        'data-example="cat"',
        'class="cut"',
    ):
        assert any(name in place for place in reached), name


def test_the_options_of_one_question_are_one_stop_and_arrows_change_them(page):
    page.locator(".views input").first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".views input").nth(1)).to_be_checked()
    expect(page.locator("#overlay canvas")).to_be_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.views')") is None


def test_forced_colours_show_what_is_chosen(page):
    page.emulate_media(forced_colors="active")
    page.click("#swatch-violet")
    done(page)
    style = "element => getComputedStyle(element)"
    colour = page.locator("#swatch-violet .thumbnail").evaluate(f"element => ({style})(element).backgroundColor")
    assert colour == "rgb(107, 73, 149)"
    chosen = page.locator(".views label:has(:checked)").evaluate(f"element => ({style})(element).outlineStyle")
    assert chosen == "solid"
