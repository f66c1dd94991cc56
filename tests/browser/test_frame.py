"""Cause and effect in one glance: what stands above the fold, and that nothing jumps."""

import re

import pytest
from playwright.sync_api import Browser, FloatRect, Locator, Page, expect

from compress_core.recipe import parse_recipe
from compress_core.search.curves import load_curves
from tests.browser.conftest import TIMEOUT_MS, metric, resting_box, settle, visit

pytestmark = pytest.mark.browser
PAGES = {
    "prune": ("prune:sparsity=0.9", "Prune"),
    "quantize": ("quantize:bits=4", "Quantize"),
    "factorize": ("factorize:rank=20,layers=fc1", "Factorize"),
}
SHIFTS = """
window.shifts = [];
new PerformanceObserver(list => {
  for (const entry of list.getEntries())
    for (const source of entry.sources)
      window.shifts.push(`${source.node?.className} ${JSON.stringify(source.previousRect)} → ` +
        JSON.stringify(source.currentRect));
}).observe({ type: "layout-shift", buffered: false });
"""


def parts(page: Page) -> dict[str, Locator]:
    """What must be seen together."""
    return {
        "line of numbers": page.locator(".st-key-strip"),
        "control": page.locator(".st-key-pairs [data-testid=stElementContainer]").last,
        "picture": page.locator(".live .stage"),
        "handle": page.locator(".live .grip:visible").last,
        "rows": page.locator(".live .rows"),
        "small plane": page.locator(".live .plane"),
    }


def inside(part: FloatRect, width: int, height: int) -> bool:
    right, bottom = part["x"] + part["width"], part["y"] + part["height"]
    return min(part["x"], part["y"]) >= 0 and right <= width and bottom <= height


def overlap(one: FloatRect, other: FloatRect) -> bool:
    across = one["x"] < other["x"] + other["width"] and other["x"] < one["x"] + one["width"]
    return (
        across and one["y"] < other["y"] + other["height"] and other["y"] < one["y"] + one["height"]
    )


def assert_above_the_fold(page: Page, width: int, height: int) -> None:
    found = {name: resting_box(part) for name, part in parts(page).items()}
    assert [name for name, part in found.items() if not inside(part, width, height)] == []
    apart = ("line of numbers", "control", "picture", "rows", "small plane")
    pairs = [(a, b) for i, a in enumerate(apart) for b in apart[i + 1 :]]
    assert [pair for pair in pairs if overlap(*(found[part] for part in pair))] == []


@pytest.mark.parametrize("name", PAGES)
def test_control_picture_rows_and_plane_stand_above_the_fold(
    app: str, page: Page, name: str
) -> None:
    recipe, title = PAGES[name]
    for present in ("", "&present=1"):
        visit(page, f"{app}/{name}?recipe={recipe}{present}", title)
        assert_above_the_fold(page, 1440, 900)
        page.emulate_media(color_scheme="dark" if not present else "light")
        page.wait_for_timeout(300)
        assert_above_the_fold(page, 1440, 900)


@pytest.mark.parametrize("name", PAGES)
def test_with_the_sidebar_folded_a_small_screen_will_do(
    app: str, browser: Browser, name: str
) -> None:
    page = browser.new_page(viewport={"width": 1024, "height": 768})
    page.set_default_timeout(TIMEOUT_MS)
    recipe, title = PAGES[name]
    visit(page, f"{app}/{name}?recipe={recipe}", title)
    page.get_by_test_id("stSidebarHeader").hover()
    page.get_by_role("button", name="Collapse sidebar").click()
    page.wait_for_timeout(600)
    assert_above_the_fold(page, 1024, 768)
    page.close()


