"""Inputs as rows: what a layer computes is rows @ as_matrix(weight)ᵀ, whatever its geometry."""

import pytest
import torch
from torch import Tensor, nn

from compress_core.calibration.rows import CHUNK, chunks, input_rows, pick_rows
from compress_core.weights import as_matrix


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


CONVOLUTIONS = {
    "plain": (nn.Conv2d(3, 4, 3), (3, 6, 5)),
    "padded": (nn.Conv2d(3, 4, 3, padding=1), (3, 6, 5)),
    "uneven": (nn.Conv2d(3, 4, (3, 2), padding=(2, 1), stride=(2, 1)), (3, 6, 5)),
    "dilated": (nn.Conv2d(3, 4, 2, dilation=2), (3, 6, 5)),
    "same": (nn.Conv2d(3, 4, (2, 4), padding="same"), (3, 6, 5)),
    "reflect": (nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"), (3, 6, 5)),
    "circular": (nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular"), (3, 6, 5)),
    "grouped": (nn.Conv2d(4, 6, 3, groups=2), (4, 5, 5)),
    "depthwise": (nn.Conv2d(4, 8, 3, padding=1, groups=4), (4, 5, 5)),
    "pointwise": (nn.Conv2d(3, 4, 1), (3, 2, 2)),
    "one_dimension": (nn.Conv1d(2, 3, 3, stride=2, padding=1), (2, 7)),
    "one_dimension_grouped": (nn.Conv1d(4, 4, 3, groups=2, padding="same"), (4, 7)),
}


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_rows_times_the_weight_are_the_convolution(name: str) -> None:
    conv, shape = CONVOLUTIONS[name]
    inputs = normal(2, *shape)
    rows = input_rows(conv, inputs)  # (groups, n, in)
    weight = as_matrix(conv.weight).unflatten(0, (conv.groups, -1))  # (groups, out, in)
    with torch.no_grad():
        product = torch.cat(list(rows @ weight.mT), dim=1)  # (n, out)
        expected = conv(inputs).movedim(1, -1).flatten(0, -2) - conv.bias
    torch.testing.assert_close(product, expected)


def test_rows_of_a_linear_layer_are_its_tokens() -> None:
    inputs = normal(2, 3, 5)
    assert torch.equal(input_rows(nn.Linear(5, 4), inputs), inputs.reshape(1, 6, 5))


def test_chunks_are_all_the_images_in_order() -> None:
    inputs = torch.arange(6.0).expand(CHUNK // 8, 6).contiguous()
    parts = chunks(nn.Linear(6, 1), inputs)
    assert torch.equal(torch.cat(parts), inputs)
    assert all(part.numel() <= CHUNK for part in parts)


def test_one_image_is_never_divided() -> None:
    images = torch.zeros(2, 1, 2048, 2048)
    assert [len(part) for part in chunks(nn.Conv2d(1, 1, 3), images)] == [1, 1]


def test_picked_rows_are_distinct_rows() -> None:
    rows = torch.arange(40.0).view(1, 10, 4)
    picked = pick_rows(rows, 0.5, torch.Generator().manual_seed(0))
    assert picked.shape == (1, 5, 4)
    firsts = picked[0, :, 0].tolist()
    assert len(set(firsts)) == 5
    assert set(firsts) <= set(rows[0, :, 0].tolist())


def test_at_least_one_row_is_picked() -> None:
    assert pick_rows(normal(1, 10, 4), 1e-9, torch.Generator().manual_seed(0)).shape == (1, 1, 4)


def test_the_whole_share_is_the_rows_themselves() -> None:
    rows = normal(1, 10, 4)
    assert pick_rows(rows, 1.0, torch.Generator().manual_seed(0)) is rows
