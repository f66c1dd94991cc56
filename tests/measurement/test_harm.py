"""Who got hurt, on hand-made answers, and on a real model against what accuracy says."""

import math

import pytest
import torch
from torch import Tensor, nn

from compress_core import Prune, compress
from compress_core.data import Dataset
from compress_core.measurement.accuracy import paired_difference, predicted_classes
from compress_core.measurement.harm import Answers, answers, flips, harm_by_class
from compress_core.original import Original

NAMES = ("cat", "dog", "emu")


def labelled(*labels: int) -> Dataset:
    images = torch.zeros(len(labels), 1, 1, 1)
    return Dataset("made up", "test", images, torch.tensor(labels), NAMES)


def answered(*classes: int, confidences: tuple[float, ...] = ()) -> Answers:
    sure = torch.tensor(confidences or (0.5,) * len(classes))
    return Answers(torch.tensor(classes), sure)


def test_each_class_is_counted_alone_and_the_most_damaged_comes_first() -> None:
    data = labelled(0, 0, 0, 0, 1, 1, 1, 1)
    before, after = torch.tensor([0, 0, 0, 1, 1, 1, 1, 1]), torch.tensor([0, 0, 0, 0, 0, 0, 1, 1])
    dog, cat = harm_by_class(before, after, data)
    assert (dog.name, dog.n, dog.accuracy_before, dog.accuracy_after) == ("dog", 4, 1.0, 0.5)
    assert (cat.name, cat.n, cat.accuracy_before, cat.accuracy_after) == ("cat", 4, 0.75, 1.0)
    assert (dog.change.difference, dog.change.lost, dog.change.gained) == (-0.5, 2, 0)
    assert (cat.change.difference, cat.change.lost, cat.change.gained) == (0.25, 0, 1)


def test_a_classs_interval_is_the_paired_one_of_its_images() -> None:
    data = labelled(*[0] * 10, *[1] * 5)
    before, after = torch.zeros(15, dtype=torch.int64), torch.tensor([2] * 3 + [0] * 12)
    cat = harm_by_class(before, after, data)[0]
    assert cat.change == paired_difference(before[:10], after[:10], labelled(*[0] * 10))


def test_the_interval_ends_where_accuracy_does() -> None:
    cat = harm_by_class(torch.zeros(60).long(), torch.ones(60).long(), labelled(*[0] * 60))[0]
    assert cat.change.difference == cat.change.difference_low == -1


def test_equally_damaged_classes_keep_their_order_and_an_absent_one_has_no_row() -> None:
    same = torch.tensor([2, 0])
    assert [row.name for row in harm_by_class(same, same, labelled(2, 0))] == ["cat", "emu"]


def test_the_newly_wrong_come_first_then_the_otherwise_wrong_then_the_newly_right() -> None:
    data = labelled(0, 0, 0, 0)
    found = flips(answered(1, 1, 0, 0), answered(0, 2, 0, 1), data)
    assert [(flip.index, flip.outcome) for flip in found] == [
        (3, "lost"),
        (1, "still_wrong"),
        (0, "gained"),
    ]


def test_a_flip_says_both_answers_and_both_confidences() -> None:
    before, after = answered(1, confidences=(0.75,)), answered(2, confidences=(0.5,))
    (flip,) = flips(before, after, labelled(1))
    assert (flip.true, flip.before, flip.after) == (1, 1, 2)
    assert (flip.confidence_before, flip.confidence_after) == (0.75, 0.5)


def test_the_newly_wrong_keep_the_order_of_the_images() -> None:
    found = flips(answered(0, 0, 0), answered(1, 0, 2), labelled(0, 0, 0))
    assert [flip.index for flip in found] == [0, 2]


def test_no_changed_answer_is_no_flip_whatever_the_confidence() -> None:
    before, after = answered(0, 1, confidences=(1, 1)), answered(0, 1, confidences=(0.5, 0.5))
    assert flips(before, after, labelled(0, 2)) == ()


def test_the_confidence_is_the_softmax_of_the_chosen_logit() -> None:
    class Fixed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.tensor([[0.0, math.log(2), 0.0]]).expand(len(x), 3)

    found = answers(Fixed().eval(), labelled(0, 1))
    assert found.classes.tolist() == [1, 1]
    assert found.confidences.tolist() == pytest.approx([0.5, 0.5])


def test_classes_and_flips_of_a_real_model_add_up_to_its_change(
    digits_cnn: Original, digits: Dataset
) -> None:
    module = compress(digits_cnn, (Prune(sparsity=0.95),)).module
    before, after = answers(digits_cnn.module, digits), answers(module, digits)
    assert torch.equal(after.classes, predicted_classes(module, digits))
    change = paired_difference(before.classes, after.classes, digits)
    rows, found = harm_by_class(before.classes, after.classes, digits), flips(before, after, digits)
    assert sum(row.n for row in rows) == 600
    assert sum(row.change.lost for row in rows) == change.lost
    assert [f.outcome for f in found].count("lost") == change.lost
    assert [f.outcome for f in found].count("gained") == change.gained
