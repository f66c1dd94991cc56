"""Networks with codes inside can be trained: rounding passes gradients straight through."""

import pytest
import torch
from torch import Tensor

from compress_core.models.importing.onnx.operators import operator_for
from tests.models.importing.onnx.running import make_node

SCALE, ZERO = torch.tensor(0.1), torch.tensor(10, dtype=torch.uint8)


def run(op_type: str, *inputs: Tensor) -> Tensor:
    operator = operator_for(make_node(op_type, inputs), 13)
    assert operator is not None
    result = operator(inputs)[0]
    assert result is not None
    return result


def through_codes(x: Tensor) -> Tensor:
    return run("DequantizeLinear", run("QuantizeLinear", x, SCALE, ZERO), SCALE, ZERO)


def test_gradients_pass_inside_the_range_of_the_codes_and_stop_outside() -> None:
    x = torch.tensor([-1.2, -0.99, 0.04, 24.4, 24.8], requires_grad=True)  # codes from −1 to 24.5
    through_codes(x).sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, torch.tensor([0.0, 1, 1, 1, 0]))


def test_values_are_the_same_with_gradients_and_without() -> None:
    x = torch.randn(1000, generator=torch.Generator().manual_seed(0)) * 9
    assert torch.equal(through_codes(x.clone().requires_grad_()), through_codes(x))


def test_codes_are_integers_where_nothing_is_trained() -> None:
    x = torch.rand(3)
    assert run("QuantizeLinear", x, SCALE, ZERO).dtype == torch.uint8
    with torch.no_grad():
        assert run("QuantizeLinear", x.requires_grad_(), SCALE, ZERO).dtype == torch.uint8


@pytest.mark.parametrize("op_type", ["QLinearConv", "QLinearMatMul"])
def test_gradients_pass_products_of_codes(op_type: str) -> None:
    x = torch.rand(1, 2, 4, 4, requires_grad=True)
    codes = run("QuantizeLinear", x, SCALE, ZERO)
    weight = torch.randint(9, 12, (3, 2, 4, 4), dtype=torch.uint8)
    weight = weight if op_type == "QLinearConv" else weight[:1]
    y = run(op_type, codes, SCALE, ZERO, weight, SCALE, ZERO, SCALE, ZERO)
    y.sum().backward()
    assert x.grad is not None
    assert bool((x.grad != 0).any())
