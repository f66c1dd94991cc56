"""Back, forward, reload, a second tab, a restarted server: no error box, and the same controls."""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks.browser import free_port, running_app
from tests.browser.conftest import choose, complaints, heading, metric, settle, visit
from tests.browser.test_app import recipe_field

pytestmark = pytest.mark.browser
CHANGES = {  # what is chosen on each page; None: it has nothing to choose
    "Graph": None,
    "Prune": ("Method", "random"),
    "Channels": ("Importance", "l1"),
    "Quantize": ("Method", "float"),
    "Share weights": ("Codebook for", "one"),
    "Factorize": ("Ranks of", "whole model"),
    "Encode": ("Coders on", "total"),
    "Combine": ("Files in between", "coded after each stage"),
    "Trade-offs": ("Cost (x)", "MACs"),
}
PAGES = {  # address: heading, and what is chosen there
    "prune": ("Prune", "Scope", "one"),
    "structured": ("Channels", "Scope", "global"),
    "quantize": ("Quantize", "Method", "GPTQ"),
    "share_weights": ("Share weights", "Codebook for", "one"),
    "factorize": ("Factorize", "Ranks of", "whole model"),
    "encode": ("Encode", "Coders on", "total"),
    "combine": ("Combine", "Files in between", "coded after each stage"),
    "trade_offs": ("Trade-offs", "Cost (x)", "MACs"),
}

USUAL = {  # what is chosen there to begin with
    "prune": "global",
    "structured": "layer",
    "quantize": "affine",
    "share_weights": "layer",
    "factorize": "one layer",
    "encode": "layer",
    "combine": "plain until encoded",
    "trade_offs": "bytes",
}


def open_page(page: Page, title: str) -> None:
    page.get_by_test_id("stSidebarNav").get_by_text(title, exact=True).click()
    expect(heading(page, title)).to_be_visible()
    settle(page)


State = tuple[str, list[str], str, str]


def state(page: Page) -> State:
    """What one sees of a page that has come to rest: heading, choices, recipe, sparsity."""
    found = None
    for _ in range(20):
        page.wait_for_timeout(600)
        settle(page)
        expect(page.get_by_test_id("stException")).to_have_count(0)
        before, found = found, look(page)
        if found == before:
            return found
    pytest.fail(f"{page.url} does not come to rest")


def look(page: Page) -> State:
    chosen = [box.input_value() for box in page.get_by_role("combobox").all() if box.input_value()]
    title = page.get_by_role("heading", level=1).first.inner_text()
    return title, chosen, recipe_field(page).input_value(), metric(page, "Sparsity").inner_text()


def step_through(page: Page, move: Callable[[], object], times: int) -> list[State]:
    """The states of the page after each of some steps in the history."""
    states = []
    for _ in range(times):
        before = page.url
        move()
        expect(page).not_to_have_url(before)
        states.append(state(page))
    return states


def test_back_and_forward_over_all_pages_bring_every_state_again(app: str, page: Page) -> None:
    visit(page, f"{app}/?recipe=prune%3Asparsity%3D0.5")
    states = [state(page)]
    for title, change in CHANGES.items():
        open_page(page, title)
        states.append(state(page))
        if change:
            choose(page, *change)
            if title != "Trade-offs":  # its axis is not in the address
                states.append(state(page))
    last = states[-1]
    assert step_through(page, page.go_back, len(states) - 1) == states[-2::-1]
    assert step_through(page, page.go_forward, len(states) - 1)[:-1] == states[1:-1]
    assert state(page)[0] == last[0]


def test_pressing_back_again_and_again_without_waiting_ends_in_peace(app: str, page: Page) -> None:
    """Where it ends is Streamlit's affair: a late answer for a page that was left adds an entry."""
    visit(page, f"{app}/?recipe=prune%3Asparsity%3D0.5")
    for title, scope in (
        ("Prune", "Scope"),
        ("Quantize", "Scope"),
        ("Share weights", "Codebook for"),
    ):
        open_page(page, title)
        choose(page, scope, "one")
        state(page)
    page.evaluate("for (let i = 1; i <= 6; i++) setTimeout(() => history.back(), 150 * i)")
    page.wait_for_timeout(2000)
    assert state(page)[2] == "prune:sparsity=0.5"


@pytest.mark.parametrize(
    "leave",
    [
        "addEventListener('popstate', () => setTimeout(click), {once: true}); history.back()",
        "document.querySelector('[data-testid=stSidebarNav] a[href$=combine]').click();"
        "setTimeout(click)",
    ],
    ids=["back", "link"],
)
def test_a_click_in_a_page_that_was_just_left_does_not_blank_the_next_one(
    app: str, page: Page, leave: str
) -> None:
    visit(page, f"{app}/combine?recipe=prune%3Asparsity%3D0.5", "Combine")
    open_page(page, "Trade-offs")
    pin = page.locator("[class*=st-key-pin]").get_by_role("button").first.element_handle()
    page.evaluate(f"pin => {{ const click = () => pin.click(); {leave} }}", pin)
    expect(heading(page, "Combine")).to_be_visible()
    assert state(page)[0] == "Combine"
    expect(page).to_have_url(re.compile("/combine"))


