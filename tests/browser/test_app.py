"""The running app in Chromium: what AppTest cannot see."""

import json
import re
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Browser, Locator, Page, Route, expect

from compress_core import Prune, Quantize, compress, decode, from_json, load_model
from tests.browser.conftest import TIMEOUT_MS, choose, heading, metric, resting_box, settle, visit
from ui import words
from ui.session.snapshots import COOKIE

pytestmark = pytest.mark.browser
TITLES = (
    *("Overview", "Graph", "Learn", "Prune", "Channels", "Quantize", "Share weights", "Factorize"),
    *("Encode", "Combine", "Trade-offs"),
)
RECIPE = "prune:sparsity=0.8;quantize:bits=4"


def test_every_page_loads_in_peace(
    app: str, page: Page, console_errors: list[str], foreign_requests: list[str]
) -> None:
    visit(page, f"{app}/?recipe={RECIPE}")
    for title in TITLES:
        page.get_by_test_id("stSidebarNav").get_by_text(title, exact=True).click()
        expect(heading(page, title)).to_be_visible()
        settle(page)
        expect(page.get_by_test_id("stException")).to_have_count(0)
    assert console_errors == []
    assert foreign_requests == []


@pytest.mark.parametrize("widget", ["TextInput", "NumberInput"])
def test_a_page_left_before_its_widgets_have_loaded_keeps_the_recipe(
    app: str, page: Page, widget: str
) -> None:
    """As over a slow line: the code of a kind of widget comes after the page is drawn again."""
    late: list[Route] = []
    page.route(f"**/{widget}.*.js", lambda route: late.append(route))
    visit(page, f"{app}/prune?recipe=prune%3Asparsity%3D0.5", "Prune")
    for title in ("Overview", "Prune", "Prune"):
        page.get_by_test_id("stSidebarNav").get_by_text(title, exact=True).click()
        expect(heading(page, title)).to_be_visible()
        settle(page)
    for route in late:
        route.continue_()
    expect(page.get_by_role("spinbutton", name="Sparsity, %", exact=True)).to_have_value("50.0")
    field = page.get_by_role("textbox", name="Recipe as text")
    expect(field).to_have_value("prune:sparsity=0.5")
    choose(page, "Scope", "one")
    settle(page)
    expect(field).to_have_value("prune:sparsity=0.5")
    expect(page).to_have_url(re.compile("recipe=prune%3Asparsity%3D0.5"))


def test_a_cold_deep_link_has_the_frame_around_it(app: str, page: Page) -> None:
    visit(page, f"{app}/quantize?quantize_bits=4", "Quantize")
    expect(page.get_by_role("combobox", name="Model")).to_be_visible()
    expected = compress(load_model("digits-cnn"), (Quantize(bits=4),))
    expect(metric(page, "Size")).to_have_text(words.byte_size(expected.stored_bytes))


def test_the_slider_is_moved_by_the_keyboard_and_the_address_follows(app: str, page: Page) -> None:
    visit(page, f"{app}/prune?recipe=prune:sparsity=0.5", "Prune")
    page.get_by_role("slider", name="Sparsity", exact=True).press("ArrowRight")
    expect(metric(page, "Sparsity")).to_have_text("50.1 %")
    expect(page).to_have_url(re.compile(r"recipe=prune(:|%3A)sparsity(=|%3D)0\.501"))
    page.reload()
    expect(metric(page, "Sparsity")).to_have_text("50.1 %")


def test_the_address_that_the_app_wrote_is_understood(app: str, page: Page) -> None:
    visit(page, f"{app}/prune", "Prune")
    choose(page, "Scope", "one")
    choose(page, "Method", "random")
    expect(page).to_have_url(re.compile("prune_scope=one"))
    page.reload()
    settle(page)
    expect(page.get_by_test_id("stAlert")).to_have_count(0)
    expect(page.get_by_role("combobox", name="Scope", exact=True)).to_have_value("one")


def test_fast_key_presses_all_count(app: str, page: Page) -> None:
    visit(page, f"{app}/prune?recipe=prune:sparsity=0.2", "Prune")
    for _ in range(5):
        page.get_by_role("slider", name="Sparsity", exact=True).press("PageUp")
        page.wait_for_timeout(120)
    expect(recipe_field(page)).to_have_value("prune:sparsity=0.45")


def test_the_graph_page_does_not_scroll_by_itself(app: str, page: Page) -> None:
    visit(page, app)
    page.get_by_test_id("stSidebarNav").get_by_text("Graph", exact=True).click()
    after = page.locator("iframe[src*='graph-viewer']").nth(1).content_frame
    expect(after.locator("g.node").first).to_be_visible()
    page.wait_for_timeout(2000)  # Netron takes the focus, if it does, when all is drawn
    assert page.get_by_test_id("stMain").evaluate("main => main.scrollTop") == 0
    assert page.evaluate("document.activeElement.tagName") != "IFRAME"


