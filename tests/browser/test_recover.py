"""Recover in Chromium: a training lives in the server, not in the page."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from benchmarks.browser import running_app
from tests.browser.conftest import complaints, metric, visit

pytestmark = pytest.mark.browser

ADDRESS = "recover?model=digits-mlp&recipe=prune:sparsity=0.9;finetune:epochs="


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The app with jobs and results in folders of its own."""
    monkeypatch.setenv("COMPRESS_TRAINED_DIR", str(tmp_path / "trained"))
    monkeypatch.setenv("COMPRESS_JOBS_DIR", str(tmp_path / "jobs"))
    log = tmp_path / "server.log"
    with log.open("w") as output, running_app(log=output) as app:
        yield app.origin
    assert complaints(log) == []


def button(page: Page, name: str) -> Locator:
    return page.get_by_test_id("stMain").get_by_role("button", name=name, exact=True)


def test_a_training_goes_on_without_its_page(
    server: str, page: Page, browser: Browser, console_errors: list[str]
) -> None:
    visit(page, f"{server}/{ADDRESS}1000", "Recover")
    button(page, "Start").click()
    expect(metric(page, "Epoch")).to_have_text(re.compile(r"\d+ of 1000"))
    page.reload()
    expect(metric(page, "Epoch")).to_have_text(re.compile(r"\d+ of 1000"))
    page.close()
    context = browser.new_context()
    other = context.new_page()
    other.goto(f"{server}/{ADDRESS}1000")
    before = metric(other, "Epoch").inner_text()
    expect(metric(other, "Epoch")).not_to_have_text(before)
    expect(other.get_by_test_id("stMain").locator(".scatterlayer .trace").first).to_be_visible()
    button(other, "Stop").click()
    expect(other.get_by_test_id("stAlert")).to_contain_text("cancelled while it ran")
    context.close()
    assert console_errors == []


def test_what_was_trained_is_applied_by_itself(
    server: str, page: Page, console_errors: list[str]
) -> None:
    visit(page, f"{server}/{ADDRESS}2", "Recover")
    expect(metric(page, "Accuracy").first).to_contain_text("51.00 %")
    button(page, "Start").click()
    expect(metric(page, "Trained in")).to_be_visible()
    expect(metric(page, "Accuracy").first).to_contain_text("95.")
    page.get_by_text("Play", exact=True).click()
    expect(page.get_by_text("epoch 2: ")).to_be_visible()
    assert console_errors == []