def test_on_a_phone_the_picture_is_on_the_first_screen(app: str, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.set_default_timeout(TIMEOUT_MS)
    visit(page, f"{app}/prune?recipe=prune:sparsity=0.9", "Prune")
    found = {name: resting_box(part) for name, part in parts(page).items()}
    assert inside(found["picture"], 390, 844)
    assert inside(found["handle"], 390, 844)
    assert found["line of numbers"]["height"] <= 100
    page.close()


def test_nothing_jumps_while_a_release_is_answered(app: str, page: Page) -> None:
    visit(page, f"{app}/prune?recipe=prune:sparsity=0.5", "Prune")
    page.wait_for_timeout(1500)
    page.evaluate(SHIFTS)
    size = metric(page, "Size").text_content() or ""
    page.locator(".live").get_by_role("button", name="95 %").click()
    expect(metric(page, "Size")).not_to_have_text(size)
    settle(page)
    expect(page.get_by_text("exact, n = 600")).to_be_visible()
    page.wait_for_timeout(500)
    assert page.evaluate("window.shifts") == []


def estimates(page: Page) -> list[str]:
    marked = page.locator(".strip [data-estimate]")
    return [part.get_attribute("data-strip") or "" for part in marked.all()]


def test_while_one_drags_the_numbers_are_estimates_and_after_the_release_measured(
    app: str, page: Page
) -> None:
    visit(page, f"{app}/prune?recipe=prune:sparsity=0.5", "Prune")
    plane = page.locator(".live .side > div").last
    expect(plane).to_have_attribute("data-own", re.compile("measured"))
    grip = resting_box(page.locator(".live .grip").last)
    x, y = grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 35, y, steps=8)
    expect(plane).to_have_attribute("data-own", re.compile("estimate"))
    page.wait_for_timeout(300)  # the last frame
    assert set(estimates(page)) >= {"score", "bytes", "sparsity"}
    guess = [float(text) for text in (plane.get_attribute("data-own") or "").split()[:2]]
    page.mouse.up()
    expect(plane).to_have_attribute("data-own", re.compile("measured"))
    expect(page.get_by_text("exact, n = 600")).to_be_visible()
    real = [float(text) for text in (plane.get_attribute("data-own") or "").split()[:2]]
    assert estimates(page) == []
    assert guess[0] == pytest.approx(real[0], rel=0.05)
    assert guess[1] == pytest.approx(real[1], abs=0.02)


def test_a_drag_that_is_given_up_brings_the_measured_numbers_back(app: str, page: Page) -> None:
    visit(page, f"{app}/prune?recipe=prune:sparsity=0.5", "Prune")
    grip = resting_box(page.locator(".live .grip").last)
    page.mouse.move(grip["x"] + 5, grip["y"] + 5)
    page.mouse.down()
    page.mouse.move(grip["x"] + 90, grip["y"] + 5, steps=5)
    assert estimates(page)
    page.keyboard.press("Escape")
    page.mouse.up()
    page.wait_for_timeout(200)
    assert estimates(page) == []


def test_a_click_on_the_curve_applies_that_point(app: str, page: Page) -> None:
    visit(page, f"{app}/prune?recipe=quantize:bits=4", "Prune")
    point = page.locator(".live .point").nth(4)
    point.click()
    field = page.get_by_role("textbox", name="Recipe as text")
    expect(field).to_have_value("prune:sparsity=0.5")
    settle(page)
    row = load_curves("digits-cnn").rows[parse_recipe("prune:sparsity=0.5")]
    expect(page.locator(".strip .bytes .tip")).to_contain_text(f"{row['stored_bytes']:,} bytes")


def test_zeros_that_a_later_step_makes_are_not_foreseen(app: str, page: Page) -> None:
    visit(
        page, f"{app}/prune?recipe=prune:sparsity=0.5;quantize:bits=3,granularity=tensor", "Prune"
    )
    expect(page.get_by_text("exact, n = 600")).to_be_visible()
    before = float((page.locator(".strip .score").get_attribute("data-values") or "").split()[0])
    page.get_by_role("slider", name="Threshold").focus()
    page.keyboard.down("PageUp")  # a long press: nothing is released yet
    marked = page.locator(".strip .sparsity[data-estimate] .what")
    expect(marked).to_have_attribute("data-text", "…")
    own = page.locator(".live .side > div").last.get_attribute("data-own") or ""
    assert float(own.split()[1]) < before + 0.005  # pruning more is no gain
    page.keyboard.up("PageUp")
