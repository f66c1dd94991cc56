"""As far as it goes: the search on made-up losses, and on a real network against all settings."""

from collections.abc import Callable

import pytest

from compress_core.data import Dataset
from compress_core.measurement.scores import judge
from compress_core.original import Original
from compress_core.recipe import Recipe, format_recipe, parse_recipe
from compress_core.search.farthest import (
    GRIDS,
    Farthest,
    Grid,
    farthest,
    farthest_from_json,
    grid_of,
    last_movable,
    step_to_move,
    with_number,
)
from compress_core.search.sweep import Row, point

SPARSITIES = GRIDS["sparsity"]
GRID = Grid("sparsity", 0, tuple(parse_recipe(f"prune:sparsity={number}") for number in SPARSITIES))


def row(lost: float) -> Row:
    return {
        "metric": "accuracy",
        "baseline_accuracy": 0.99,
        "difference": -lost,
        "difference_low": -lost - 0.001,
        "difference_high": -lost + 0.001,
        "stored_bytes": 1000,
        "n": 10_000,
    }


class Bench:
    """Losses by sparsity, and what was asked for."""

    def __init__(self, loss: Callable[[float], float]) -> None:
        self.loss = loss
        self.asked: list[float] = []
        self.fractions: list[float] = []

    def look(self, recipe: Recipe, fraction: float) -> Row:
        self.asked.append(sparsity(recipe))
        self.fractions.append(fraction)
        return row(self.loss(sparsity(recipe)))

    def search(self, known: tuple[float, ...] = (), tolerance: float = 0.005) -> Farthest:
        rows = {r: row(self.loss(sparsity(r))) for r in GRID.recipes if sparsity(r) in known}
        return farthest(GRID, self.look, rows, tolerance=tolerance)


def sparsity(recipe: Recipe) -> float:
    found: float = recipe[0].sparsity  # type: ignore[union-attr, assignment]
    return found


def steady(end: float) -> Callable[[float], float]:
    """Nothing is lost up to an end, and a point beyond."""
    return lambda number: 0.0 if number <= end else 0.01


@pytest.mark.parametrize("end", [0.01, 0.5, 0.87, 0.995, 0.999])
def test_the_strongest_that_loses_less_is_found(end: float) -> None:
    found = Bench(steady(end)).search()
    assert found.best
    assert found.best.number == end


def test_it_measures_few_settings_and_two_beyond_the_end() -> None:
    bench = Bench(steady(0.87))
    found = bench.search()
    assert {0.87, 0.88, 0.89} <= set(bench.asked)
    assert len(bench.asked) <= 9
    assert len(found.tried) == len(bench.asked)
    assert bench.fractions == sorted(bench.fractions)
    assert all(0 <= fraction < 1 for fraction in bench.fractions)


def test_known_points_need_no_measurement() -> None:
    bench = Bench(steady(0.87))
    found = bench.search(known=(0.1, 0.5, 0.8, 0.9, 0.95))
    assert all(0.8 < number < 0.9 for number in bench.asked)
    assert len(found.tried) == len(bench.asked) + 5
    assert [tried.number for tried in found.tried] == sorted(t.number for t in found.tried)


def test_a_stronger_setting_that_passes_after_all_is_the_end() -> None:
    """Losses are measured: they need not grow with every step."""
    bench = Bench(lambda number: 0.01 if number == 0.88 or number > 0.9 else 0.0)
    found = bench.search(known=(0.87, 0.88))
    assert found.best
    assert found.best.number == 0.9


def test_where_all_lose_too_much_there_is_none() -> None:
    found = Bench(lambda _: 0.2).search()
    assert found.best is None
    assert found.tried[0].number == 0.01


def test_what_loses_exactly_the_tolerance_is_too_much() -> None:
    bench = Bench(lambda number: 0.005 if number > 0.5 else 0.0049)
    found = bench.search()
    assert found.best
    assert found.best.number == 0.5


def test_a_refused_setting_is_passed_over_and_told() -> None:
    def look(recipe: Recipe, _fraction: float) -> Row:
        return {"refused": "too thin"} if sparsity(recipe) > 0.4 else row(0.0)

    found = farthest(GRID, look, {})
    assert found.best
    assert found.best.number == 0.4
    assert found.tried[-1].lost is None


