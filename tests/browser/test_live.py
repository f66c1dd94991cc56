"""The live picture in Chromium: it follows the drag alone, and the core's numbers replace it."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, WebSocket, expect

from compress_core import Factorize, Prune, Quantize, compress, load_model
from compress_core.measurement.report import measure_size
from compress_core.methods.low_rank import Form, energy_curve, parameter_count
from compress_core.methods.quantization import Quantized
from compress_core.recipe import parse_step
from compress_core.steps import AnyStep
from compress_core.views.summaries import PrunedLayer, pruned_layer
from tests.browser.conftest import metric, resting_box, settle, visit
from ui import words

pytestmark = pytest.mark.browser
MODEL = "digits-cnn"


def live(page: Page) -> Locator:
    return page.locator(".live")


def number(page: Page, name: str) -> float:
    """A number that the component's root carries."""
    return float(live(page).get_attribute(f"data-{name}") or "nan")


def open_live(page: Page, address: str, title: str) -> None:
    visit(page, address, title)
    expect(live(page)).to_have_attribute("data-value", re.compile(r"\d"))
    resting_box(live(page))


def recipe_text(page: Page) -> str:
    return page.get_by_role("textbox", name="Recipe as text").input_value()


def step(page: Page, before: str) -> AnyStep:
    """The step that the release wrote, in place of the recipe `before`."""
    expect(page.get_by_role("textbox", name="Recipe as text")).not_to_have_value(before)
    settle(page)
    return parse_step(recipe_text(page))


@pytest.fixture
def drag(page: Page) -> Callable[[Locator, float], int]:
    """Drag an element by some pixels without letting go; returns the messages sent meanwhile."""
    messages: list[object] = []

    def watch(socket: WebSocket) -> None:
        socket.on("framesent", lambda frame: messages.append(frame))
        socket.on("framereceived", lambda frame: messages.append(frame))

    page.on("websocket", watch)

    def move(grip: Locator, by: float) -> int:
        box = resting_box(grip)
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        before = len(messages)
        page.mouse.move(x + by, y, steps=20)
        page.wait_for_timeout(200)
        return len(messages) - before

    return move


def cuts(found: Prune) -> dict[str, PrunedLayer]:
    layers = compress(load_model(MODEL), (found,)).layers
    return {name: pruned_layer(stored) for name, stored in layers.items()}


def test_dragging_the_threshold_prunes_as_the_core_does(
    app: str, page: Page, drag: Callable[[Locator, float], int], console_errors: list[str]
) -> None:
    before = "prune:sparsity=0.5"
    open_live(page, f"{app}/prune?recipe={before}", "Prune")
    assert drag(page.locator(".live .grip").last, 60) == 0
    during, size = number(page, "sparsity"), metric(page, "Size").inner_text()
    assert during > 0.55
    assert recipe_text(page) == before
    page.mouse.up()
    found = step(page, before)
    assert isinstance(found, Prune)
    expect(metric(page, "Size")).not_to_have_text(size)
    weights = {name: layer.weight.numel() for name, layer in load_model(MODEL).layers.items()}
    exact = cuts(found)
    pruned = sum(cut.sparsity * weights[name] for name, cut in exact.items())
    assert number(page, "sparsity") == pytest.approx(pruned / sum(weights.values()), abs=1e-9)
    assert number(page, "value") == pytest.approx(max(c.threshold for c in exact.values()))
    assert during == pytest.approx(number(page, "sparsity"), abs=0.01)
    assert console_errors == []


def test_the_estimated_bytes_are_near_the_real_ones(
    app: str, page: Page, drag: Callable[[Locator, float], int]
) -> None:
    before = "prune:sparsity=0.5;quantize:bits=5"
    open_live(page, f"{app}/prune?recipe={before}", "Prune")
    with page.expect_response("**/profiles/**"):
        pass  # by and by the files at some sparsities are measured, and come as another profile
    page.wait_for_timeout(300)
    drag(page.locator(".live .grip").last, 60)
    estimate = live(page).locator("dd").last.inner_text()
    page.mouse.up()
    expect(live(page).locator("dd").last).not_to_have_text(re.compile("≈"))
    real = live(page).locator("dd").last.inner_text()
    value, unit = estimate.removeprefix("≈ ").split()
    assert unit == real.split()[1]
    assert float(value) == pytest.approx(float(real.split()[0]), rel=0.05)


def test_the_minus_line_mirrors_the_plus_line(
    app: str, page: Page, drag: Callable[[Locator, float], int]
) -> None:
    open_live(page, f"{app}/prune?recipe=prune:sparsity=0.5", "Prune")
    before = number(page, "value")
    drag(page.locator(".live .grip").first, -40)
    assert number(page, "value") > before
    page.mouse.up()


