"""The live picture of quantization in Chromium, where the core names the levels."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import choose, settle, visit

pytestmark = pytest.mark.browser


def open_page(page: Page, app: str, recipe: str, **query: str) -> None:
    more = "".join(f"&{key}={value}" for key, value in query.items())
    visit(page, f"{app}/quantize?recipe={recipe}{more}", "Quantize")
    expect(page.locator(".live")).to_have_attribute("data-value", re.compile("."))
    settle(page)


def readouts(page: Page) -> list[str]:
    return page.locator(".live dd").all_inner_texts()


def test_a_format_is_stepped_through_and_has_no_ends_to_drag(
    app: str, page: Page, console_errors: list[str]
) -> None:
    open_page(page, app, "quantize_float:format=nf4")
    assert readouts(page)[0] == "16"
    for grip in page.locator(".live .grip").all():
        expect(grip).to_be_hidden()
    page.locator(".live").get_by_role("button", name="fp8 e5m2", exact=True).click()
    field = page.get_by_role("textbox", name="Recipe as text")
    expect(field).to_have_value("quantize_float:format=fp8_e5m2")
    expect(page.locator(".live dd").first).to_have_text("247")
    assert console_errors == []


def test_a_microscaled_format_is_stepped_through(
    app: str, page: Page, console_errors: list[str]
) -> None:
    open_page(page, app, "quantize_mx:format=nvfp4")
    assert readouts(page)[0] == "15"
    page.locator(".live").get_by_role("button", name="mxfp6 e2m3", exact=True).click()
    field = page.get_by_role("textbox", name="Recipe as text")
    expect(field).to_have_value("quantize_mx:format=mxfp6_e2m3")
    expect(page.locator(".live dd").first).to_have_text("63")
    assert console_errors == []


def test_the_method_changes_what_is_stepped_through(
    app: str, page: Page, console_errors: list[str]
) -> None:
    open_page(page, app, "quantize:bits=2")
    choose(page, "Method", "ternary")
    expect(page.get_by_role("textbox", name="Recipe as text")).to_have_value("ternarize")
    expect(page.locator(".live .stepper .chip")).to_have_text(["2", "32"])
    expect(page.locator(".live dd").first).to_have_text("3")
    expect(page.locator(".live .legend")).to_contain_text("become zero")
    choose(page, "Method", "binary")
    expect(page.locator(".live .stepper .chip")).to_have_text(["1", "32"])
    expect(page.locator(".live .legend .pruned")).to_be_hidden()
    assert console_errors == []


def test_gptq_is_foreseen_as_rounding_and_then_measured(app: str, page: Page) -> None:
    open_page(page, app, "quantize_gptq:bits=4")
    exact = readouts(page)[3]
    page.get_by_role("slider", name="Bits of a weight").press("ArrowLeft")
    expect(page.locator(".live dd").nth(3)).to_have_text(re.compile("≈"))
    expect(page.get_by_role("textbox", name="Recipe as text")).to_have_value("quantize_gptq:bits=3")
    settle(page)
    expect(page.locator(".live dd").nth(3)).not_to_have_text(re.compile("≈"))
    assert readouts(page)[3] != exact