def test_a_control_of_the_address_goes_over_into_the_recipe(app: str, page: Page) -> None:
    visit(page, f"{app}/quantize?quantize_bits=4", "Quantize")
    size = metric(page, "Size").inner_text()
    page.get_by_test_id("stSidebarNav").get_by_text("Prune", exact=True).click()
    expect(page.get_by_role("heading", name="Prune")).to_be_visible()
    settle(page)
    expect(page).to_have_url(re.compile("recipe=quantize"))
    page.reload()
    expect(metric(page, "Size")).to_have_text(size)


def test_back_undoes_a_setting(app: str, page: Page) -> None:
    visit(page, f"{app}/?recipe=quantize:bits=4")
    size = metric(page, "Size").inner_text()
    page.get_by_role("button", name="Start over").click()
    expect(metric(page, "Size")).not_to_have_text(size)
    page.go_back()
    expect(metric(page, "Size")).to_have_text(size)


def test_both_graphs_are_drawn(
    app: str, page: Page, console_errors: list[str], foreign_requests: list[str]
) -> None:
    visit(page, f"{app}/?recipe={RECIPE}")
    page.get_by_test_id("stSidebarNav").get_by_text("Graph", exact=True).click()
    frames = page.locator("iframe[src*='graph-viewer']")
    expect(frames).to_have_count(2)
    before, after = (frames.nth(i).content_frame for i in range(2))
    expect(before.locator("g.node", has_text="Conv")).to_have_count(2)
    expect(after.locator("g.node", has_text="DequantizeLinear")).to_have_count(4)
    assert console_errors == []
    assert foreign_requests == []


@pytest.mark.parametrize("press", ["click", "keyboard"])
def test_a_box_of_the_graph_page_leads_to_the_numbers_of_its_layer(
    app: str, page: Page, press: str
) -> None:
    visit(page, f"{app}/graph?recipe={RECIPE}", "Graph")
    box = page.get_by_role("button", name=re.compile("^fc1: .* zeros, changed"))
    if press == "click":
        box.click()
    else:
        box.press("Enter")
    row = page.locator(".layer-numbers tr[data-layer=fc1]")
    expect(row).to_be_in_viewport()
    expect(row).to_be_focused()
    page.get_by_role("button", name="bits", exact=True).click()
    expect(page.get_by_role("button", name=re.compile("^fc1: .* 4 bit, changed"))).to_be_visible()


def test_the_download_is_the_file_that_was_measured(app: str, page: Page, tmp_path: Path) -> None:
    visit(page, f"{app}/take_home?recipe={RECIPE}", "Take home")
    with page.expect_download() as started:
        page.get_by_role("button", name="Stored file", exact=True).click()
    file = tmp_path / "stored.safetensors"
    started.value.save_as(file)
    recipe = (Prune(sparsity=0.8), Quantize(bits=4))
    expected = compress(load_model("digits-cnn"), recipe).module.state_dict()
    state = decode(file.read_bytes()).state_dict
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[key], expected[key]) for key in state)
    expect(metric(page, "Size")).to_have_text(words.byte_size(file.stat().st_size))


def test_the_recipe_downloads_as_json(app: str, page: Page, tmp_path: Path) -> None:
    visit(page, f"{app}/take_home?recipe={RECIPE}", "Take home")
    with page.expect_download() as started:
        page.get_by_role("button", name="Recipe (JSON)", exact=True).click()
    file = tmp_path / "recipe.json"
    started.value.save_as(file)
    assert from_json(json.loads(file.read_text())) == (Prune(sparsity=0.8), Quantize(bits=4))


def expect_chosen(page: Page, column: int, row: int) -> None:
    table = page.get_by_test_id("stDataFrame").first
    cell = table.get_by_test_id(f"glide-cell-{column}-{row}")
    expect(cell).to_have_attribute("aria-selected", "true")
    expect(cell).to_be_focused()