def test_the_bar_of_one_layer_makes_an_exception(
    app: str, page: Page, drag: Callable[[Locator, float], int]
) -> None:
    before = "prune:sparsity=0.5"
    open_live(page, f"{app}/prune?recipe={before}", "Prune")
    drag(page.get_by_role("slider", name="Sparsity of conv2"), 25)
    page.mouse.up()
    field = page.get_by_role("textbox", name="Recipe as text")
    # the others keep what they had of the half
    pattern = r"prune:sparsity=0\.52\d+;prune:sparsity=0\.\d+,scope=layer,layers=conv2"
    expect(field).to_have_value(re.compile(pattern))


def test_a_layers_name_draws_that_layer(app: str, page: Page) -> None:
    open_live(page, f"{app}/prune?recipe=prune:sparsity=0.5", "Prune")
    live(page).get_by_role("button", name="conv1").click()
    expect(live(page).get_by_text("Weights of conv1")).to_be_visible()
    expect(page.get_by_text("Mask of conv1")).to_be_visible()


def test_a_late_answer_does_not_undo_a_later_move(app: str, page: Page) -> None:
    open_live(page, f"{app}/prune", "Prune")
    for snap in ("50 %", "80 %", "95 %"):
        live(page).get_by_role("button", name=snap, exact=True).click()
    field = page.get_by_role("textbox", name="Recipe as text")
    expect(field).to_have_value("prune:sparsity=0.95")
    settle(page)
    assert number(page, "sparsity") == pytest.approx(0.95, abs=1e-4)


def test_an_end_of_the_range_clips_there(
    app: str, page: Page, drag: Callable[[Locator, float], int], console_errors: list[str]
) -> None:
    before = "quantize:bits=4"
    open_live(page, f"{app}/quantize?recipe={before}", "Quantize")
    full = number(page, "limit")
    assert drag(page.locator(".live .grip").last, -80) == 0
    during = number(page, "limit")
    assert during < full
    page.mouse.up()
    found = step(page, before)
    assert isinstance(found, Quantize)
    assert (found.bits, found.clipping) == (4, "percentile")
    coded = compress(load_model(MODEL), (found,)).layers["fc1"].weights[0].codes
    assert isinstance(coded, Quantized)
    assert number(page, "limit") == pytest.approx(7 * float(coded.scale[0]), rel=1e-3)
    assert number(page, "limit") == pytest.approx(during, rel=0.05)
    assert console_errors == []


def test_bits_are_stepped_by_chip_and_by_key(app: str, page: Page) -> None:
    before = "quantize:bits=8"
    open_live(page, f"{app}/quantize?recipe={before}", "Quantize")
    live(page).get_by_role("button", name="3", exact=True).click()
    expect(live(page)).to_have_attribute("data-value", "3")
    assert step(page, before) == Quantize(bits=3)
    page.get_by_role("slider", name="Bits of a weight").press("ArrowRight")
    expect(live(page)).to_have_attribute("data-value", "4")
    assert step(page, "quantize:bits=3") == Quantize(bits=4)
    size = measure_size(compress(load_model(MODEL), (Quantize(bits=4),)))
    expect(metric(page, "Size")).to_have_text(words.byte_size(size.stored_bytes))


def test_the_rank_is_dragged_along_the_spectrum(
    app: str, page: Page, drag: Callable[[Locator, float], int], console_errors: list[str]
) -> None:
    before = "factorize:rank=40,layers=fc1"
    open_live(page, f"{app}/factorize?recipe={before}", "Factorize")
    assert drag(page.locator(".live .grip").last, -200) == 0
    during = int(number(page, "value"))
    assert during < 40
    page.mouse.up()
    found = step(page, before)
    assert found == Factorize(rank=during, layers=("fc1",))
    layer = load_model(MODEL).layers["fc1"]
    energy = energy_curve(layer.profile.spectrum)[during - 1]
    assert number(page, "value") == during
    assert number(page, "energy") == pytest.approx(energy, abs=1e-6)
    assert number(page, "weights") == parameter_count(layer.shape, during)
    assert console_errors == []


@pytest.mark.parametrize("form", ["spatial", "tucker"])
def test_weights_and_macs_of_a_form_follow_the_drag_exactly(
    app: str, page: Page, drag: Callable[[Locator, float], int], form: Form
) -> None:
    before = f"factorize:rank=20,form={form},layers=conv2"
    open_live(page, f"{app}/factorize?factorize_layer=conv2&recipe={before}", "Factorize")
    assert drag(page.locator(".live .grip").last, -150) == 0
    during = {name: number(page, name) for name in ("value", "weights", "macs")}
    assert during["value"] < 20
    page.mouse.up()
    found = step(page, before)
    assert found == Factorize(rank=int(during["value"]), form=form, layers=("conv2",))
    rows = measure_size(compress(load_model(MODEL), (found,))).layers
    row = next(row for row in rows if row.name == "conv2")
    assert (during["weights"], during["macs"]) == (row.parameters, row.macs)
    assert (number(page, "weights"), number(page, "macs")) == (row.parameters, row.macs)


