"""Pixels as the network saw them: hand-computed numbers, what a preview shows, what a hint says."""

import pytest
import torch

from compress_core.data import Dataset
from compress_core.dataset import DataError
from compress_core.original import Original
from compress_core.own_data import (
    NORMALIZATIONS,
    Normalization,
    choices,
    hint_in_words,
    normalization_by_name,
    preview,
    suggest,
)

BLACK_AND_WHITE = torch.tensor([0, 255], dtype=torch.uint8).reshape(2, 1, 1, 1).expand(2, 3, 1, 1)


@pytest.mark.parametrize(
    ("name", "black", "white"),
    [
        ("none", (0, 0, 0), (255, 255, 255)),
        ("0..1", (0, 0, 0), (1, 1, 1)),
        ("-1..1", (-1, -1, -1), (1, 1, 1)),
        ("ImageNet", (-2.1179, -2.0357, -1.8044), (2.2489, 2.4286, 2.64)),
        ("MNIST", (-0.4242,) * 3, (2.8215,) * 3),
    ],
)
def test_black_and_white_become_the_usual_numbers(
    name: str, black: tuple[float, ...], white: tuple[float, ...]
) -> None:
    found = NORMALIZATIONS[name].apply(BLACK_AND_WHITE)[:, :, 0, 0]
    assert torch.allclose(found, torch.tensor([black, white], dtype=torch.float32), atol=1e-4)


def test_bytes_are_not_written_to() -> None:
    images = torch.full((1, 3, 1, 1), 7.0)
    Normalization().apply(images)
    assert images.unique().tolist() == [7]


def test_images_of_one_channel_are_offered_no_colours() -> None:
    gray = choices(torch.full((1, 1, 2, 2), 255, dtype=torch.uint8))
    assert list(gray) == ["none", "0..1", "-1..1", "MNIST"]


def test_images_in_0_to_1_are_not_divided_again() -> None:
    found = choices(torch.rand(4, 3, 2, 2))
    assert {one.scale for one in found.values()} == {1.0}


def test_small_pixels_may_be_divided_by_their_largest() -> None:
    found = choices(torch.tensor([0.0, 16.0]).reshape(2, 1, 1, 1))
    assert found["divided by 16"] == Normalization(1 / 16)


def test_a_preview_maps_the_smallest_value_to_black_and_the_largest_to_white() -> None:
    seen = preview(Dataset.of(BLACK_AND_WHITE), NORMALIZATIONS["-1..1"])
    assert (seen.pixels.shape, seen.low, seen.high) == ((2, 1, 1, 3), -1, 1)
    assert seen.pixels[:, 0, 0, 0].tolist() == [0, 255]


def test_a_preview_of_a_table_is_refused() -> None:
    with pytest.raises(DataError, match="are no images"):
        preview(Dataset.of(torch.rand(4, 3)), None)


def test_the_right_normalisation_has_the_best_accuracy(
    digits_mlp: Original, digits: Dataset
) -> None:
    pixels = Dataset.of((digits.images * 16).to(torch.uint8), digits.labels)
    best, *others = suggest(pixels, digits_mlp.module)
    assert (best.name, best.n) == ("divided by 16", 200)
    assert best.accuracy > 0.95 > others[-1].accuracy
    assert hint_in_words([best]).startswith("a hint, not a measurement: of 200 labelled rows")


def test_without_labels_there_is_no_hint(digits_mlp: Original) -> None:
    with pytest.raises(DataError, match="nothing tells which normalisation"):
        suggest(Dataset.of(torch.rand(4, 1, 8, 8)), digits_mlp.module)


def test_a_number_divides_pixels() -> None:
    assert normalization_by_name("16") == Normalization(1 / 16)


@pytest.mark.parametrize("name", ["cifar", "0", "-3", "nan"])
def test_another_name_is_refused_with_the_choices(name: str) -> None:
    with pytest.raises(ValueError, match=r"choose one of none, 0\.\.1|finite"):
        normalization_by_name(name)


@pytest.mark.parametrize(
    ("mean", "std", "said"),
    [((0.0,), (0.0,), "a scale or std of 0"), ((0.0, 0.0), (1.0,), "2 mean and 1 std")],
)
def test_numbers_that_normalise_nothing_are_refused(
    mean: tuple[float, ...], std: tuple[float, ...], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        Normalization(1, mean, std)


def test_three_means_do_not_fit_one_channel() -> None:
    with pytest.raises(DataError, match="3 channels does not fit"):
        NORMALIZATIONS["ImageNet"].apply(torch.zeros(1, 1, 2, 2))
