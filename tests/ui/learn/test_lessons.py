"""Lessons are data: what they name exists, and what they say is what the core measures."""

import re
import string

import pytest
import torch

from compress_core import MODELS, Factorize, compress, load_dataset, load_model, measure
from compress_core.measurement.harm import answers, flips, harm_by_class
from compress_core.recipe import parse_recipe
from compress_core.storage.entropy_coding.huffman import huffman_size
from tests.whole_app import open_app
from ui.learn import hiding
from ui.learn.answers import ANSWERS
from ui.learn.answers.asked import Answer, Asked, NotYet, largest_layer
from ui.learn.bar import sentence
from ui.learn.challenges import judge
from ui.learn.lesson import Choice, Lesson, Number, Step, Values
from ui.learn.lessons import BY_NAME, LESSONS
from ui.learn.lessons.challenges import CHALLENGES
from ui.session import address, measuring
from ui.session.state import ROOT

STEPS = [
    pytest.param(step, id=f"{lesson.name}-{at}")
    for lesson in LESSONS
    for at, step in enumerate(lesson.steps, 1)
]
EYE = (-0.2, -0.1, 0.1, 0.2)


def step_of(name: str, at: int) -> Step:
    lesson = BY_NAME[name]
    assert isinstance(lesson, Lesson)
    return lesson.steps[at - 1]


def answered(step: Step) -> Answer:
    """What the bar shows at the step."""
    if measuring.data_problem(step.model):
        pytest.skip("its test images are not on this machine")
    predicted = EYE if isinstance(step.prediction, Values) else 1.0
    recipes = tuple(map(parse_recipe, step.goals or (step.recipe,)))
    layer = step.layer or largest_layer(step.model)
    asked = Asked(step.model, recipes, layer, predicted)
    try:
        return ANSWERS[step.answer](asked)
    except NotYet:  # a job was submitted, which is done by now
        return ANSWERS[step.answer](asked)


def measured(recipe: str, model: str = "digits-cnn"):
    return measure(compress(load_model(model), parse_recipe(recipe)), load_dataset("digits"))


def lost(recipe: str, model: str = "digits-cnn") -> float:
    return -100 * measured(recipe, model).change.difference


def test_there_are_at_least_ten_lessons_and_three_challenges() -> None:
    assert len(LESSONS) >= 10
    assert len(CHALLENGES) >= 3


@pytest.mark.parametrize("step", STEPS)
def test_what_a_step_names_exists(step: Step) -> None:
    assert (ROOT / "pages" / f"{step.page}.py").is_file()
    assert step.model in MODELS
    assert step.answer in ANSWERS
    assert set(step.hides) <= hiding.ALL
    layers = load_model(step.model).layers
    assert step.layer in ("", *layers)
    choices = address.CHOICES | dict.fromkeys(address.LAYERS, tuple(layers))
    assert all(value in choices[key] for key, value in step.choices)
    for text in (step.recipe, *step.goals):
        compress(load_model(step.model), parse_recipe(text))


@pytest.mark.parametrize("step", STEPS)
def test_every_answer_is_measured_and_its_sentence_complete(step: Step) -> None:
    found = answered(step)
    facts = dict(found.facts)
    named = [name for _, name, _, _ in string.Formatter().parse(step.why) if name]
    assert set(named) <= set(facts)
    assert not re.search(r"[{}]", sentence(step, EYE if "eye" in step.answer else 1.0, found))
    match step.prediction:
        case Choice(options):
            assert 0 <= found.value < len(options)
        case Number(_, low, high, _):
            assert low <= found.value <= high


def shown_keys(page: str, recipe: str) -> set[str]:
    app = open_app(page, recipe=recipe)
    kinds = ("selectbox", "number_input", "button", "toggle", "text_input", "button_group")
    found = {w.key for kind in (*kinds, "slider") for w in app.get(kind) if w.key}
    blocks = str([node.proto for node in app._tree.get("expander")])
    return found | {key for key in hiding.ALL if f'"{key}"' in blocks}


RECIPES = {
    "prune": "prune:sparsity=0.5",
    "structured": "prune_structured:pruning_ratio=0.3",
    "quantize": "quantize:bits=4",
    "share_weights": "share:clusters=4",
    "factorize": "factorize:rank=12,layers=fc1",
    "encode": "prune:sparsity=0.9;quantize:bits=4",
    "combine": "",
    "trade_offs": "",
}
CONTAINERS = {"factorize_form_choice", "recover_presets"}  # AppTest does not tell their keys


@pytest.mark.parametrize("page", RECIPES)
def test_every_control_that_can_be_hidden_is_on_its_page(page: str) -> None:
    assert set(hiding.HIDEABLE[page]) - CONTAINERS <= shown_keys(page, RECIPES[page])


# --- the answers, against the core asked directly ---


def test_zeros_do_not_shrink_the_plain_file() -> None:
    file = answered(step_of("zeros", 1))
    original = load_model("digits-cnn").stored_bytes
    assert file.value == pytest.approx(original / 1000, rel=0.01)
    assert answered(step_of("zeros", 3)).value == pytest.approx(
        measured("prune:sparsity=0.9;quantize:bits=4").size.stored_bytes / 1000
    )