def test_a_dragged_budget_is_spent_over_all_layers(
    app: str, page: Page, drag: Callable[[Locator, float], int], console_errors: list[str]
) -> None:
    before = "factorize:budget=0.6"
    address = f"{app}/factorize?factorize_scope=whole%20model&recipe={before}"
    open_live(page, address, "Factorize")
    assert drag(page.locator(".live .grip").last, -150) == 0
    during = number(page, "value"), number(page, "energy")
    assert during[0] < 0.5
    page.mouse.up()
    found = step(page, before)
    assert found == Factorize(budget=during[0])
    original = load_model(MODEL)
    rows = measure_size(compress(original, (found,))).layers
    dense = sum(layer.weight.numel() for layer in original.layers.values())
    assert number(page, "value") == pytest.approx(sum(row.parameters for row in rows) / dense)
    assert during[0] == pytest.approx(number(page, "value"), abs=0.02)
    assert during[1] == pytest.approx(number(page, "energy"), abs=0.02)
    assert console_errors == []


def test_the_keyboard_moves_the_rank(app: str, page: Page) -> None:
    before = "factorize:rank=40,layers=fc1"
    open_live(page, f"{app}/factorize?recipe={before}", "Factorize")
    slider = page.get_by_role("slider", name="Rank")
    expect(slider).to_have_attribute("aria-valuetext", "rank 40 of 64")
    slider.press("ArrowLeft")
    expect(live(page)).to_have_attribute("data-value", "39")
    slider.press("Shift+ArrowLeft")
    expect(live(page)).not_to_have_attribute("data-value", "39")
    rank = int(number(page, "value"))
    assert rank < 38
    field = page.get_by_role("textbox", name="Recipe as text")
    expect(field).to_have_value(f"factorize:rank={rank},layers=fc1")


def test_the_page_stays_where_it_was_scrolled(app: str, page: Page) -> None:
    before = "prune:sparsity=0.5"
    open_live(page, f"{app}/prune?recipe={before}", "Prune")
    main = page.get_by_test_id("stMain")
    main.evaluate("main => main.scrollTo(0, 150)")
    top = live(page).bounding_box()
    page.get_by_role("slider", name="Sparsity", exact=True).press("PageUp")
    step(page, before)
    assert main.evaluate("main => main.scrollTop") == 150
    assert live(page).bounding_box() == top


def test_a_finger_drags_as_a_mouse_does(app: str, page: Page) -> None:
    before = "prune:sparsity=0.5"
    open_live(page, f"{app}/prune?recipe={before}", "Prune")
    box = resting_box(live(page).get_by_role("slider", name="Sparsity", exact=True))
    touch = page.context.new_cdp_session(page)
    points = [(box["x"] + box["width"] * share, box["y"] + 8) for share in (0.5, 0.6, 0.7)]
    for kind, at in zip(("touchStart", "touchMove", "touchMove"), points, strict=True):
        touch.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": at[0], "y": at[1]}]},
        )
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    found = step(page, before)
    assert isinstance(found, Prune)
    assert found.sparsity == pytest.approx(0.7, abs=0.02)


def bars(page: Page) -> dict[str, str]:
    """The name and the number of each layer's row."""
    rows = live(page).locator(".row").all()
    return {row.locator(".name").inner_text(): row.locator(".number").inner_text() for row in rows}


def file_size(page: Page) -> float:
    """The bytes that the picture tells, in KB."""
    return float(live(page).locator("dd").last.inner_text().removeprefix("≈ ").split()[0])


def test_what_a_drag_of_one_layer_previews_is_what_comes(
    app: str, page: Page, drag: Callable[[Locator, float], int]
) -> None:
    before = "prune:sparsity=0.5;prune:sparsity=0.2,scope=layer,layers=conv2"
    open_live(page, f"{app}/prune?recipe={before}", "Prune")
    first = bars(page)
    drag(page.get_by_role("slider", name="Sparsity of fc1"), 20)
    preview, estimate = bars(page), file_size(page)
    page.mouse.up()
    expect(page.get_by_role("textbox", name="Recipe as text")).not_to_have_value(before)
    expect(live(page).locator("dd").last).not_to_have_text(re.compile("≈"))
    assert bars(page) == preview
    assert {name for name in first if preview[name] != first[name]} == {"fc1"}
    assert estimate == pytest.approx(file_size(page), rel=0.05)


def test_a_dragged_budget_moves_the_layers_without_a_rank_of_their_own(
    app: str, page: Page, drag: Callable[[Locator, float], int]
) -> None:
    before = "factorize:budget=0.5;factorize:rank=10,layers=fc1"
    open_live(page, f"{app}/factorize?factorize_scope=whole model&recipe={before}", "Factorize")
    first = bars(page)
    drag(page.locator(".live .grip"), -60)
    preview = {name: text.removeprefix("≈ ") for name, text in bars(page).items()}
    page.mouse.up()
    expect(page.get_by_role("textbox", name="Recipe as text")).not_to_have_value(before)
    expect(live(page).locator(".number").first).not_to_have_text(re.compile("≈"))
    after = bars(page)
    assert preview["fc1"] == first["fc1"] == after["fc1"]
    assert preview["conv2"] != first["conv2"]
    for name, text in preview.items():
        assert float(text.split()[0]) == pytest.approx(float(after[name].split()[0]), abs=4)
