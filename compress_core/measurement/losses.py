"""What a recipe loses against the original: whether that is too much, and by which step."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from compress_core.measurement.accuracy import PairedDifference
from compress_core.recipe import Recipe
from compress_core.steps import AnyStep
from compress_core.tasks import METRICS, MetricName

TOLERANCE = 0.01  # what may be lost without an alarm: a point of a share
MOST = 0.5  # the part of a loss that is most of it, whatever the other steps lost


@dataclass(frozen=True)
class Culprit:
    """The step at `index` of the recipe, with which most was lost: so much of the metric, on `n`
    rows where these are others than those of the whole loss."""

    step: AnyStep
    index: int
    lost: float
    n: int | None = None


@dataclass(frozen=True)
class Lost:
    """More of `metric` is lost than `allowed`, measured on `n` rows: at least `lost_low` with the
    95 % interval of the paired change. `culprit` is None where the recipe's steps were not measured
    one after the other."""

    metric: MetricName
    lost: float
    lost_low: float
    n: int
    allowed: float
    culprit: Culprit | None = None


def allowed_loss(metric: MetricName, baseline: float, tolerance: float = TOLERANCE) -> float:
    """How much worse a metric may become: for fractions `tolerance` itself, for perplexity that
    fraction of the original's."""
    return tolerance * (baseline if metric == "perplexity" else 1)


def too_much_lost(
    metric: MetricName,
    change: PairedDifference,
    baseline: float,
    tolerance: float = TOLERANCE,
) -> Lost | None:
    """The loss, if it is more than is allowed and its interval excludes that nothing was lost."""
    kind, allowed = METRICS[metric], allowed_loss(metric, baseline, tolerance)
    lost = kind.lost(change.difference)
    low = min(kind.lost(change.difference_low), kind.lost(change.difference_high))
    return Lost(metric, lost, low, change.n, allowed) if lost > allowed and low > 0 else None


def find_culprit(
    recipe: Recipe, metric: MetricName, differences: Sequence[float | None]
) -> Culprit | None:
    """The step with which most was lost.

    `differences` are those of the recipe's first step alone, of the first two, … against the
    original, all on the same rows; None for what was not measured. Then a step is named
    only if its own loss is most of the whole.
    """
    losses = [0.0, *(None if d is None else METRICS[metric].lost(d) for d in differences)]
    own = [
        None if before is None or after is None else after - before
        for before, after in pairwise(losses)
    ]
    known = [(loss, index) for index, loss in enumerate(own) if loss is not None]
    if not known or losses[-1] is None:
        return None
    most, index = max(known, key=lambda found: (found[0], -found[1]))
    if len(known) < len(own) and most < MOST * losses[-1]:
        return None
    return Culprit(recipe[index], index, most)