def test_one_threshold_keeps_more_than_the_same_share_of_each_layer() -> None:
    each, one = lost("prune:sparsity=0.9,scope=layer"), lost("prune:sparsity=0.9")
    assert answered(step_of("global", 1)).value == 1
    assert one < each
    assert answered(step_of("global", 2)).value == pytest.approx(each)


def test_random_is_the_control() -> None:
    control, magnitude = (answered(step_of("random", at)).value for at in (1, 2))
    assert control == pytest.approx(100 * measured("random_prune:sparsity=0.5").score.value)
    assert magnitude > control + 50
    assert answered(step_of("random", 3)).value < 90  # half of the neurons, gone for good


def test_four_bits_fail_in_one_range_and_hold_in_one_for_each_channel() -> None:
    tensor, channel = (answered(step_of("rounding", at)).value for at in (1, 2))
    assert tensor > 2 > 0.5 > channel
    assert answered(step_of("rounding", 3)).value == 2  # error feedback


def test_zeros_survive_only_with_a_zero_point() -> None:
    assert answered(step_of("zero-point", 1)).value == 0
    assert answered(step_of("zero-point", 2)).value >= 50
    weight = load_model("digits-cnn").layers["fc1"].weight
    share = float(((weight < 0) | (weight > 1)).float().mean())
    assert answered(step_of("zero-point", 3)).value == pytest.approx(100 * share)


def test_the_break_even_rank_is_mn_by_m_plus_n() -> None:
    assert answered(step_of("break-even", 1)).value == 64 * 512 // (64 + 512)
    assert answered(step_of("break-even", 2)).value > 100
    report = measure(
        compress(load_model("digits-cnn"), (Factorize(energy=0.9),)), load_dataset("digits")
    )
    assert answered(step_of("break-even", 3)).value == pytest.approx(
        -100 * report.change.difference
    )


def test_a_codebook_by_eye_is_never_better_than_the_optimum() -> None:
    assert answered(step_of("codebook", 1)).value >= 1
    limited, weights = (
        int(answered(step_of("codebook", 3)).value),
        load_model("digits-cnn").layers["fc1"].weight.unique().numel(),
    )
    assert limited > 0.99 * weights


def test_huffman_needs_a_whole_bit() -> None:
    compressed = compress(load_model("digits-cnn"), parse_recipe("quantize:bits=4"))
    form = compressed.layers["fc1"].weights[0].coded
    assert form is not None
    counts = torch.bincount(torch.from_numpy(form.symbols.ravel().astype("int64"))).numpy()
    bits = 8 * huffman_size(counts) / form.symbols.size
    assert answered(step_of("huffman", 1)).value == pytest.approx(bits, abs=0.01)
    found = answered(step_of("huffman", 2))
    assert found.value >= 1
    assert float(dict(found.facts)["entropy"]) < 0.1


def test_zeros_leave_the_macs_and_the_time_is_measured() -> None:
    assert answered(step_of("macs", 1)).value == 100
    assert answered(step_of("macs", 2)).value > 0


def test_who_got_hurt_is_the_class_that_the_core_names() -> None:
    images, model = load_dataset("digits"), load_model("digits-cnn")
    before = answers(model.module, images)
    after = answers(compress(model, parse_recipe("prune:sparsity=0.88")).module, images)
    worst = harm_by_class(before.classes, after.classes, images)[0]
    assert dict(answered(step_of("hurt", 1)).facts)["name"] == worst.name
    mlp = load_model("digits-mlp")
    rounded = compress(mlp, parse_recipe("quantize:bits=4,granularity=tensor")).module
    changed = flips(answers(mlp.module, images), answers(rounded, images), images)
    assert answered(step_of("hurt", 2)).value == len(changed) > 0


def test_deep_compression_ships_its_file() -> None:
    assert answered(step_of("deep-compression", 1)).value < 20
    assert (
        answered(step_of("deep-compression", 3)).value
        < answered(step_of("deep-compression", 2)).value
    )


def test_first_order_says_little_where_nothing_is_left_to_learn() -> None:
    assert answered(step_of("first-order", 1)).value == 0
    assert answered(step_of("first-order", 2)).value == 0
    taylor = answered(step_of("first-order", 3)).value
    assert taylor > lost("prune_structured:pruning_ratio=0.3")


SOLUTIONS = {
    "under-20-kb": "quantize:bits=4",
    "half-the-macs": "prune_structured:pruning_ratio=0.3",
    "under-5-kb": "prune:sparsity=0.85;quantize:bits=3,clipping=mse",
}


@pytest.mark.parametrize("challenge", CHALLENGES, ids=lambda challenge: challenge.name)
def test_every_challenge_can_be_solved_and_is_not_solved_already(challenge) -> None:
    solution = parse_recipe(SOLUTIONS[challenge.name])
    assert all(met for met, _ in judge(challenge, solution))
    assert not all(met for met, _ in judge(challenge, ()))