def test_a_typo_costs_nothing(app: str, page: Page) -> None:
    visit(page, f"{app}/prune?recipe=quantize:bits=4", "Prune")
    field, typo = recipe_field(page), "prune:sparsty=0.9"
    state(page)
    before = unquote(page.url)
    field.fill(typo)
    field.press("Enter")
    expect(page.get_by_text("Not a recipe")).to_be_in_viewport()
    expect(field).to_be_in_viewport()
    expect(field).to_have_value(typo)
    assert unquote(page.url) == before
    expect(page.locator("[class*=st-key-undo]").get_by_role("button").first).to_be_disabled()
    field.fill("prune:sparsity=0.9")
    field.press("Enter")
    expect(page.get_by_text("Not a recipe")).to_have_count(0)
    expect(metric(page, "Sparsity")).to_have_text(re.compile("9[01]"))
    page.go_back()
    expect(field).to_have_value("quantize:bits=4")
    page.go_forward()
    expect(field).to_have_value("prune:sparsity=0.9")
    field.fill(typo)
    field.press("Enter")
    expect(page.get_by_text("Not a recipe")).to_be_visible()
    page.reload()
    expect(field).to_have_value("prune:sparsity=0.9")
    expect(page.get_by_text("Not a recipe")).to_have_count(0)


def test_back_leaves_a_page_although_something_is_pinned(app: str, page: Page) -> None:
    visit(page, f"{app}/?recipe=prune%3Asparsity%3D0.5")
    page.locator("[class*=st-key-pin]").get_by_role("button").first.click()
    expect(page.get_by_role("button", name="Snapshots: 1")).to_be_visible()
    open_page(page, "Prune")
    open_page(page, "Quantize")
    titles = ["Quantize"]
    while (
        titles[-1] != "Compress Explorer" and len(titles) < 6
    ):  # a page's address comes in two entries
        page.go_back()
        titles.append(state(page)[0])
    assert list(dict.fromkeys(titles)) == ["Quantize", "Prune", "Compress Explorer"]


@pytest.mark.parametrize("address", PAGES)
def test_a_reload_and_a_second_tab_show_the_same_controls(
    app: str, page: Page, address: str
) -> None:
    title, *change = PAGES[address]
    visit(page, f"{app}/{address}?recipe=prune%3Asparsity%3D0.5", title)
    choose(page, *change)
    shown = state(page)
    other = page.context.new_page()
    visit(other, page.url, title)
    page.reload()
    assert state(page)[2:] == state(other)[2:] == shown[2:]
    if address != "trade_offs":  # its axis is not in the address
        assert state(page) == state(other) == shown


@pytest.mark.parametrize(
    "query",
    [
        "prune?prune_scope=group&prune_method=Taylor&prune_layer=fc9",
        "prune?recipe=prune_wanda%3Asparsity%3D0.5&prune_method=random&prune_scope=global",
        "quantize?quantize_method=none&quantize_scope=&quantize_granularity=group",
        "share_weights?share_scope=&share_init=None&share_layer=",
        "factorize?factorize_scope=None&factorize_layer=embedding",
        "encode?encode_extent=None&encode_layer=0",
        "structured?structured_importance=None&structured_scope=1",
        "combine?combine_files=None",
    ],
)
def test_back_to_an_address_that_means_nothing_shows_the_usual_controls(
    app: str, page: Page, query: str
) -> None:
    visit(page, f"{app}/")
    page.evaluate("address => history.pushState({}, '', address)", f"{app}/{query}")
    page.evaluate("history.pushState({}, '', '/')")
    page.go_back()
    title, chosen, _, _ = state(page)
    assert title != "Compress Explorer"
    assert chosen


def test_tabs_that_were_open_while_the_server_was_restarted_go_on(
    browser: Browser, tmp_path: Path
) -> None:
    port, logs = free_port(), [tmp_path / "first.log", tmp_path / "second.log"]
    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        tabs = {address: context.new_page() for address in PAGES}
        with logs[0].open("w") as log, running_app(port=port, log=log) as app:
            for address, tab in tabs.items():
                title, *change = PAGES[address]
                tab.bring_to_front()  # in a tab behind nothing comes into view
                visit(tab, f"{app.origin}/{address}?recipe=prune%3Asparsity%3D0.5", title)
                choose(tab, *change)
        with logs[1].open("w") as log, running_app(port=port, log=log):
            for address, tab in tabs.items():
                tab.bring_to_front()
                expect(tab.get_by_test_id("stAppViewContainer")).to_be_visible()
                expect(tab.get_by_role("dialog")).to_have_count(0, timeout=60_000)
                settle(tab)
                title, label, _ = PAGES[address]
                choose(tab, label, USUAL[address])
                assert state(tab)[0] == title
    assert [complaints(log) for log in logs] == [[], []]
