"""Ten visitors at once on a real server: everybody gets the answers to their own recipe."""

import asyncio
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.browser import App, running_app
from benchmarks.visitor import Visitor
from compress_core import Original, compress, measure
from compress_core.data import Dataset
from compress_core.recipe import parse_recipe

MODEL, VISITORS = "digits-mlp", 10
PAGES = ("prune", "quantize", "share_weights", "combine", "encode")
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def app() -> Iterator[App]:
    with running_app() as found:
        yield found


def recipe_of(number: int) -> str:
    return f"prune:sparsity={0.5 + number / 25:g}"


def label_of(recipe: str) -> str:
    """How the page calls this state of the model."""
    return f"{zlib.crc32(f'{MODEL} {recipe}'.encode()):08x}"


async def learn(origin: str, number: int) -> Visitor:
    """One visitor turns to a page, types a recipe, and waits until it is measured on all images."""
    visitor = await Visitor.enter(origin)
    await visitor.open("prune", f"model={MODEL}")
    await visitor.turn_to(PAGES[number % len(PAGES)])
    await visitor.wait(lambda: visitor.whole_runs > 1, PATIENCE_S)
    recipe = recipe_of(number)
    await visitor.set("recipe_typed", recipe)
    await visitor.wait(lambda: is_exact(visitor, label_of(recipe)), PATIENCE_S)
    await visitor.look_down(PATIENCE_S)
    await visitor.leave()
    return visitor


def is_exact(visitor: Visitor, label: str) -> bool:
    score = visitor.numbers.get("score")
    return score is not None and score.of == label and "exact" in score.below


async def attend(origin: str) -> list[Visitor]:
    return await asyncio.gather(*(learn(origin, number) for number in range(VISITORS)))


def test_everybody_gets_the_answers_to_their_own_recipe(
    app: App, digits_mlp: Original, digits: Dataset
) -> None:
    with ThreadPoolExecutor(1) as apart:  # a browser test may keep a loop running in this thread
        visitors = apart.submit(asyncio.run, attend(app.origin)).result()
    for number, visitor in enumerate(visitors):
        assert visitor.errors == []
        report = measure(compress(digits_mlp, parse_recipe(recipe_of(number))), digits)
        size, score = visitor.numbers["bytes"], visitor.numbers["score"]
        assert size.of == score.of == label_of(recipe_of(number))
        assert size.values == (report.size.stored_bytes,)
        assert score.values == (report.score.value, report.score.low, report.score.high, 600)


async def cross_in_flight(origin: str) -> Visitor:
    """While the page shows a new threshold, a message of another part of it is on its way, with
    the old one; the next message has what is shown."""
    visitor = await Visitor.enter(origin)
    await visitor.open("prune", f"model={MODEL}")
    await visitor.set("recipe_typed", "prune:sparsity=0.7")
    await visitor.wait(lambda: is_exact(visitor, label_of("prune:sparsity=0.7")), PATIENCE_S)
    shown = visitor.value("prune_threshold")
    assert shown > 0
    for value in (0.0, shown):
        await visitor.set("prune_threshold", value, within="recipe_typed")
        await visitor.wait(lambda: False, 1.0)  # both at once would be merged
    await visitor.look_down(PATIENCE_S)
    await visitor.leave()
    return visitor


def test_what_a_page_shows_is_not_taken_for_an_edit_when_the_browser_says_it_again(
    app: App,
) -> None:
    with ThreadPoolExecutor(1) as apart:
        visitor = apart.submit(asyncio.run, cross_in_flight(app.origin)).result()
    assert visitor.numbers["bytes"].of == label_of("prune:sparsity=0.7")
