"""The app in Chinese as a browser shows it: which language it opens in, the switch, every page."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.browser.conftest import TIMEOUT_MS, choose, metric, settle
from tests.browser.test_accessibility import violations
from tests.browser.test_app import recipe_field
from tests.browser.test_frame import PAGES as FRAMES
from tests.browser.test_frame import assert_above_the_fold
from tests.whole_app import PAGES
from ui.language import catalog

pytestmark = pytest.mark.browser
RECIPE = "prune:sparsity=0.9;quantize:bits=4"
ENGLISH = re.compile(r"[A-Za-z]{2,}(?: [a-z]{2,}){2,}")
OF_STREAMLIT = {"Choose an option", "1MB per file", "Copy to clipboard"}  # it has no other words
# Every text that is drawn on the page or tells of it, in its own line: of shadow trees and figures
# too, but no code, no formula, no option of Streamlit's own (`stElementToolbar`), no other site.
TEXTS = """() => {
  const found = [];
  const told = ["aria-label", "title", "alt", "placeholder", "data-estimated"];
  const others = "code, pre, style, script, .katex, iframe, [data-testid=stElementToolbar], " +
    "[data-testid=stSidebarHeader]";
  const look = node => {
    if (node.nodeType === Node.TEXT_NODE) found.push(node.textContent.trim());
    if (node.nodeType === Node.ELEMENT_NODE) {
      if (node.matches(others)) return;
      found.push(...told.map(name => node.getAttribute(name)));
      if (node.shadowRoot) look(node.shadowRoot);
    }
    node.childNodes.forEach(look);
  };
  for (const part of ["stMain", "stSidebar"])
    look(document.querySelector(`[data-testid=${part}]`));
  return found.filter(Boolean);
}"""


def in_chinese(text: str) -> str:
    return catalog("zh").gettext(text)


def opened(browser: Browser, locale: str, size: ViewportSize) -> Iterator[Page]:
    context = browser.new_context(viewport=size, locale=locale)
    context.set_default_timeout(TIMEOUT_MS)
    yield context.new_page()
    context.close()


@pytest.fixture
def chinese(browser: Browser) -> Iterator[Page]:
    """A page in a browser that asks for Chinese."""
    yield from opened(browser, "zh-CN", {"width": 1440, "height": 900})


@pytest.fixture(scope="module")
def tall(browser: Browser) -> Iterator[Page]:
    """The same, so high that everything is in view."""
    yield from opened(browser, "zh-CN", {"width": 1440, "height": 5000})


def visit(page: Page, address: str) -> None:
    """`conftest.visit`, whatever the heading is called."""
    page.goto(address)
    expect(page.get_by_role("heading", level=1).first).to_be_visible()
    rest(page)


def rest(page: Page) -> None:
    expect(metric(page, "Accuracy")).to_have_text(re.compile(r"%|—"))
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)


def switch_to(page: Page, name: str) -> None:
    page.get_by_role("radio", name=name, exact=True).click()


def assert_is_in(page: Page, spoken: str) -> None:
    """Navigation, mark of the page and switch are in one language."""
    name = {"zh": in_chinese("Prune"), "en": "Prune"}[spoken]
    expect(page.get_by_test_id("stSidebarNav").get_by_text(name, exact=True)).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", {"zh": "zh-Hans", "en": "en"}[spoken])
    chosen = page.get_by_role("radio", checked=True).filter(has_text=re.compile("English|中文"))
    expect(chosen).to_have_text({"zh": "中文", "en": "English"}[spoken])


def test_a_chinese_browser_opens_in_chinese_and_back_and_forward_follow_the_switch(
    app: str, chinese: Page
) -> None:
    visit(chinese, app)
    assert_is_in(chinese, "zh")
    assert "lang" not in chinese.url
    switch_to(chinese, "English")
    expect(chinese).to_have_url(re.compile("lang=en"))
    assert_is_in(chinese, "en")
    chinese.go_back()
    assert_is_in(chinese, "zh")
    chinese.go_forward()
    assert_is_in(chinese, "en")
    switch_to(chinese, "中文")
    assert_is_in(chinese, "zh")
    expect(chinese).not_to_have_url(re.compile("lang"))


def test_the_switch_is_seen_without_scrolling_and_each_page_keeps_what_it_chose(
    app: str, page: Page
) -> None:
    visit(page, app)
    assert_is_in(page, "en")
    expect(page.get_by_role("radio", name="中文")).to_be_in_viewport(ratio=1)
    switch_to(page, "中文")
    assert_is_in(page, "zh")
    for name in ("Quantize", "Prune"):
        page.get_by_test_id("stSidebarNav").get_by_text(in_chinese(name), exact=True).click()
        expect(page).to_have_url(re.compile(f"{name.lower()}.*lang=zh"))
        assert_is_in(page, "zh")
    page.go_back()
    expect(page).to_have_url(re.compile("quantize.*lang=zh"))
    assert_is_in(page, "zh")
    page.reload()
    assert_is_in(page, "zh")


def test_choices_and_recipe_stay_what_they_are_in_another_language(app: str, page: Page) -> None:
    visit(page, f"{app}/prune?recipe={RECIPE}")
    choose(page, "Method", "random")
    expect(recipe_field(page)).to_have_value(re.compile("random_prune"))
    settle(page)
    choose(page, "Layer", "conv2")
    settle(page)
    recipe = recipe_field(page).input_value()
    switch_to(page, "中文")
    assert_is_in(page, "zh")
    rest(page)
    boxes = page.get_by_test_id("stMain").get_by_role("combobox")
    expect(boxes.first).to_have_value(in_chinese("random"))
    switch_to(page, "English")
    assert_is_in(page, "en")
    settle(page)
    expect(boxes.first).to_have_value("random")
    expect(page.get_by_role("combobox", name="Layer", exact=True)).to_have_value("conv2")
    expect(recipe_field(page)).to_have_value(recipe)


def test_a_recipe_that_was_typed_counts_when_the_next_click_is_the_switch(
    app: str, page: Page
) -> None:
    visit(page, app)
    recipe_field(page).fill("prune:sparsity=0.5")
    switch_to(page, "中文")
    assert_is_in(page, "zh")
    expect(metric(page, "Sparsity")).to_have_text("50.0 %")
    expect(page).to_have_url(re.compile("lang=zh"))


def test_an_address_with_another_language_than_the_browsers(app: str, page: Page) -> None:
    visit(page, f"{app}/prune?lang=zh&recipe={RECIPE}")
    assert_is_in(page, "zh")
    visit(page, f"{app}/prune?lang=xx")
    assert_is_in(page, "en")
    expect(page.get_by_test_id("stAlert")).to_contain_text("lang=xx")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_in_chinese_has_no_english_sentence(app: str, tall: Page, name: str) -> None:
    errors: list[str] = []
    tall.on("pageerror", lambda error: errors.append(str(error)))
    visit(tall, f"{app}/{'' if name == 'overview' else name}?recipe={RECIPE}")
    tall.wait_for_timeout(1000)  # what is drawn when it is in view
    rest(tall)
    texts = tall.evaluate(TEXTS)
    assert any(re.search(r"[\u4e00-\u9fff]", text) for text in texts)
    assert [text for text in texts if ENGLISH.search(text) and text not in OF_STREAMLIT] == []
    main = tall.get_by_test_id("stMain")
    assert main.evaluate("main => main.scrollWidth <= main.clientWidth")
    assert errors == []


@pytest.mark.parametrize("name", FRAMES)
def test_control_picture_rows_and_plane_stand_above_the_fold_in_chinese(
    app: str, chinese: Page, name: str
) -> None:
    visit(chinese, f"{app}/{name}?recipe={FRAMES[name][0]}")
    assert_above_the_fold(chinese, 1440, 900)


def test_axe_finds_nothing_serious_in_chinese(app: str, chinese: Page) -> None:
    visit(chinese, f"{app}/prune?recipe={RECIPE}")
    assert violations(chinese) == []
