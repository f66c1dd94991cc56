"""Accuracy and its intervals, against published values and numbers worked out by hand."""

import math

import pytest
import torch
from sklearn.metrics import confusion_matrix as sklearn_confusion_matrix
from torch import Tensor, nn

from compress_core.data import Dataset
from compress_core.measurement.accuracy import (
    accuracy_of,
    confusion_matrix,
    paired_difference,
    predict,
    predicted_classes,
    wilson_interval,
)
from compress_core.original import Original


def labelled(*labels: int) -> Dataset:
    images = torch.zeros(len(labels), 1, 1, 1)
    return Dataset("made up", "test", images, torch.tensor(labels), ("a", "b", "c"))


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [
        # Newcombe 1998, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (10, 10, 0.7225, 1.0),
    ],
)
def test_wilsons_interval_equals_published_values(
    right: int, n: int, low: float, high: float
) -> None:
    assert wilson_interval(right, n) == pytest.approx((low, high), abs=5e-5)


def test_wilsons_interval_solves_its_equation() -> None:
    low, high = wilson_interval(30, 100)
    for bound in (low, high):  # |p - bound| is 1.96 standard errors at the bound
        assert abs(0.3 - bound) == pytest.approx(1.959964 * math.sqrt(bound * (1 - bound) / 100))


@pytest.mark.parametrize(("right", "n"), [(0, 0), (3, 2), (-1, 5)])
def test_what_is_no_proportion_is_refused(right: int, n: int) -> None:
    with pytest.raises(ValueError, match=rf"{right} right of {n} is no proportion; n must be"):
        wilson_interval(right, n)


def test_accuracy_counts_the_right_ones() -> None:
    found = accuracy_of(torch.tensor([0, 1, 2, 0]), labelled(0, 1, 2, 2))
    assert (found.accuracy, found.n) == (0.75, 4)
    assert (found.accuracy_low, found.accuracy_high) == wilson_interval(3, 4)


def test_the_paired_difference_by_hand() -> None:
    labels = labelled(*[0] * 10)
    before = torch.tensor([0] * 6 + [1] * 4)
    after = torch.tensor([1] + [0] * 8 + [1])  # one lost, three gained
    change = paired_difference(before, after, labels)
    assert (change.gained, change.lost, change.n) == (3, 1, 10)
    assert change.difference == pytest.approx(0.2)
    centre, spread = 2 / 12, math.sqrt((5 / 12 - (2 / 12) ** 2) / 12)
    assert change.difference_low == pytest.approx(centre - 1.959964 * spread)
    assert change.difference_high == pytest.approx(centre + 1.959964 * spread)


def test_no_change_still_has_an_interval_around_zero() -> None:
    classes = torch.zeros(100, dtype=torch.int64)
    change = paired_difference(classes, classes, labelled(*[0] * 100))
    assert change.difference == 0
    assert change.difference_low < 0 < change.difference_high
    assert change.difference_low == -change.difference_high


def test_images_that_both_get_wrong_do_not_widen_the_interval() -> None:
    wrong, right = torch.ones(50, dtype=torch.int64), torch.zeros(50, dtype=torch.int64)
    labels = labelled(*[0] * 50)
    assert paired_difference(wrong, wrong, labels) == paired_difference(right, right, labels)


def test_pairs_tell_more_than_two_separate_intervals() -> None:
    labels = labelled(*[0] * 1000)
    before = torch.tensor([0] * 900 + [1] * 100)
    after = torch.tensor([0] * 895 + [1] * 105)
    change = paired_difference(before, after, labels)
    separate = accuracy_of(before, labels)
    width = change.difference_high - change.difference_low
    assert width < (separate.accuracy_high - separate.accuracy_low) / 3


def test_the_confusion_matrix_is_sklearns() -> None:
    data, classes = labelled(0, 0, 1, 2, 2, 2), torch.tensor([0, 1, 1, 0, 2, 2])
    expected = sklearn_confusion_matrix(data.labels, classes, labels=[0, 1, 2])
    assert confusion_matrix(classes, data).tolist() == expected.tolist()


def test_batches_do_not_change_the_logits(digits_cnn: Original) -> None:
    images = torch.rand(1001, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    logits = predict(digits_cnn.module, images)
    assert logits.shape == (1001, 10)
    with torch.inference_mode():
        torch.testing.assert_close(logits[-1:], digits_cnn.module(images[-1:]))


def test_the_images_stay_where_the_model_writes_to_its_input() -> None:
    images = torch.tensor([[-1.0, 2.0], [3.0, -4.0]])
    assert predict(nn.ReLU(inplace=True).eval(), images).tolist() == [[0, 2], [3, 0]]
    assert images.tolist() == [[-1, 2], [3, -4]]


def test_the_class_is_the_largest_logit() -> None:
    class Counting(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.tensor([[1.0, 3.0, 2.0]]).expand(len(x), 3)

    assert predicted_classes(Counting().eval(), labelled(0, 1)).tolist() == [1, 1]


def test_a_model_in_training_mode_is_refused_and_not_switched() -> None:
    model = nn.Linear(1, 1)
    with pytest.raises(ValueError, match=r"training mode; pass model\.eval\(\)"):
        predict(model, torch.zeros(1, 1))
    assert model.training


def test_a_trained_network_classifies_what_its_card_says(
    digits_cnn: Original, digits: Dataset
) -> None:
    accuracy = accuracy_of(predicted_classes(digits_cnn.module, digits), digits)
    assert accuracy.n == 600
    assert accuracy.accuracy_low < accuracy.accuracy < accuracy.accuracy_high
    assert accuracy.accuracy > 0.97


def test_a_network_that_answers_nan_has_no_accuracy() -> None:
    class Zeroth(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.flatten(1)[:, :3] / x.flatten(1)[:, :1]

    data = Dataset("made up", "test", torch.tensor([[1.0, 2, 0], [0, 1, 2]]), *labels_of(1, 0))
    with pytest.raises(ValueError, match="1 of 2 answers are NaN or infinite"):
        predicted_classes(Zeroth().eval(), data)


def labels_of(*labels: int) -> tuple[Tensor, tuple[str, ...]]:
    return torch.tensor(labels), ("a", "b", "c")
