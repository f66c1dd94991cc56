"""The page of a checkpoint in Chromium: a drag, a choice, another tensor, and a clean log."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from safetensors.torch import save_file

from benchmarks.browser import running_app
from compress_core.checkpoint import Checkpoint, weigh_tensor
from compress_core.recipe import parse_recipe
from tests.browser.conftest import choose, complaints, heading
from tests.checkpoint.conftest import normal
from ui import words
from ui.checkpoint import chosen

pytestmark = pytest.mark.browser
NAME = "h.0.mlp.weight"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    path = tmp_path_factory.mktemp("checkpoint") / "model.safetensors"
    save_file({f"h.{i}.mlp.weight": normal(128, 96, seed=i).bfloat16() for i in range(3)}, path)
    return Checkpoint.open(path)


@pytest.fixture(scope="module")
def origin(checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app, started with the checkpoint; its log must stay free of complaints."""
    log = tmp_path_factory.mktemp("app") / "server.log"
    with pytest.MonkeyPatch.context() as patch, log.open("w") as output:
        patch.setenv(chosen.VARIABLE, str(checkpoint.path))
        patch.setenv("COMPRESS_PROFILES_DIR", str(log.parent / "profiles"))
        with running_app(log=output) as server:
            yield server.origin
    assert complaints(log) == []


def stored(checkpoint: Checkpoint, text: str, name: str = NAME) -> str:
    """The bytes of a tensor after some steps, as the page writes them."""
    found = weigh_tensor(checkpoint.entry(name), parse_recipe(text), pytest.fail)
    return words.byte_size(found.stored_bytes)


def open_page(page: Page, origin: str) -> None:
    page.goto(f"{origin}/checkpoint")
    expect(heading(page, "Checkpoint")).to_be_visible()
    expect(page.locator(".live")).to_have_attribute("data-value", re.compile("."))


def test_a_drag_and_a_choice_weigh_the_tensor_anew(
    origin: str,
    checkpoint: Checkpoint,
    page: Page,
    console_errors: list[str],
    foreign_requests: list[str],
) -> None:
    open_page(page, origin)
    bytes_of_tensor = page.get_by_test_id("stMetricValue").first
    expect(bytes_of_tensor).to_have_text(stored(checkpoint, "quantize:bits=4"))
    page.locator(".live").get_by_role("button", name="2", exact=True).click()
    expect(bytes_of_tensor).to_have_text(stored(checkpoint, "quantize:bits=2"))
    choose(page, "Method", "Prune")
    page.locator(".live").get_by_role("button", name="90 %", exact=True).click()
    expect(bytes_of_tensor).to_have_text(stored(checkpoint, "prune:sparsity=0.9,scope=layer"))
    expect(page.locator(".live .side")).to_be_hidden()
    expect(page.locator(".strip").first).to_be_hidden()
    assert console_errors == []
    assert foreign_requests == []


def test_another_tensor_of_the_group_is_drawn(
    origin: str, checkpoint: Checkpoint, page: Page, console_errors: list[str]
) -> None:
    open_page(page, origin)
    choose(page, "Tensor", "h.2.mlp.weight")
    expect(page.locator(".live header")).to_contain_text(["h.2.mlp.weight"])
    expected = stored(checkpoint, "quantize:bits=4", "h.2.mlp.weight")
    expect(page.get_by_test_id("stMetricValue").first).to_have_text(expected)
    assert console_errors == []
