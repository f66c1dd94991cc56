"""For those who do not see the pictures or use no mouse: axe, names, the way to the handle."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import heading, settle, visit
from tests.whole_app import PAGES

pytestmark = pytest.mark.browser
TITLES = {
    "overview": "Overview",
    "own_model": "Your own model",
    "graph": "Graph",
    "learn": "Learn",
    "class_answers": "Class answers",
    "prune": "Prune",
    "structured": "Channels",
    "quantize": "Quantize",
    "share_weights": "Share weights",
    "factorize": "Factorize",
    "recover": "Recover",
    "encode": "Encode",
    "combine": "Combine",
    "trade_offs": "Trade-offs",
    "take_home": "Take home",
    "checkpoint": "Checkpoint",
}
RECIPE = "prune:sparsity=0.9;quantize:bits=4"
# What Streamlit draws itself and gives no say in:
NOT_OURS = [
    # its navigation is a list whose sections stand between the list and its items
    ["[data-testid=stSidebarNavItems]"],
]
FOCUSED = """() => {
  let found = document.activeElement;
  while (found.shadowRoot?.activeElement) found = found.shadowRoot.activeElement;
  return `${found.getAttribute("role")} ${found.getAttribute("aria-label")}`;
}"""


def open_whole(page: Page, address: str, title: str) -> None:
    """The page with all that is drawn only when somebody scrolls to it."""
    visit(page, address, title)
    main = page.get_by_test_id("stMain")
    at, before = 0, -1
    while at != before:
        before = at
        at = main.evaluate("main => { main.scrollBy(0, 600); return main.scrollTop; }")
        page.wait_for_timeout(500)
        settle(page)


def violations(page: Page, *rules: str) -> list[str]:
    """What axe calls serious or critical by all rules, contrast of AA included, or by those named;
    with the first culprit."""
    options: dict[str, object] = {"resultTypes": ["violations"], "iframes": False}  # Netron's own
    if rules:
        options["runOnly"] = list(rules)
    found = Axe().run(page, context={"exclude": NOT_OURS}, options=options)
    grave = (v for v in found.response["violations"] if v["impact"] in ("serious", "critical"))
    return [f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in grave]


def test_every_page_is_looked_at() -> None:
    assert sorted(TITLES) == PAGES


@pytest.mark.parametrize("name", TITLES)
def test_axe_finds_nothing_serious_in_light_and_in_dark(app: str, page: Page, name: str) -> None:
    address = "" if name == "overview" else name
    open_whole(page, f"{app}/{address}?recipe={RECIPE}", TITLES[name])
    assert violations(page) == []
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(1000)
    settle(page)
    assert violations(page, "color-contrast") == []  # nothing else depends on the theme


MOVES = [
    ("prune", "Threshold", "PageUp"),
    ("quantize", "Bits of a weight", "ArrowLeft"),
    ("factorize", "Rank", "PageDown"),
]


@pytest.mark.parametrize(("name", "handle", "key"), MOVES)
def test_each_live_picture_says_what_it_shows_now(
    app: str, page: Page, name: str, handle: str, key: str
) -> None:
    visit(page, f"{app}/{name}?recipe={RECIPE}", TITLES[name])
    picture, plane = (page.locator(".live canvas").nth(i) for i in range(2))
    expect(picture).to_have_attribute("aria-label", re.compile(r".+: .*\d"))
    expect(plane).to_have_attribute("aria-label", re.compile(r"You are at [\d.]+ % in [\d.]+ KB"))
    before = picture.get_attribute("aria-label") or ""
    page.get_by_role("slider", name=handle, exact=True).press(key)
    expect(picture).not_to_have_attribute("aria-label", before)


def test_two_keys_lead_to_the_handle(app: str, page: Page) -> None:
    visit(page, f"{app}/prune?recipe={RECIPE}", "Prune")
    expect(page.locator(".live .grip").last).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the picture")).to_be_in_viewport()
    page.keyboard.press("Enter")
    assert page.evaluate(FOCUSED) == "slider Threshold"


def test_the_link_to_the_picture_goes_with_the_picture(app: str, page: Page) -> None:
    visit(page, f"{app}/prune", "Prune")
    link = page.get_by_role("link", name="To the picture")
    expect(link).to_have_count(1)
    page.get_by_test_id("stSidebarNav").get_by_text("Quantize", exact=True).click()
    expect(heading(page, "Quantize")).to_be_visible()
    expect(link).to_have_count(1)
    page.get_by_test_id("stSidebarNav").get_by_text("Graph", exact=True).click()
    expect(heading(page, "Graph")).to_be_visible()
    expect(link).to_have_count(0)


def test_buttons_of_an_icon_alone_are_called_by_what_they_do(app: str, page: Page) -> None:
    visit(page, f"{app}/?recipe={RECIPE}")
    side = page.get_by_test_id("stSidebar")
    for name in ("Remove step 1. prune", "Remove step 2. quantize", "Undo", "Redo"):
        expect(side.get_by_role("button", name=name)).to_be_visible()
    side.get_by_role("button", name="Remove step 2").click()
    expect(page.get_by_role("textbox", name="Recipe as text")).to_have_value("prune:sparsity=0.9")
