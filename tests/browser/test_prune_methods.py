"""Pruning by a score in Chromium: no line to drag, but the share; N:M has neither."""

import re

import pytest
from playwright.sync_api import Page, expect

from compress_core import compress, load_model
from compress_core.methods.pruning import PruneTaylor, PruneWanda
from compress_core.views.summaries import pruned_layer
from tests.browser.conftest import resting_box
from tests.browser.test_live import live, number, open_live, recipe_text, step

pytestmark = pytest.mark.browser


def shares(page: Page) -> list[float]:
    """The sparsity that is written beside each layer's bar, in percent."""
    texts = live(page).locator(".row .number").all_inner_texts()
    return [float(text.removesuffix(" %")) for text in texts]


@pytest.mark.parametrize(
    "before",
    [
        "prune_taylor:sparsity=0.5",
        "prune_wanda:sparsity=0.5",
        "prune_wanda:sparsity=0.5,scope=layer",
    ],
)
def test_dragging_the_share_foretells_every_layer(
    app: str, page: Page, before: str, console_errors: list[str]
) -> None:
    open_live(page, f"{app}/prune?recipe={before}", "Prune")
    expect(live(page).locator(".grip").last).to_be_hidden()
    box = resting_box(live(page).locator(".bar .track"))
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 0.33 * box["width"], y, steps=10)
    page.wait_for_timeout(200)
    during = shares(page)
    assert number(page, "sparsity") > 0.8
    page.mouse.up()
    found = step(page, before)
    assert isinstance(found, PruneTaylor | PruneWanda)
    done = compress(load_model("digits-cnn"), (found,)).layers.values()
    exact = [round(100 * pruned_layer(stored).sparsity, 1) for stored in done]
    expect(live(page).locator("dd").last).not_to_have_text(re.compile("≈"))
    assert shares(page) == pytest.approx(exact, abs=0.051)
    assert during == pytest.approx(exact, abs=0.5)
    assert console_errors == []


def test_a_pattern_leaves_nothing_to_drag(app: str, page: Page) -> None:
    open_live(page, f"{app}/prune?recipe=prune_nm", "Prune")
    expect(live(page).locator(".grip").last).to_be_hidden()
    expect(live(page).locator(".chips")).to_be_hidden()
    track = page.get_by_role("slider", name="Sparsity of fc1")
    expect(track).to_have_attribute("aria-disabled", "true")
    track.click(position={"x": 5, "y": 5}, force=True)
    page.wait_for_timeout(500)
    assert shares(page) == [44.4, 50.0, 50.0, 50.0]
    assert recipe_text(page) == "prune_nm"
