"""Inputs from a seed: the right shape, type and range, and images that a network tells apart."""

import pytest
import torch

from compress_core.dataset import DataError
from compress_core.original import Original
from compress_core.own_data import CANNOT_TELL, NORMALIZATIONS, seeded_data

IMAGES = (torch.zeros(1, 3, 16, 12),)


def test_the_same_seed_gives_the_same_rows() -> None:
    first, again, other = (seeded_data(IMAGES, 4, seed).images for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_images_have_the_spread_of_normalised_ones() -> None:
    images = seeded_data(IMAGES, 200).images
    assert images.shape == (200, 3, 16, 12)
    assert (abs(float(images.mean())) < 0.05, 0.9 < float(images.std()) < 1.05) == (True, True)


def test_images_lie_between_black_and_white_of_a_normalisation() -> None:
    one = NORMALIZATIONS["ImageNet"]
    black, white = one.apply(torch.tensor([0.0, 255.0]).reshape(2, 1, 1, 1).expand(2, 3, 1, 1))
    images = seeded_data(IMAGES, 50, normalization=one).images
    assert bool(((images >= black - 1e-5) & (images <= white + 1e-5)).all())


def test_neighbours_in_an_image_are_alike_as_in_photographs() -> None:
    images = seeded_data((torch.zeros(1, 1, 32, 32),), 100).images
    near = torch.corrcoef(torch.stack([images[..., :-1].flatten(), images[..., 1:].flatten()]))[
        0, 1
    ]
    assert float(near) > 0.6


def test_a_network_gives_them_more_classes_than_independent_pixels(
    digits_cnn: Original,
) -> None:
    """The share of the commonest class: were it 1, a network of zeros would agree."""
    torch.manual_seed(0)
    white, smooth = torch.randn(500, 1, 8, 8), seeded_data(digits_cnn.examples, 500).images
    commonest = [
        float(digits_cnn.module(images).argmax(1).bincount().max() / 500)
        for images in (white, smooth)
    ]
    assert commonest[1] < commonest[0]


def test_tokens_are_below_the_vocabulary() -> None:
    tokens = seeded_data((torch.zeros(1, 9, dtype=torch.int64),), 300, vocabulary=7).images
    assert (tokens.dtype, int(tokens.min()), int(tokens.max())) == (torch.int64, 0, 6)


def test_a_mask_of_ones_stays_one() -> None:
    ones = torch.ones(1, 9, dtype=torch.int64)
    inputs = seeded_data((torch.zeros_like(ones), ones), 5).inputs
    assert isinstance(inputs, tuple)
    assert torch.equal(inputs[1], ones.expand(5, 9))


def test_no_rows_are_refused() -> None:
    with pytest.raises(DataError, match="n=0 rows are none"):
        seeded_data(IMAGES, 0)


def test_they_are_called_what_they_are() -> None:
    assert seeded_data(IMAGES, 2).name == "generated inputs"
    assert "says nothing about accuracy" in CANNOT_TELL
