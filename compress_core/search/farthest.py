"""As far as it goes: the strongest setting of one step whose loss stays below what is allowed.

The step's main number moves over a grid from mild to strong; its other fields and the other steps
stay. The search starts from the points that are known, halves the gap between the strongest that
passes and the next that fails, and then checks whether a still stronger one passes after all.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from compress_core.compressed import compress
from compress_core.measurement.losses import allowed_loss
from compress_core.methods.low_rank import Factorize, full_rank, worthwhile_rank
from compress_core.methods.pruning import Prune
from compress_core.methods.quantization import BITS
from compress_core.methods.step import ALL_LAYERS
from compress_core.original import Original
from compress_core.recipe import Recipe, format_recipe
from compress_core.search.sweep import Row
from compress_core.steps import TRAINING, AnyStep
from compress_core.tasks import METRICS, MetricName

TOLERANCE = 0.005  # half a point of a share
CHECKS = 2  # settings beyond the strongest that passes which must fail
Number = int | float
PERCENTS = tuple(i / 100 for i in range(1, 100))
# A step's main number is the first of these fields that it gives; its grid goes from mild to
# strong. The grid of a rank depends on the layers.
GRIDS: dict[str, tuple[Number, ...]] = {
    "sparsity": (*PERCENTS, 0.993, 0.995, 0.997, 0.999),
    "sigmas": tuple(i / 10 for i in range(1, 41)),
    "pruning_ratio": PERCENTS,
    "energy": PERCENTS[::-1],
    "budget": PERCENTS[::-1],
    "rank": (1,),
    "clusters": (256, 192, 128, 96, 64, 48, 32, 24, 16, 12, 10, 8, 7, 6, 5, 4, 3, 2),
    "bits": BITS[::-1],
    "n": tuple(range(31, 0, -1)),
}
# (recipe, fraction of the search that is done) → its row
Look = Callable[[Recipe, float], Row]


@dataclass(frozen=True)
class Grid:
    """The recipes from mild to strong that differ in the number `field` of the step at `index`."""

    field: str
    index: int
    recipes: tuple[Recipe, ...]


@dataclass(frozen=True)
class Tried:
    """A setting that was measured: its number, its recipe's text, what it loses of the metric with
    the bounds of the paired interval, and the bytes of its file. `lost` and the rest are None where
    it was refused."""

    number: Number
    recipe: str
    lost: float | None
    lost_low: float | None
    lost_high: float | None
    stored_bytes: int | None


@dataclass(frozen=True)
class Farthest:
    """What a search found: all that is known of the grid of `field`, from mild to strong. `best` is
    the strongest that loses less than `allowed` of the metric on `n` rows; None if none does."""

    metric: MetricName
    field: str
    index: int
    allowed: float
    n: int
    tried: tuple[Tried, ...]
    best: Tried | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def farthest_from_json(data: Mapping[str, Any]) -> Farthest:
    """What `as_dict` gave. Raises KeyError or TypeError for anything else."""
    best = None if data["best"] is None else Tried(**data["best"])
    tried = tuple(Tried(**row) for row in data["tried"])
    return Farthest(**{**data, "best": best, "tried": tried})


def with_number(step: AnyStep) -> AnyStep:
    """The step with its main number as one of GRIDS, at the mild end: steps that differ in it alone
    become equal.

    A threshold becomes the sparsity of all layers together, break-even an energy. Raises ValueError
    for a step without such a number.
    """
    if isinstance(step, Prune) and step.threshold is not None:
        step = replace(step, threshold=None, sparsity=PERCENTS[0], scope="global")
    if isinstance(step, Factorize) and step.rank == step.energy == step.budget:
        step = replace(step, energy=PERCENTS[-1])
    mild = GRIDS[number_field(step)][0]
    moved: AnyStep = replace(step, **_at(step, mild))
    return moved


def number_field(step: AnyStep) -> str:
    """The field of a step's main number. Raises ValueError where it has none."""
    given = (name for name in GRIDS if getattr(step, name, None) is not None)
    found = next(given, None)
    if found is None or step.kind == TRAINING:
        raise ValueError(
            f"{type(step).__name__} has no number to search over; name a step with one of "
            f"{', '.join(GRIDS)} that does not train"
        )
    return found


def _at(step: AnyStep, number: Number) -> dict[str, Any]:
    """The changes that set the main number; of N:M, n stays below m."""
    field = number_field(step)
    return {field: min(number, step.m - 1) if field == "n" else number}  # type: ignore[union-attr]


def step_to_move(recipe: Recipe, kind: str) -> int | None:
    """Where the step of a kind stands whose number can be moved: the last for all layers, else the
    last; None without one."""
    places = [i for i, step in enumerate(recipe) if step.kind == kind]
    whole = [i for i in places if recipe[i].layers == ALL_LAYERS]
    return next(reversed(whole or places), None)


def last_movable(recipe: Recipe) -> int:
    """Where the last step stands that `check_movable` takes. Raises ValueError without one."""
    for index in reversed(range(len(recipe))):
        try:
            check_movable(recipe, index)
        except ValueError:
            continue
        return index
    raise ValueError(
        f"no step of {format_recipe(recipe) or 'an empty recipe'} has a number to search over; add "
        "one, such as prune:sparsity=0.5"
    )