def edit_cell(page: Page, text: str) -> None:
    """Into the chosen cell, as one types; Enter then goes to the cell below."""
    page.keyboard.press("Enter")
    expect(page.locator(".gdg-input")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type(text, delay=100)
    page.keyboard.press("Enter")


def test_cells_of_the_table_become_steps_and_the_focus_stays(app: str, page: Page) -> None:
    visit(page, f"{app}/combine?recipe={RECIPE}", "Combine")
    box = resting_box(page.get_by_test_id("stDataFrame").first)
    page.mouse.click(box["x"] + 25, box["y"] + 55)  # the name of the first layer
    for column in range(4):  # to what is pruned of it
        expect_chosen(page, column, row=0)
        page.keyboard.press("ArrowRight")
    expect_chosen(page, 4, row=0)
    edit_cell(page, "25")
    field = page.get_by_role("textbox", name="Recipe as text")
    held = r"prune:sparsity=0\.\d+;quantize:bits=4"  # the others stay as they are
    first = f"{held};prune:sparsity=0.25,scope=layer,layers=conv1"
    expect(field).to_have_value(re.compile(f"^{first}$"))
    settle(page)
    expect_chosen(page, 4, row=1)
    edit_cell(page, "50")
    expect(field).to_have_value(
        re.compile(f"^{first};prune:sparsity=0.5,scope=layer,layers=conv2$")
    )


def test_a_click_on_a_point_applies_its_recipe(app: str, page: Page) -> None:
    visit(page, f"{app}/trade_offs", "Trade-offs")
    strongest = resting_box(page.locator(".scatterlayer .trace").first.locator(".point").last)
    page.mouse.click(strongest["x"] + 4, strongest["y"] + 4)
    field = page.get_by_role("textbox", name="Recipe as text")
    expect(field).to_have_value("prune:sparsity=0.95")
    expect(metric(page, "Sparsity")).to_have_text("95.0 %")


def recipe_field(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Recipe as text")


def press(page: Page, key: str) -> None:
    button(page, key).click()


def button(page: Page, key: str) -> Locator:
    return page.locator(f"[class*=st-key-{key}]").get_by_role("button").first


def test_undo_after_five_moves_returns_to_the_first_state_exactly(app: str, page: Page) -> None:
    start = "quantize:bits=8"
    visit(page, f"{app}/prune?recipe={start}", "Prune")
    texts = [start]
    for _ in range(5):
        page.get_by_role("slider", name="Sparsity", exact=True).press("PageUp")
        expect(recipe_field(page)).not_to_have_value(texts[-1])
        settle(page)
        texts.append(recipe_field(page).input_value())
    for text in texts[4::-1]:
        press(page, "undo")
        expect(recipe_field(page)).to_have_value(text)
    expect(metric(page, "Sparsity")).to_have_text(re.compile(r"^[0-9]\.\d %"))
    expect(button(page, "undo")).to_be_disabled()
    for text in texts[1:]:
        press(page, "redo")
        expect(recipe_field(page)).to_have_value(text)


def test_the_list_of_steps_follows_the_browsers_back(app: str, page: Page) -> None:
    visit(page, f"{app}/?recipe=quantize:bits=4")
    press(page, "start_over")
    expect(page.get_by_text("Nothing yet")).to_be_visible()
    page.go_back()
    expect(
        page.get_by_text("quantize to 4 bit, symmetric, per channel", exact=True)
    ).to_be_visible()
    press(page, "undo")
    expect(page.get_by_text("Nothing yet")).to_be_visible()


def test_a_snapshot_survives_page_switches_and_a_reload(app: str, page: Page) -> None:
    visit(page, f"{app}/?recipe={RECIPE}")
    press(page, "pin")
    expect(page.get_by_role("button", name="Snapshots: 1")).to_be_visible()
    settle(page)
    press(page, "start_over")
    expect(recipe_field(page)).to_have_value("")
    settle(page)
    page.get_by_test_id("stSidebarNav").get_by_text("Quantize", exact=True).click()
    expect(page.get_by_role("heading", name="Quantize")).to_be_visible()
    settle(page)
    page.reload()
    settle(page)
    expect(recipe_field(page)).to_have_value("")
    page.get_by_role("button", name="Snapshots: 1").click()
    press(page, "snapshot_apply")
    expect(recipe_field(page)).to_have_value(RECIPE)


def test_two_browsers_see_neither_each_others_snapshots_nor_recipe(
    app: str, page: Page, browser: Browser
) -> None:
    visit(page, f"{app}/?recipe={RECIPE}")
    press(page, "pin")
    expect(page.get_by_role("button", name="Snapshots: 1")).to_be_visible()
    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        context.set_default_timeout(TIMEOUT_MS)
        other = context.new_page()
        visit(other, app)
        expect(recipe_field(other)).to_have_value("")
        expect(other.get_by_role("button", name="Snapshots")).to_have_count(0)
        press(other, "pin")
        expect(other.get_by_role("button", name="Snapshots: 1")).to_be_visible()
        other_key = key_in_cookie(other)
    page.reload()
    expect(page.get_by_role("button", name="Snapshots: 1")).to_be_visible()
    expect(recipe_field(page)).to_have_value(RECIPE)
    assert key_in_cookie(page) not in ("", other_key)
    assert key_in_cookie(page) not in page.url


def key_in_cookie(page: Page) -> str:
    """What the browser keeps to find its snapshots again; a script writes it after the pin."""
    for _ in range(100):
        kept = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
        if COOKIE in kept:
            return kept[COOKIE]
        page.wait_for_timeout(100)
    raise AssertionError(f"no cookie {COOKIE} in {kept}")


def test_presenter_mode_is_large_and_folds_the_sidebar(app: str, page: Page) -> None:
    visit(page, app)
    before = metric(page, "Accuracy").bounding_box()
    visit(page, f"{app}/?present=1")
    after = metric(page, "Accuracy").bounding_box()
    assert before
    assert after
    assert after["height"] > 1.4 * before["height"]
    expect(page.get_by_test_id("stSidebarNav")).not_to_be_in_viewport()
    expect(page.get_by_text("As a table")).to_have_count(0)
    expect(page).to_have_url(re.compile("present=1"))
