"""Calibration and test share no row, whatever the data."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from compress_core.dataset import DataError, Dataset
from compress_core.own_data import keep_apart, split_apart
from compress_core.own_data.splitting import TooFewRows


def rows_of(data: Dataset) -> set[tuple[float, ...]]:
    return {tuple(row) for row in data.images.tolist()}


@given(
    st.lists(st.integers(0, 30), min_size=4, max_size=80),
    st.floats(0.05, 0.95),
    st.integers(0, 5),
)
def test_no_content_is_on_both_sides_and_no_row_is_lost(
    values: list[int], share: float, seed: int
) -> None:
    data = Dataset.of(torch.tensor(values).float()[:, None], torch.tensor(values) % 3)
    try:
        apart = split_apart(data, share, seed)
    except TooFewRows:
        return
    assert not rows_of(apart.calibration) & rows_of(apart.test)
    assert len(apart.calibration) + len(apart.test) == len(values)
    assert (apart.calibration.split, apart.test.split) == ("train", "test")


@given(st.integers(2, 5), st.integers(10, 60), st.floats(0.2, 0.8))
def test_classes_have_the_same_shares_to_within_a_row(
    classes: int, each: int, share: float
) -> None:
    n = classes * each
    data = Dataset.of(torch.arange(n).float()[:, None], torch.arange(n) % classes)
    counts = split_apart(data, share).calibration.class_labels.bincount(minlength=classes)
    assert float((counts - share * each).abs().max()) <= 1.5


def test_a_row_that_occurs_often_is_on_one_side_only() -> None:
    data = Dataset.of(torch.tensor([[1.0]] * 50 + [[2.0]] * 50))
    apart = split_apart(data, 0.5)
    assert {len(rows_of(apart.test)), len(rows_of(apart.calibration))} == {1}


def test_the_same_seed_divides_alike_and_another_does_not() -> None:
    data = Dataset.of(torch.arange(100).float()[:, None])
    first, again, other = (split_apart(data, seed=seed).test.images for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_rows_of_the_test_split_leave_the_training_split() -> None:
    training = Dataset.of(torch.tensor([[1.0], [2.0], [3.0]]), split="train")
    apart = keep_apart(training, Dataset.of(torch.tensor([[2.0]])))
    assert (apart.calibration.images.tolist(), apart.dropped) == ([[1], [3]], 1)


def test_a_training_split_that_is_the_test_split_is_refused() -> None:
    data = Dataset.of(torch.tensor([[1.0], [2.0]]))
    with pytest.raises(DataError, match="all 2 rows of the training split"):
        keep_apart(data, data)


def test_several_inputs_are_told_apart_together() -> None:
    first, second = torch.zeros(4, 1), torch.tensor([[0.0], [0.0], [1.0], [1.0]])
    assert len(split_apart(Dataset.of((first, second)), 0.5).test) == 2
