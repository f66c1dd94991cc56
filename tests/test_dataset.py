"""Own data: whatever holds it, checked as it enters."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, TensorDataset

from compress_core import DataError, Dataset
from compress_core.dataset import check_fits

IMAGES = torch.arange(4 * 3 * 2 * 2).reshape(4, 3, 2, 2) / 48
LABELS = torch.tensor([0, 1, 2, 1])
PAIRS = list(zip(IMAGES, LABELS.tolist(), strict=True))


class Indexable:
    """A dataset as torchvision's: pairs by index."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return PAIRS[index]


@pytest.mark.parametrize(
    "arguments",
    [
        (IMAGES, LABELS),
        (IMAGES.numpy(), LABELS.numpy()),
        (IMAGES.numpy().astype(np.float64), LABELS.numpy().astype(np.int32)),
        (IMAGES, LABELS.tolist()),
        (IMAGES, LABELS[:, None]),
        (IMAGES, torch.eye(3)[LABELS]),
        (IMAGES, np.eye(3, dtype=np.int64)[LABELS.numpy()]),
        (TensorDataset(IMAGES, LABELS),),
        (PAIRS,),
        (Indexable(),),
        ([[image, label] for image, label in PAIRS],),
    ],
)
def test_the_same_data_in_every_form_is_the_same_dataset(arguments: Any) -> None:
    data = Dataset.of(*arguments)
    assert torch.equal(data.images, IMAGES)
    assert data.labels is not None
    assert data.labels.dtype == torch.int64
    assert torch.equal(data.labels, LABELS)
    assert data.class_names == ("0", "1", "2")


def test_the_form_of_the_reference_datasets_stays() -> None:
    data = Dataset("case", "train", IMAGES, LABELS, ("a", "b", "c"))
    assert (data.name, data.split, data.class_names, len(data)) == (
        "case",
        "train",
        ("a", "b", "c"),
        4,
    )


def test_a_table_of_pandas_is_an_array() -> None:
    table = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    for data in (
        Dataset.of(table),
        Dataset.of(table, table["a"]),
        Dataset.of(table.values.tolist()),
    ):
        assert data.images.tolist() == [[1.0, 3.0], [2.0, 4.0]]


def test_labels_may_be_missing() -> None:
    for data in (Dataset.of(IMAGES), Dataset.of(TensorDataset(IMAGES)), Dataset.of(list(IMAGES))):
        assert (data.labels, len(data), data.class_names) == (None, 4, ())
        assert torch.equal(data.images, IMAGES)


def test_several_inputs_are_a_tuple_in_every_form() -> None:
    tokens = torch.arange(20).reshape(4, 5)
    rows = [((image, line), label) for (image, label), line in zip(PAIRS, tokens, strict=True)]
    for data in (
        Dataset.of((IMAGES, tokens), LABELS),
        Dataset.of(TensorDataset(IMAGES, tokens, LABELS)),
        Dataset.of(rows),
    ):
        first, second = data.inputs
        assert torch.equal(first, IMAGES)
        assert torch.equal(second, tokens)


def test_a_subset_keeps_rows_of_all_inputs_and_labels_together() -> None:
    number = torch.arange(50)
    data = Dataset.of((number.float(), number * 2), number * 3.0).subset(7, seed=1)
    first, second = data.inputs
    assert len(data) == 7
    assert torch.equal(second, first.long() * 2)
    assert torch.equal(data.labels, first * 3)


def test_a_subset_without_labels_is_drawn_by_seed() -> None:
    data = Dataset.of(torch.arange(100.0))
    assert torch.equal(data.subset(9, seed=2).images, data.subset(9, seed=2).images)
    assert not torch.equal(data.subset(9, seed=2).images, data.subset(9, seed=3).images)


def test_numbers_as_labels_stay_numbers() -> None:
    data = Dataset.of(IMAGES, np.array([[0.5], [1.0], [2.5], [-1.0]]))
    assert data.labels is not None
    assert (data.labels.dtype, data.labels.shape) == (torch.float32, (4, 1))


def test_tokens_as_labels_are_never_taken_for_one_hot() -> None:
    tokens = torch.eye(3).long()
    assert torch.equal(Dataset.of(tokens, tokens.flip(0)).labels, tokens.flip(0))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((IMAGES, LABELS[:3]), r"inputs and labels have 4, 3 rows; they must be as many"),
        (((IMAGES, IMAGES[:2]), LABELS), r"have 4, 2, 4 rows"),
        ((IMAGES[:0], LABELS[:0]), "is empty; pass at least one"),
        (([],), "is empty; pass at least one"),
        ((torch.tensor(1.0),), "a single number is no dataset"),
        ((IMAGES / 0, LABELS), r"48 values of inputs are NaN or infinite"),
        ((IMAGES, LABELS / 0), r"values of labels are NaN or infinite"),
        ((np.array([object()]), LABELS[:1]), r"inputs cannot be read as numbers"),
        ((DataLoader(TensorDataset(IMAGES)),), r"of a DataLoader its \.dataset"),
        (({"a": 1},), r"this dict cannot be read \(KeyError: 0\).*what gives pairs"),
        ((iter(PAIRS),), r"neither an array nor indexable"),
        (([(IMAGES[0], 1), (IMAGES[0, :2], 1)],), r"inputs have several shapes.*pad or resize"),
        (([(Image.new("L", (2, 2)), 1)],), r"a PIL image.*transform=ToTensor"),
    ],
)
def test_data_that_do_not_fit_together_are_refused(arguments: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        Dataset.of(*arguments)


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_without_a_name_is_refused(label: int) -> None:
    with pytest.raises(DataError, match=rf"label {label} has no name among the 3 class names"):
        Dataset.of(IMAGES, LABELS.clamp(max=0) + label, class_names=("a", "b", "c"))


@pytest.mark.parametrize(
    ("inputs", "example", "words"),
    [
        ((IMAGES * 255).byte(), IMAGES, r"bytes \(.*uint8, up to \d+\).*inputs\.float\(\) / 255"),
        (IMAGES.long(), IMAGES, r"int64, and the network .* float32; convert them.*input_dtype"),
        (torch.zeros(4, 5), torch.zeros(1, 5).long(), r"takes \(1, 5\) int64; convert them"),
        (IMAGES.permute(0, 2, 3, 1), IMAGES, r"channels last.*inputs\.permute\(0, 3, 1, 2\)"),
        (IMAGES.flatten(1), IMAGES, r"one input is \(12,\), and .* takes \(3, 2, 2\)"),
        ((IMAGES, IMAGES), IMAGES, r"has 2 inputs, and the network takes 1"),
    ],
)
def test_data_that_a_network_does_not_take_are_refused(
    inputs: Any, example: torch.Tensor, words: str
) -> None:
    with pytest.raises(DataError, match=words):
        check_fits(Dataset.of(inputs, LABELS), (example[:1],))


def test_bytes_are_taken_by_a_network_of_bytes() -> None:
    check_fits(Dataset.of(IMAGES.byte()), (torch.zeros(1, 3, 2, 2, dtype=torch.uint8),))


def test_another_length_is_taken_as_it_comes() -> None:
    check_fits(Dataset.of(torch.zeros(4, 9).long()), (torch.zeros(1, 5).long(),))


def test_what_has_no_classes_says_so() -> None:
    with pytest.raises(DataError, match="has no classes as labels"):
        _ = Dataset.of(IMAGES).class_labels


def test_one_input_is_asked_of_several() -> None:
    with pytest.raises(DataError, match="has 2 inputs, and here one is needed"):
        _ = Dataset.of((IMAGES, IMAGES)).images
