"""The report is opened from a disk, in a browser without a network."""

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.ui.take_home.test_report import digits_facts, hostile_facts
from ui.take_home.report import html_report

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("facts", "plots"), [(digits_facts, 8), (hostile_facts, 5)])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_draws_its_plots_offline(
    browser: Browser, tmp_path: Path, facts, plots: int, theme
) -> None:
    file = tmp_path / "report.html"
    file.write_text(html_report(facts()), encoding="utf-8")
    context = browser.new_context(color_scheme=theme, offline=True)
    page, said, asked = context.new_page(), [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("request", lambda request: asked.append(request.url))
    page.route(re.compile("^(?!file:)"), lambda route: route.abort())
    page.goto(file.as_uri())
    expect(page.locator("figure .plot-container")).to_have_count(plots)
    expect(page.locator("figure .main-svg").first).to_be_visible()
    assert page.locator("figure:has(.main-svg)").count() == plots
    assert (said, asked) == ([], [file.as_uri()])
    context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, tmp_path: Path, theme) -> None:
    file = tmp_path / "report.html"
    file.write_text(html_report(digits_facts()), encoding="utf-8")
    context = browser.new_context(color_scheme=theme, bypass_csp=True)  # axe is a script, too
    page = context.new_page()
    page.goto(file.as_uri())
    expect(page.locator("figure .plot-container")).to_have_count(8)
    found = Axe().run(page).response["violations"]
    assert [(rule["id"], rule["nodes"][0]["html"]) for rule in found] == []
    context.close()


def test_on_paper_it_is_light(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(html_report(digits_facts()), encoding="utf-8")
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(file.as_uri())
    title = page.locator("#plane .xtitle")
    expect(title).to_have_css("fill", "rgb(228, 232, 237)")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    expect(title).to_have_css("fill", "rgb(29, 35, 43)")
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    expect(title).to_have_css("fill", "rgb(228, 232, 237)")
    context.close()
