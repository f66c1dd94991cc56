"""Alarms on hand-made layers and recipes: which are raised, on what, and what they advise."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from compress_core import Factorize, Prune, Quantize, Recipe, compress, parse_step
from compress_core.dataset import Dataset
from compress_core.measurement.accuracy import Accuracy, wilson_interval
from compress_core.measurement.report import measure_size
from compress_core.methods.pruning import RandomPrune
from compress_core.methods.recalibration import RecalibrateNorms
from compress_core.original import Original
from compress_core.steps import KINDS, TRAINING
from compress_core.views.alarms import Alarm, StageBytes, alarms
from compress_core.wording.alarms import alarm_in_words

LinearOf = Callable[[Tensor], Original]


def raised(
    original: Original,
    *steps: str,
    accuracy: Accuracy | None = None,
    stage_bytes: StageBytes = (),
) -> tuple[Alarm, ...]:
    recipe: Recipe = tuple(parse_step(step) for step in steps)
    made = compress(original, recipe)
    size = measure_size(made)
    return alarms(made, size, accuracy, class_count=10, stage_bytes=stage_bytes)


def right(count: int, n: int) -> Accuracy:
    return Accuracy(count / n, *wilson_interval(count, n), n)


def test_an_empty_recipe_raises_no_alarm(zoo_model: Original) -> None:
    assert raised(zoo_model, accuracy=right(0, 100)) == ()


def test_a_sensible_recipe_raises_no_alarm(digits_cnn: Original) -> None:
    assert (
        raised(
            digits_cnn,
            "factorize:rank=16,layers=fc1",
            "prune:sparsity=0.5",
            "quantize:bits=4",
            accuracy=right(590, 600),
            stage_bytes=[("original", 100), ("factorize", 90), ("prune", 80), ("quantize", 9)],
        )
        == ()
    )


def test_a_layer_without_a_live_channel_has_collapsed(animal: Callable[[str], Original]) -> None:
    weights = animal("no_bias").layers["fc1"].weight
    (alarm,) = raised(animal("no_bias"), f"prune:threshold={float(weights.abs().max()):.6f}1")
    assert (alarm.kind, alarm.layer) == ("collapsed", "fc1")
    assert "no live output channel" in alarm_in_words(alarm)
    assert "prune it less" in alarm_in_words(alarm)


def test_a_layer_below_one_percent_has_collapsed_and_one_above_has_not(linear_of: LinearOf) -> None:
    original = linear_of(torch.arange(1.0, 1001).view(10, 100))
    (alarm,) = raised(original, "prune:sparsity=0.991")
    assert (alarm.kind, alarm.layer) == ("collapsed", "fc")
    assert "0.9 % of its weights" in alarm_in_words(alarm)
    assert "scope layer" in alarm_in_words(alarm)
    assert raised(original, "prune:sparsity=0.99") == ()


def test_codes_that_are_all_zero_collapse_a_layer_without_any_pruning(linear_of: LinearOf) -> None:
    weight = torch.full((10, 100), 0.01)
    weight[0, 0] = 1.0
    (alarm,) = raised(linear_of(weight), "quantize:bits=2,granularity=tensor")
    assert alarm.kind == "collapsed"
    assert "more bits" in alarm_in_words(alarm)


def test_a_layer_that_was_zero_all_along_has_not_collapsed(
    animal: Callable[[str], Original],
) -> None:
    assert raised(animal("all_zero"), "quantize:bits=4") == ()


def test_a_step_that_prunes_nothing_is_named(digits_cnn: Original) -> None:
    (alarm,) = raised(digits_cnn, "quantize:bits=4", "prune:sparsity=0")
    assert (alarm.kind, alarm.layer) == ("no_effect", None)
    assert "“prune:sparsity=0.0” (step 2) changes nothing" in alarm_in_words(alarm)


def test_pruning_what_is_zero_already_changes_nothing(linear_of: LinearOf) -> None:
    original = linear_of(torch.tensor([[0.0, 0.0, 1.0, 2.0]]))
    (alarm,) = raised(original, "prune:sparsity=0.5")
    assert alarm.kind == "no_effect"


def test_a_step_whose_every_layer_is_overridden_changes_nothing(digits_cnn: Original) -> None:
    (alarm,) = raised(digits_cnn, "quantize:bits=2,layers=fc1", "quantize:bits=4")
    assert alarm.kind == "no_effect"
    assert "(step 1) changes nothing, later steps of its kind replace it" in alarm_in_words(alarm)


def test_the_first_of_two_equal_steps_is_the_overridden_one(digits_cnn: Original) -> None:
    (alarm,) = raised(digits_cnn, "prune:sparsity=0.5", "prune:sparsity=0.5")
    assert "(step 1)" in alarm_in_words(alarm)


def test_a_step_that_still_wins_one_layer_is_no_alarm(digits_cnn: Original) -> None:
    steps = ("quantize:bits=2", "quantize:bits=4,layers=conv1|conv2|fc1")
    assert raised(digits_cnn, *steps) == ()


def test_an_exception_that_says_the_same_as_the_rule_changes_nothing(digits_cnn: Original) -> None:
    (alarm,) = raised(digits_cnn, "quantize:bits=4", "quantize:bits=4,layers=fc1")
    assert "(step 2)" in alarm_in_words(alarm)


def test_an_exception_from_a_global_sparsity_changes_something(digits_cnn: Original) -> None:
    assert raised(digits_cnn, "prune:sparsity=0.5", "prune:sparsity=0.5,layers=fc2") == ()


@pytest.mark.parametrize("rank", [56, 57])
def test_a_rank_above_break_even_is_named_with_a_better_one(
    digits_cnn: Original, rank: int
) -> None:
    found = raised(digits_cnn, f"factorize:rank={rank},layers=fc1")
    assert [alarm.layer for alarm in found] == ([] if rank == 56 else ["fc1"])
    expected = "32,832 weights instead of 32,768: choose rank 56"
    assert all(expected in alarm_in_words(alarm) for alarm in found)


def test_a_layer_that_no_rank_makes_smaller_is_to_be_left_out(linear_of: LinearOf) -> None:
    (alarm,) = raised(linear_of(torch.tensor([[2.0, 1.0, 3.0]])), "factorize:rank=1")
    assert "no rank makes it smaller" in alarm_in_words(alarm)


@pytest.mark.parametrize(
    ("form", "rank", "words"),
    [
        ("spatial", 26, "26 has 3,744 weights"),
        ("spatial", 40, "rank 40 has 5,760 weights instead of 4,608: choose rank 32 or less"),
        ("tucker", 32, "rank 16 and 32 has 5,888 weights instead of 4,608: choose rank 27 or less"),
    ],
)
def test_other_forms_have_break_even_ranks_of_their_own(
    digits_cnn: Original, form: str, rank: int, words: str
) -> None:
    found = raised(digits_cnn, f"factorize:rank={rank},form={form},layers=conv2")
    assert [words in alarm_in_words(alarm) for alarm in found] == ([] if rank == 26 else [True])


@pytest.mark.parametrize(
    ("ratio", "floor", "layers"),
    [(0.95, 1, ["conv1"]), (0.9, 8, ["conv1", "conv2", "fc1"]), (0.5, 1, [])],
)
def test_layers_at_the_floor_of_structured_pruning_are_named(
    digits_cnn: Original, ratio: float, floor: int, layers: list[str]
) -> None:
    found = raised(digits_cnn, f"prune_structured:pruning_ratio={ratio},floor={floor}")
    named = [alarm.layer for alarm in found if "its floor" in alarm_in_words(alarm)]
    assert named == layers
    assert {alarm.kind for alarm in found} == ({"collapsed"} if layers else set())


@pytest.mark.parametrize(
    ("rule", "exception"),
    [
        ("share:scope=all", "share:scope=all,layers=fc1"),
        ("prune_taylor:sparsity=0.5", "prune_taylor:sparsity=0.5,layers=fc1"),
        ("factorize:budget=0.5", "factorize:budget=0.5,layers=fc1"),
        ("prune_structured:pruning_ratio=0.3", "prune_structured:pruning_ratio=0.3,layers=fc1"),
    ],
)
def test_an_exception_from_what_looks_at_all_layers_changes_something(
    digits_cnn: Original, rule: str, exception: str
) -> None:
    assert raised(digits_cnn, rule, exception) == ()


@pytest.mark.parametrize(
    "text", ["share", "prune_wanda:sparsity=0.5", "factorize:rank=4", "quantize_activations"]
)
def test_an_exception_that_repeats_what_looks_at_one_layer_changes_nothing(
    digits_cnn: Original, text: str
) -> None:
    layers = "," if ":" in text else ":"
    (alarm,) = raised(digits_cnn, text, f"{text}{layers}layers=fc1")
    assert alarm.kind == "no_effect"


@pytest.mark.parametrize("text", ["correct_bias", "factorize:budget=1"])
def test_a_step_that_leaves_every_layer_alone_changes_nothing(
    digits_cnn: Original, text: str
) -> None:
    (alarm,) = raised(digits_cnn, text)
    assert alarm.kind == "no_effect"


def test_a_stage_that_grew_the_file_is_named(digits_cnn: Original) -> None:
    stages = [("original", 1000), ("prune", 1200), ("quantize", 300)]
    steps = ("prune:sparsity=0.1", "quantize:bits=4")
    (alarm,) = raised(digits_cnn, *steps, stage_bytes=stages)
    assert (alarm.kind, alarm.layer) == ("bytes_up", None)
    assert "prune step made the file 200 bytes larger" in alarm_in_words(alarm)


def test_a_rank_above_break_even_is_not_told_twice(digits_cnn: Original) -> None:
    stages = [("original", 1000), ("factorize", 1200)]
    found = raised(digits_cnn, "factorize:rank=60,layers=fc1", stage_bytes=stages)
    assert [(alarm.kind, alarm.layer) for alarm in found] == [("bytes_up", "fc1")]


@pytest.mark.parametrize(("count", "kinds"), [(60, ["chance"]), (72, ["chance"]), (90, [])])
def test_accuracy_whose_interval_reaches_guessing_is_at_chance(
    digits_cnn: Original, count: int, kinds: list[str]
) -> None:
    found = raised(digits_cnn, "quantize:bits=4", accuracy=right(count, 600))
    assert [alarm.kind for alarm in found] == kinds


def test_the_gravest_alarm_comes_first_and_each_is_one_sentence(digits_cnn: Original) -> None:
    found = raised(
        digits_cnn,
        "factorize:rank=60,layers=fc1",
        "random_prune:sparsity=0.999",
        "quantize:bits=4,layers=fc2",
        "quantize:bits=4",
        accuracy=right(60, 600),
    )
    order = ["chance", "collapsed", "no_effect", "bytes_up"]
    assert list(dict.fromkeys(alarm.kind for alarm in found)) == order
    texts = list(map(alarm_in_words, found))
    assert all(text.endswith(".") and ". " not in text for text in texts)


def test_looking_for_alarms_compresses_nothing_anew(
    digits_cnn: Original, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = (Factorize(rank=4), RandomPrune(0.5), Quantize(bits=3), Prune(0.25, layers=("fc2",)))
    made = compress(digits_cnn, recipe)
    size = measure_size(made)
    for name in ("pruning.prune_smallest", "pruning.prune_random", "quantization.quantize"):
        monkeypatch.setattr(f"compress_core.methods.{name}", None)
    assert alarms(made, size) == ()


def test_a_step_that_changes_the_network_has_an_effect(
    digits_mlp: Original, halving: type[Any]
) -> None:
    made = compress(digits_mlp, (halving(), Quantize(bits=8)))
    assert alarms(made, measure_size(made)) == ()


def test_training_may_cost_bytes(digits_mlp: Original) -> None:
    sizes = [("original", 2), ("prune", 1), (TRAINING, 3)]
    assert raised(digits_mlp, "prune:sparsity=0.5", stage_bytes=sizes) == ()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != TRAINING])
def test_every_kind_of_step_has_a_remedy_for_a_larger_file(digits_mlp: Original, kind: str) -> None:
    (alarm,) = raised(digits_mlp, "prune:sparsity=0.5", stage_bytes=[("original", 1), (kind, 2)])
    assert f"{kind} step made the file 1 bytes larger: " in alarm_in_words(alarm)
    assert "remove the step" in alarm_in_words(alarm)


def test_recalibrated_norms_have_an_effect() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(64, 3))
        images = torch.rand(40, 1, 6, 6)
    data = Dataset("noise", "train", images, torch.arange(40) % 3, tuple("abc"))
    original = Original(net.eval(), (1, 6, 6), calibration=data)
    made = compress(original, (Prune(sparsity=0.5), RecalibrateNorms(samples=40)))
    assert [alarm for alarm in alarms(made, measure_size(made)) if alarm.kind == "no_effect"] == []
