"""What is lost against the original: when it is too much, and which step is named."""

import pytest

from compress_core import Prune, Quantize
from compress_core.measurement.accuracy import PairedDifference
from compress_core.measurement.losses import (
    Culprit,
    Lost,
    allowed_loss,
    find_culprit,
    too_much_lost,
)
from compress_core.methods.weight_sharing import ShareWeights
from compress_core.tasks import METRICS, MetricName
from compress_core.views.alarms import Alarm
from compress_core.wording.alarms import alarm_in_words

RECIPE = (Prune(sparsity=0.9), Quantize(bits=3), ShareWeights(4))


def change(difference: float, half: float = 0.005) -> PairedDifference:
    return PairedDifference(difference, difference - half, difference + half, 1, 2, 1000)


def test_a_loss_beyond_tolerance_and_interval_is_too_much() -> None:
    found = too_much_lost("accuracy", change(-0.03), baseline=0.99)
    assert found == Lost("accuracy", 0.03, pytest.approx(0.025), 1000, 0.01)


@pytest.mark.parametrize(
    ("difference", "half"),
    [(0.03, 0.005), (0.0, 0.005), (-0.0099, 0.001), (-0.03, 0.031)],
    ids=["a gain", "nothing", "within the tolerance", "within the interval"],
)
def test_other_changes_are_no_alarm(difference: float, half: float) -> None:
    assert too_much_lost("accuracy", change(difference, half), baseline=0.99) is None


def test_the_tolerance_can_be_chosen() -> None:
    assert too_much_lost("accuracy", change(-0.03), 0.99, tolerance=0.05) is None
    assert too_much_lost("accuracy", change(-0.03, 0.001), 0.99, tolerance=0.0)


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_knows_which_way_is_worse(metric: MetricName) -> None:
    worse = -5.0 if METRICS[metric].higher_is_better else 5.0
    assert too_much_lost(metric, change(worse), baseline=20)
    assert too_much_lost(metric, change(-worse), baseline=20) is None


def test_of_a_perplexity_a_fraction_of_the_originals_may_be_lost() -> None:
    assert allowed_loss("perplexity", 20) == pytest.approx(0.2)
    assert allowed_loss("relative_error", 20) == 0.01


def test_the_step_that_lost_most_is_named() -> None:
    culprit = find_culprit(RECIPE, "accuracy", [-0.01, -0.09, -0.1])
    assert culprit == Culprit(RECIPE[1], 1, pytest.approx(0.08))


def test_of_an_error_the_step_that_added_most_is_named() -> None:
    culprit = find_culprit(RECIPE, "relative_error", [0.3, 0.35, 0.4])
    assert culprit == Culprit(RECIPE[0], 0, 0.3)


@pytest.mark.parametrize(
    ("differences", "index"),
    [
        ([-0.09, None, -0.1], 0),  # whatever the others lost
        ([None, -0.02, -0.1], 2),
        ([-0.03, None, -0.1], None),
        ([None, None, -0.1], None),
        ([None, None, None], None),
        ([-0.1], 0),
    ],
)
def test_with_unmeasured_steps_one_is_named_only_if_it_lost_most_of_all(
    differences: list[float | None], index: int | None
) -> None:
    culprit = find_culprit(RECIPE[: len(differences)], "accuracy", differences)
    assert (culprit and culprit.index) == index


def test_in_words_points_are_counted_and_the_step_is_named() -> None:
    fact = Lost("accuracy", 0.3785, 0.37, 10_000, 0.01, Culprit(RECIPE[0], 0, 0.36))
    assert alarm_in_words(Alarm("loss", None, fact)) == (
        "37.85 points lost on 10,000 images, at least 37.00 (95 %), where 1 would be no alarm; "
        "weaken “prune:sparsity=0.9” (step 1), which lost 36.00 of it."
    )


@pytest.mark.parametrize(
    ("culprit", "end"),
    [
        (Culprit(RECIPE[0], 0, 0.06, n=250), "which lost 6.00 on the first 250."),
        (Culprit(RECIPE[0], 0, 0.06), "which lost 6.00."),  # a later step won some of it back
    ],
)
def test_in_words_no_step_lost_more_than_the_whole_of_it(culprit: Culprit, end: str) -> None:
    fact = Lost("accuracy", 0.03, 0.02, 2000, 0.01, culprit)
    assert alarm_in_words(Alarm("loss", None, fact)).endswith(end)


def test_in_words_another_metric_keeps_its_unit() -> None:
    fact = Lost("perplexity", 12.345, 11.0, 100, 0.2)
    assert alarm_in_words(Alarm("loss", None, fact)) == (
        "The perplexity grew by 12.35 on 100 rows, at least 11 (95 %), where 0.2 would be no "
        "alarm; weaken a step of the recipe."
    )
