"""The plane in Chromium: it grows while jobs measure, and they give way to clicks."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import visit

pytestmark = pytest.mark.browser


def choose_latency(page: Page) -> None:
    page.get_by_role("combobox", name="Cost (x)").click()
    page.get_by_role("option", name="latency").click()


def test_stop_keeps_what_is_measured_so_far(app: str, page: Page) -> None:
    visit(page, f"{app}/trade_offs", "Trade-offs")
    choose_latency(page)
    measure = page.get_by_role("button", name=re.compile("Measure the latency of"))
    expect(measure).to_contain_text("of 50 points")
    measure.click()
    # ten prunings share a structure; each factorization is exported first, which takes its time
    expect(page.get_by_test_id("stProgress")).to_contain_text(
        re.compile(r"(^|\D)([3-9]|[1-4]\d) of 50")
    )
    page.locator("[class*=st-key-trade_offs_stop]").get_by_role("button").click()
    expect(measure).to_contain_text(re.compile(r"of ([1-3]?\d|4[0-7]) points"))
    expect(page.get_by_test_id("stProgress")).to_have_count(0)
    expect(page.locator(".scatterlayer .trace").first).to_be_visible()


def test_a_method_can_be_chosen_while_others_are_measured(app: str, page: Page) -> None:
    visit(page, f"{app}/trade_offs?model=digits-mlp", "Trade-offs")
    choose_latency(page)
    page.get_by_role("button", name=re.compile("Measure the latency of")).click()
    expect(page.get_by_test_id("stProgress")).to_contain_text(re.compile(r"\d of 50"))
    # ten more points, which ship; their latencies do not
    page.get_by_role("button", name="random prune", exact=True).click()
    expect(page.get_by_role("button", name="Measure the latency of 10 points")).to_be_visible()
    expect(page.get_by_test_id("stProgress")).to_contain_text(re.compile("of 50"))
    page.locator("[class*=st-key-trade_offs_stop]").get_by_role("button").click()
    expect(page.get_by_test_id("stProgress")).to_have_count(0)
