"""The page for everyone: axe-core on every view, light and dark, 1280 and 400 pixels, by keyboard, without motion."""

from __future__ import annotations

import re

import pytest

import ramify

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")

expect = sync_api.expect
TEXT = "The river and the lake are toxic: sewage.\nA new act on the nurse, her ward, shift and licence. " * 3
LOOKS = [(1280, "light"), (1280, "dark"), (400, "light"), (400, "dark")]
OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true })"

OUTLINED = (
    "[document.activeElement, ...document.activeElement.children]"
    ".some(one => getComputedStyle(one).outlineStyle !== 'none')"
)


def check(page, width, name):
    """No violation, nothing wider than the screen, controls of at least 24 pixels, nothing written to the console."""
    found = axe.Axe().run(page)
    assert found.violations_count == 0, f"{name}: {found.generate_report()}"
    assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    small = page.evaluate(
        "[...document.querySelectorAll('button, select, input, [role=treeitem] > .row')].filter(one =>"
        " one.checkVisibility() && !one.closest('.spoken') && one.offsetHeight < 24).map(one => one.outerHTML)"
    )
    assert small == [], name
    assert page.messages == [], name


def tag(page):
    page.locator("#text").fill(TEXT)
    page.locator("#submit").click()
    page.locator(".label").first.wait_for()


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_no_barrier_in_any_view(opened, service, width, scheme):
    page = opened(service, width, scheme)
    page.get_by_role("button", name="Try an example").wait_for()
    check(page, width, "empty")
    tag(page)
    page.locator(".label .check").first.click()
    page.locator(".label .cross").nth(1).click()
    page.evaluate(OPEN_ALL)
    page.locator(".label-name").first.click()
    page.locator(".card-body").wait_for()
    check(page, width, "labels")
    page.locator("#add").fill("wat")
    page.locator("#add-options [role=option]").first.wait_for()
    page.keyboard.press("ArrowDown")
    check(page, width, "search")
    page.keyboard.press("Escape")
    page.get_by_label("Model", exact=True).select_option("neighbours")
    page.get_by_label("Number of labels").wait_for()
    check(page, width, "scores")
    page.get_by_role("link", name="Compare").click()
    page.locator(".comparison").wait_for()
    check(page, width, "compare")
    page.get_by_label("Model", exact=True).select_option("topics")
    page.get_by_role("link", name="Label tree").click()
    page.locator("#find").fill("water law")
    page.get_by_role("option", name="Water law").click()
    expect(page.locator(".tree [aria-selected=true]")).to_have_text("Water law")
    check(page, width, "tree")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_key_dialog_and_problems_have_no_barrier(opened, guarded, scheme):
    page = opened(guarded, 400, scheme)
    page.get_by_role("dialog").wait_for()
    page.messages.clear()  # Chromium reports the status 401
    check(page, 400, "dialog")
    page.keyboard.press("Escape")
    expect(page.get_by_role("alert")).to_contain_text("API key")
    page.messages.clear()
    check(page, 400, "problem")


def test_colours_follow_the_preference(opened, service):
    def lightness(scheme):
        root = opened(service, 1280, scheme).locator("html")
        colours = [root.evaluate(f"one => getComputedStyle(one).{name}") for name in ("backgroundColor", "color")]
        return [sum(map(float, re.findall(r"[\d.]+", colour)[:3])) / 765 for colour in colours]

    paper, ink = lightness("light")
    assert paper > 0.9 and ink < 0.2
    paper, ink = lightness("dark")
    assert paper < 0.2 and ink > 0.8


def tab_to(page, selector, steps=40):
    """Press Tab until an element has the focus, and see that the focus is visible."""
    for _ in range(steps):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            assert page.evaluate(OUTLINED)
            return
    raise AssertionError(f"Tab does not reach {selector}")