def test_where_all_are_refused_the_reason_is_the_error() -> None:
    with pytest.raises(ValueError, match="no layer can take it"):
        farthest(GRID, lambda *_: {"refused": "no layer can take it"}, {})


@pytest.mark.parametrize("tolerance", [0.0, -1.0, float("nan")])
def test_a_tolerance_that_allows_nothing_is_refused(tolerance: float) -> None:
    with pytest.raises(ValueError, match="allows no loss"):
        Bench(steady(0.5)).search(tolerance=tolerance)


def test_it_comes_back_from_json() -> None:
    for found in (Bench(steady(0.5)).search(), Bench(lambda _: 0.2).search()):
        assert farthest_from_json(found.as_dict()) == found


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("prune:sparsity=0.5", SPARSITIES),
        ("prune_wanda:sparsity=0.5,scope=row", SPARSITIES),
        ("prune:sigmas=1", GRIDS["sigmas"]),
        ("prune_structured:pruning_ratio=0.5", GRIDS["pruning_ratio"]),
        ("quantize:bits=4,granularity=group", (16, 8, 7, 6, 5, 4, 3, 2, 1)),
        ("share:clusters=4", GRIDS["clusters"]),
        ("prune_nm:n=2,m=4", (3, 2, 1)),
        ("factorize:energy=0.9", GRIDS["energy"]),
        ("factorize:rank=3,layers=fc1", tuple(range(56, 0, -1))),
    ],
)
def test_the_number_moves_and_all_else_stays(
    digits_cnn: Original, text: str, numbers: tuple[float, ...]
) -> None:
    recipe = parse_recipe(f"{text};quantize_rest")
    grid = grid_of(digits_cnn, recipe, 0)
    assert tuple(getattr(moved[0], grid.field) for moved in grid.recipes) == numbers
    assert {moved[1:] for moved in grid.recipes} == {recipe[1:]}
    assert len({with_number(moved[0]) for moved in grid.recipes}) == 1


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        ("prune:threshold=0.1,scope=layer", "prune:sparsity=0.01"),
        ("factorize", "factorize:energy=0.99"),
    ],
)
def test_what_has_no_number_of_a_grid_gets_one(text: str, moved: str) -> None:
    (step,) = parse_recipe(text)
    assert format_recipe((with_number(step),)) == moved


@pytest.mark.parametrize(
    ("text", "index", "said"),
    [
        ("binarize", 0, "Binarize has no number"),
        ("finetune:epochs=3", 0, "FineTune has no number"),
        ("prune:sparsity=0.5;finetune", 0, "stands before a training"),
        ("prune:sparsity=0.5", 1, "step 2 is none of the recipe's 1"),
    ],
)
def test_steps_that_cannot_move_are_refused(
    digits_cnn: Original, text: str, index: int, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        grid_of(digits_cnn, parse_recipe(text), index)


def test_the_step_to_move_is_the_one_for_all_layers() -> None:
    recipe = parse_recipe("prune:sparsity=0.5;quantize:bits=4;prune:sparsity=0.9,layers=fc1")
    assert [step_to_move(recipe, kind) for kind in ("prune", "quantize", "share")] == [0, 1, None]
    assert last_movable(recipe) == 2
    with pytest.raises(ValueError, match="no step of an empty recipe"):
        last_movable(())


def test_on_a_real_network_it_is_the_last_that_passes(
    digits_mlp: Original, digits: Dataset
) -> None:
    few = digits.subset(200)
    baseline = judge(digits_mlp, few).answers(digits_mlp.pristine)
    recipe = parse_recipe("prune:sparsity=0.5;quantize:bits=8")
    grid = grid_of(digits_mlp, recipe, 1)
    rows = {moved: point(digits_mlp, moved, few, baseline) for moved in grid.recipes}
    found = farthest(grid, lambda moved, _: rows[moved], {}, tolerance=0.02)
    passing = [moved for moved, measured in rows.items() if -measured["difference"] < 0.02]
    assert found.best
    assert found.best.recipe == format_recipe(passing[-1])
    assert found.best.stored_bytes == rows[passing[-1]]["stored_bytes"]
