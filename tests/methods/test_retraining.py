"""The formulas of the training steps, against known truths and gradients by hand."""

import pytest
import torch
from torch.nn import functional

from compress_core.methods.retraining import (
    Distil,
    FineTune,
    GradualPrune,
    L1Prune,
    Rewind,
    code_lengths,
    distillation_loss,
    learned_steps,
    relaxed_bits,
    soft_threshold,
    sparsity_at,
)
from compress_core.recipe import RecipeError, format_recipe, parse_recipe, parse_step, split_stages


def test_a_cubic_schedule_is_fast_at_first() -> None:
    halfway = [sparsity_at(1 / 3, 0.0, 0.8, schedule) for schedule in ("cubic", "linear")]
    assert halfway == pytest.approx([0.8 * (1 - 0.125), 0.4])


@pytest.mark.parametrize("schedule", ["cubic", "linear", "one_shot"])
def test_every_schedule_ends_at_the_target(schedule: str) -> None:
    assert sparsity_at(1.0, 0.2, 0.9, schedule) == pytest.approx(0.9)


def test_one_shot_is_all_at_once() -> None:
    assert sparsity_at(0.0, 0.0, 0.9, "one_shot") == 0.9


def test_a_network_that_is_sparser_already_stays_so() -> None:
    assert sparsity_at(0.5, 0.95, 0.9, "cubic") == 0.95


def test_soft_thresholding_shrinks_and_makes_true_zeros() -> None:
    found = soft_threshold(torch.tensor([-0.5, -0.05, 0.0, 0.1, 0.3]), 0.1)
    assert found.tolist() == pytest.approx([-0.4, 0, 0, 0, 0.2])


def test_learned_steps_round_and_clip() -> None:
    weight, scale = torch.tensor([[-0.9, -0.26, 0.1, 0.74]]), torch.tensor(0.25)
    found = learned_steps(weight, scale, torch.tensor(-2.0), torch.tensor(2.0))
    assert found.tolist()[0] == pytest.approx([-0.5, -0.25, 0.0, 0.5])


def test_the_gradients_of_learned_steps_are_those_of_the_paper() -> None:
    weight = torch.tensor([[-0.9, -0.26, 0.1, 0.74]], requires_grad=True)
    scale = torch.tensor(0.25, requires_grad=True)
    learned_steps(weight, scale, torch.tensor(-2.0), torch.tensor(2.0)).sum().backward()
    assert weight.grad is not None
    assert weight.grad.tolist()[0] == [0, 1, 1, 0]  # none where a weight is clipped
    inside = [round(w / 0.25) - w / 0.25 for w in (-0.26, 0.1)]
    by_hand = (-2 + sum(inside) + 2) / (4 * 2) ** 0.5  # LSQ's share: 1 / √(weights · q_high)
    assert float(scale.grad) == pytest.approx(by_hand, abs=1e-6)


def test_alpha_one_is_plain_training() -> None:
    loss = torch.tensor(0.7)
    assert distillation_loss(torch.rand(2, 3), torch.rand(2, 3), loss, Distil(alpha=1)) is loss


def test_a_student_that_answers_as_its_teacher_has_no_distance_to_it() -> None:
    logits = torch.randn(5, 3)
    found = distillation_loss(logits, logits, torch.tensor(9.0), Distil(alpha=0))
    assert float(found) == pytest.approx(0, abs=1e-6)


def test_distillation_at_temperature_one_is_the_textbooks_cross_entropy_minus_entropy() -> None:
    student, teacher = torch.randn(5, 3), torch.randn(5, 3)
    targets = teacher.softmax(1)
    textbook = functional.cross_entropy(student, targets)
    entropy = -(targets * targets.log()).sum(1).mean()
    step = Distil(alpha=0, temperature=1)
    found = distillation_loss(student, teacher, torch.tensor(0.0), step)
    assert float(found) == pytest.approx(float(textbook - entropy), rel=1e-5)


def test_the_teachers_pull_on_a_logit_grows_with_the_temperature() -> None:
    student = torch.zeros(1, 2, requires_grad=True)
    teacher = 4 * torch.tensor([[0.75, 0.25]]).log()  # softened by T = 4: 3/4 and 1/4
    step = Distil(alpha=0, temperature=4)
    distillation_loss(student, teacher, torch.tensor(0.0), step).backward()
    assert student.grad is not None
    assert student.grad.tolist()[0] == pytest.approx([4 * (0.5 - 0.75), 4 * (0.5 - 0.25)])


def test_rare_codes_are_long_and_none_is_endless() -> None:
    lengths = code_lengths(torch.tensor([0, 0, 0, 0, 0, 0, 1]), alphabet=3)
    assert lengths.tolist() == pytest.approx(
        [-torch.tensor(p / 10).log2().item() for p in (7, 2, 1)]
    )


def test_bits_between_two_codes_are_interpolated_and_lead_to_the_shorter() -> None:
    symbols = torch.tensor([0.25], requires_grad=True)
    bits = relaxed_bits(symbols, torch.tensor([1.0, 5.0]))
    bits.backward()
    assert (bits.item(), symbols.grad.item()) == (2.0, 4.0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: FineTune(epochs=0), "epochs=0 must be at least 1.*leave the step out"),
        (lambda: FineTune(learning_rate=0.0), "learning_rate=0 must be at least.*usual one"),
        (lambda: FineTune(seed=-1), "seed=-1 must be"),
        (lambda: FineTune(layers=()), "name at least one layer"),
        (lambda: GradualPrune(1.0), "sparsity=1 must be.*below 1"),
        (lambda: GradualPrune(0.5, schedule="square"), "schedule='square' is not one of cubic"),  # type: ignore[arg-type]
        (lambda: L1Prune(strength=-1), "strength=-1 must be"),
        (lambda: Rewind(start="early"), "start='early' is not one of initial, random"),  # type: ignore[arg-type]
        (lambda: Distil(alpha=2), "alpha=2 must be"),
        (lambda: Distil(temperature=0), "temperature=0 must be"),
    ],
)
def test_bad_settings_are_refused_in_words(make: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()  # type: ignore[operator]


def test_a_recipe_with_training_survives_its_text() -> None:
    text = "prune:sparsity=0.9;finetune:epochs=5;share;finetune"
    recipe = parse_recipe(text)
    assert format_recipe(recipe) == text
    assert [len(stage) for stage in split_stages(recipe)] == [2, 2, 0]


def test_an_unknown_field_of_a_training_step_is_refused() -> None:
    with pytest.raises(RecipeError, match="step 'finetune' has no field 'epoch'"):
        parse_step("finetune:epoch=3")