def check_movable(recipe: Recipe, index: int) -> None:
    """Raise ValueError where there is no such step, where it has no number, or is trained later."""
    if not 0 <= index < len(recipe):
        raise ValueError(
            f"step {index + 1} is none of the recipe's {len(recipe)}; name one of them"
        )
    number_field(with_number(recipe[index]))
    if any(step.kind == TRAINING for step in recipe[index:]):
        raise ValueError(
            f"step {index + 1} stands before a training, which each setting would need anew; "
            "search in a recipe that ends before it"
        )


def grid_of(original: Original, recipe: Recipe, index: int) -> Grid:
    """All settings of the step at `index`. Raises ValueError where `check_movable` does."""
    check_movable(recipe, index)
    step = with_number(recipe[index])
    field = number_field(step)
    numbers = _ranks(original, recipe, index) if field == "rank" else GRIDS[field]
    found: dict[Recipe, None] = {}
    for number in numbers:
        try:
            moved = replace(step, **_at(step, number))
        except ValueError:  # a number that this step does not take
            continue
        found[(*recipe[:index], moved, *recipe[index + 1 :])] = None
    return Grid(field, index, tuple(found))


def _ranks(original: Original, recipe: Recipe, index: int) -> tuple[int, ...]:
    """From the largest rank that makes any of the step's layers smaller down to 1."""
    step = with_number(recipe[index])
    assert isinstance(step, Factorize)
    thinnest = (*recipe[:index], step, *recipe[index + 1 :])
    act = compress(original, thinnest).act_of(index)
    if act is None:
        raise ValueError(f"later steps replace step {index + 1} in every layer; move it to the end")
    shapes = [act.before.layers[name].layer.shape for name in act.names]
    most = max(worthwhile_rank(shape, step.form) for shape in shapes)
    return tuple(range(most or max(full_rank(shape, step.form) for shape in shapes), 0, -1))


def farthest(
    grid: Grid, look: Look, known: Mapping[Recipe, Row], *, tolerance: float = TOLERANCE
) -> Farthest:
    """The strongest setting of a grid that loses less than `tolerance` allows.

    `look` measures a recipe; `known` are rows that need no measurement. All rows are
    `Report.as_dict()` on the same data, or say why they were refused. Raises ValueError for a
    tolerance that allows nothing, and where every setting was refused, with the reason.
    """
    if not tolerance > 0:
        raise ValueError(f"tolerance={tolerance} allows no loss; 0.005 is half a point")
    rows = {i: known[recipe] for i, recipe in enumerate(grid.recipes) if recipe in known}
    measured = 0
    while (wanted := _next(rows, len(grid.recipes), tolerance)) is not None:
        place, left = wanted
        rows[place] = look(grid.recipes[place], measured / (measured + left))
        measured += 1
    return _found(grid, rows, tolerance)


def _next(rows: Mapping[int, Row], count: int, tolerance: float) -> tuple[int, int] | None:
    """The setting to measure next, and about how many are left; None at the end."""
    low = max((i for i, row in rows.items() if _passes(row, tolerance)), default=-1)
    high = min((i for i in rows if i > low), default=count)
    checks = [i for i in range(high, min(high + CHECKS, count)) if i not in rows]
    if high - low > 1:
        return (low + high) // 2, (high - low - 1).bit_length() + max(1, len(checks))
    return (checks[0], len(checks)) if checks else None


def _passes(row: Row, tolerance: float) -> bool:
    if "refused" in row:
        return False
    lost = METRICS[row["metric"]].lost(row["difference"])
    allowed = allowed_loss(row["metric"], row[f"baseline_{row['metric']}"], tolerance)
    return bool(lost < allowed)


def _found(grid: Grid, rows: Mapping[int, Row], tolerance: float) -> Farthest:
    answered = [row for row in rows.values() if "refused" not in row]
    if not answered:
        raise ValueError(next(iter(rows.values()))["refused"])
    places = sorted(rows)
    tried = {i: _tried(grid, i, rows[i]) for i in places}
    passing = [i for i in places if _passes(rows[i], tolerance)]
    metric: MetricName = answered[0]["metric"]
    return Farthest(
        metric=metric,
        field=grid.field,
        index=grid.index,
        allowed=allowed_loss(metric, answered[0][f"baseline_{metric}"], tolerance),
        n=answered[0]["n"],
        tried=tuple(tried.values()),
        best=tried[passing[-1]] if passing else None,
    )


def _tried(grid: Grid, place: int, row: Row) -> Tried:
    recipe = grid.recipes[place]
    number = getattr(recipe[grid.index], grid.field)
    if "refused" in row:
        return Tried(number, format_recipe(recipe), None, None, None, None)
    lost = METRICS[row["metric"]].lost
    low, high = sorted(lost(row[f"difference_{bound}"]) for bound in ("low", "high"))
    return Tried(
        number, format_recipe(recipe), lost(row["difference"]), low, high, row["stored_bytes"]
    )
