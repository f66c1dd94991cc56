"""One's own model through the real browser: a file, its data, another page, Back, a refusal."""

import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import heading, metric, settle
from tests.opening.files import small_network

pytestmark = pytest.mark.browser
OWN = re.compile(r"model=my-net~")


def drop(page: Page, file: Path, place: int) -> None:
    """Choose a file at the `place`-th drop zone."""
    page.locator("input[type=file]:not([webkitdirectory])").nth(place).set_input_files(file)


def enter(page: Page, app: str) -> None:
    page.goto(f"{app}/own_model")
    expect(page.get_by_role("button", name="Choose a file", exact=True).first).to_be_visible()


@pytest.fixture
def network(tmp_path: Path) -> Path:
    file = tmp_path / "My Net.onnx"
    file.write_bytes(small_network())
    return file


def test_a_file_becomes_the_model_of_all_pages_and_back_leads_back(
    app: str, page: Page, network: Path, console_errors: list[str], foreign_requests: list[str]
) -> None:
    enter(page, app)
    drop(page, network, 0)
    page.wait_for_url(OWN)
    expect(page.get_by_text("the largest difference is", exact=False)).to_be_visible()
    settle(page)
    expect(metric(page, "MACs")).to_have_text("240")
    page.get_by_role("link", name="Quantize", exact=True).first.click()
    expect(heading(page, "Quantize")).to_be_visible()
    page.wait_for_url(OWN)
    page.go_back()
    expect(heading(page, "Your own model")).to_be_visible()
    assert console_errors == []
    assert foreign_requests == []


def test_data_of_ones_own_are_looked_at_and_taken(
    app: str, page: Page, network: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "data.npz", x=rng.random((50, 16), np.float32), y=rng.integers(0, 4, 50))
    enter(page, app)
    drop(page, network, 0)
    page.wait_for_url(OWN)
    drop(page, tmp_path / "data.npz", 1)
    page.get_by_role("button", name="Judge by these 40 rows").click()
    expect(page.get_by_text("Judged by Accuracy", exact=False)).to_be_visible()
    settle(page)


def test_what_is_no_model_gives_a_sentence(app: str, page: Page, tmp_path: Path) -> None:
    poem = tmp_path / "poem.onnx"
    poem.write_text("Roses are red")
    enter(page, app)
    drop(page, poem, 0)
    expect(page.get_by_text("It cannot be opened")).to_be_visible()
    expect(page.get_by_text("no model", exact=False).first).to_be_visible()