def test_documents_are_tagged_corrected_and_downloaded_by_keyboard(opened, service, tmp_path):
    page = opened(service)
    page.get_by_role("button", name="Try an example").wait_for()
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    tab_to(page, "#text")
    page.keyboard.insert_text(TEXT)
    page.keyboard.press("Control+Enter")
    page.locator(".label").first.wait_for()
    expect(page.locator("#edit")).to_be_focused()
    expect(page.get_by_role("status")).to_contain_text("for document 1")
    tab_to(page, "#operating-point")
    page.keyboard.press("End")
    tab_to(page, "#add")
    page.keyboard.type("elec", delay=10)
    page.locator("#add-options [role=option]").first.wait_for()
    page.keyboard.press("ArrowDown")
    active = page.locator("#add").get_attribute("aria-activedescendant")
    expect(page.locator(f"#{active}")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Added Élections.")
    expect(page.locator("#add")).to_be_focused()
    tab_to(page, ".label-name")
    page.keyboard.press("ArrowDown")
    accepted = page.evaluate("document.activeElement.querySelector('bdi').textContent")
    page.keyboard.press("a")
    expect(page.get_by_role("status")).to_have_text(f"{accepted}: accepted.")
    page.keyboard.press("Enter")
    page.locator(".card-body").wait_for()
    page.keyboard.press("Escape")
    tab_to(page, ".cross")
    page.keyboard.press("Space")
    assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
    page.keyboard.press("Space")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    page.locator("#documents button").focus()
    tab_to(page, "#export")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    download.value.save_as(tmp_path / "by-keyboard.jsonl")
    assert set(ramify.read(tmp_path / "by-keyboard.jsonl").labels_of(0)) == {accepted, "Élections"}


def test_the_tree_is_walked_by_keyboard(opened, service):
    page = opened(f"{service}#tree")
    page.locator(".tree [role=treeitem]").first.wait_for()
    tab_to(page, "[role=treeitem]")
    requests = len(page.requests)
    page.keyboard.press("ArrowRight")
    focused = page.locator(".tree :focus")
    expect(focused).to_have_attribute("aria-expanded", "true")
    assert len(page.requests) == requests + 1  # children are loaded when they are needed
    page.keyboard.press("ArrowRight")
    expect(focused).to_have_attribute("aria-level", "2")
    while focused.get_attribute("data-label") is None:
        page.keyboard.press("ArrowRight")
        if focused.get_attribute("data-label") is None:
            expect(focused).to_have_attribute("aria-expanded", "true")
            page.keyboard.press("ArrowRight")
    label = focused.get_attribute("data-label")
    page.keyboard.press("Enter")
    expect(page.locator(".tree-card h3")).to_have_text(label)
    page.keyboard.press("End")
    expect(focused).to_have_attribute("aria-level", "1")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowLeft")
    expect(focused).to_have_attribute("aria-expanded", "false")
    assert page.locator(".tree [tabindex='0']").count() == 1


def test_a_path_leads_to_its_place_in_the_tree(opened, service):
    page = opened(service)
    tag(page)
    name = page.locator(".label-name").first
    label = name.locator("bdi").inner_text()
    name.click()
    page.get_by_role("button", name="Show in the label tree").last.click()
    chosen = page.locator(".tree [aria-selected=true]")
    expect(chosen).to_have_text(label)
    expect(chosen).to_be_focused()
    page.go_back()
    expect(page.locator("#reading")).to_be_visible()


def test_nothing_moves_if_that_is_preferred(opened, service):
    page = opened(service)
    moving = (
        "[...document.querySelectorAll('button')].some(one => parseFloat(getComputedStyle(one).transitionDuration) > 0)"
    )
    assert page.evaluate(moving)
    page.emulate_media(reduced_motion="reduce")
    assert not page.evaluate(moving)


def test_without_scripts_the_page_names_the_api(opened, service):
    page = opened(service, scripts=False)
    assert "needs JavaScript" in page.locator("noscript").inner_text()


@pytest.mark.parametrize("width", [1280, 400])
def test_long_names_and_names_from_right_to_left_fit(opened, service, width):
    page = opened(service, width)
    tag(page)
    for name in ("x" * 500, "אבגד\N{RIGHT-TO-LEFT OVERRIDE}123"):
        page.locator("#add").fill(name)
        page.get_by_role("option", name="New label").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    boxes = page.locator(".label").evaluate_all("all => all.map(one => one.scrollWidth - one.clientWidth)")
    assert max(boxes) <= 1
