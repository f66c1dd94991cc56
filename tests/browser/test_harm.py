"""Who got hurt: heading, counts and images tell of one state, however fast the state changes."""

import re

import pytest
from playwright.sync_api import Page, expect

from compress_core import Prune, compress, load_dataset, load_model
from compress_core.measurement.harm import answers, flips
from tests.browser.conftest import settle, visit

pytestmark = pytest.mark.browser
SEEN = """
window.seen = [];
new MutationObserver(() => {
  const panel = [...document.querySelectorAll(".tiles")].at(-1);
  if (panel) seen.push([panel.querySelector("p").innerText, panel.querySelectorAll("img").length]);
}).observe(document.body, { childList: true, subtree: true, characterData: true });
"""


def changed(sentence: str) -> int:
    found = re.match(r"([\d,]+) image", sentence)
    return int(found.group(1).replace(",", "")) if found else 0


def test_as_many_images_as_the_heading_says_at_any_moment(app: str, page: Page) -> None:
    visit(page, f"{app}/prune?recipe=prune:sparsity=0.95", "Prune")
    page.get_by_text("Who got hurt").scroll_into_view_if_needed()
    panel = page.locator(".tiles").last
    expect(panel).to_contain_text("changed their answer")
    page.evaluate(SEEN)
    for sparsity in ("90 %", "50 %", "95 %", "80 %") * 3:
        page.locator(".live").get_by_role("button", name=sparsity).click()
        page.wait_for_timeout(250)
    settle(page)
    expect(panel.locator("img")).to_have_count(hurt(0.8))
    expect(panel).to_contain_text(f"{hurt(0.8)} images of 600")
    seen = page.evaluate("window.seen")
    assert len({text for text, _ in seen}) > 1
    assert [(text, n) for text, n in seen if n != min(12, changed(text))] == []


def hurt(sparsity: float) -> int:
    images, original = load_dataset("digits"), load_model("digits-cnn")
    before = answers(original.module, images)
    after = answers(compress(original, (Prune(sparsity=sparsity),)).module, images)
    return len(flips(before, after, images))
