"""Test images as pictures: grey or colour, whole pixels."""

import torch

from ui.panels.images import picture


def test_a_grey_image_has_one_plane() -> None:
    pixels = picture(torch.tensor([[[0.0, 1.0], [0.5, 0.25]]]))
    assert pixels.shape == (72, 72)
    assert [int(pixels[row, column]) for row in (0, 71) for column in (0, 71)] == [0, 255, 127, 63]


def test_a_colour_image_has_red_green_and_blue_last() -> None:
    image = torch.zeros(3, 32, 32)
    image[0, 0, 0], image[2, 31, 31] = 1, 1
    pixels = picture(image)
    assert pixels.shape == (64, 64, 3)
    assert pixels[1, 1].tolist() == [255, 0, 0]
    assert pixels[62, 62].tolist() == [0, 0, 255]
