"""Half and double precision: computed in float32, counted and stored in their own type."""

import math
from typing import Any

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from compress_core.compressed import compress
from compress_core.data import Dataset
from compress_core.entering.tensors import in_own_type
from compress_core.measurement.report import measure_size
from compress_core.methods.pruning import Prune
from compress_core.methods.quantization import CorrectBias, Quantize
from compress_core.original import Original
from compress_core.storage.container import decode

OTHERS = [torch.float16, torch.bfloat16, torch.float64]


def network(dtype: torch.dtype) -> nn.Sequential:
    torch.manual_seed(0)
    return (
        nn.Sequential(
            nn.Conv1d(2, 8, 3), nn.BatchNorm1d(8), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5)
        )
        .to(dtype)
        .eval()
    )


def original(dtype: torch.dtype) -> Original:
    return Original(network(dtype), (2, 10))


@pytest.mark.parametrize("dtype", OTHERS)
def test_other_types_are_computed_in_float32(dtype: torch.dtype) -> None:
    made, x = original(dtype), torch.rand(4, 2, 10)
    types = {tensor.dtype for tensor in made.module.state_dict().values()}
    assert types == {torch.float32, torch.int64}
    expected = network(dtype).float()(x)
    torch.testing.assert_close(made.module(x), expected.detach(), atol=0, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, *OTHERS])
def test_the_original_is_counted_in_its_own_type(dtype: torch.dtype) -> None:
    assert original(dtype).stored_bytes == len(save(network(dtype).state_dict()))


@pytest.mark.parametrize("dtype", OTHERS[:2])
@pytest.mark.parametrize("recipe", [(), (Prune(sparsity=0.5),), (Quantize(bits=8),)])
def test_what_no_step_changed_is_stored_in_its_own_type(
    dtype: torch.dtype, recipe: tuple[Any, ...]
) -> None:
    made = compress(original(dtype), recipe)
    tensors = load(made.readable.raw)
    assert tensors["0.bias"].dtype == tensors["1.running_var"].dtype == dtype
    assert made.stored_bytes < made.original.stored_bytes + 600  # the header
    decoded, evaluated = decode(made.container).state_dict, made.module.state_dict()
    assert all(torch.equal(decoded[key], evaluated[key]) for key in evaluated)
    assert all(decoded[key].dtype == evaluated[key].dtype for key in evaluated)


@pytest.mark.parametrize("dtype", OTHERS[:2])
def test_weights_as_they_came_take_two_bytes_each(dtype: torch.dtype) -> None:
    made = compress(original(dtype), ())
    assert load(made.readable.raw)["4.weight:weight"].dtype == dtype
    rows = measure_size(made).layers
    assert [row.bytes for row in rows] == [2 * 48, 2 * 320]
    assert [row.original_bytes for row in rows] == [2 * 48, 2 * 320]


def test_a_tensor_that_a_step_has_changed_is_stored_in_float32() -> None:
    x = torch.rand(20, 2, 10)
    data = Dataset("noise", "train", x, torch.zeros(20, dtype=torch.long), ("a", "b"))
    half = Original(network(torch.float16), (2, 10), calibration=data)
    made = compress(half, (Quantize(bits=3), CorrectBias(samples=20)))
    tensors = load(made.readable.raw)
    assert tensors["4.bias"].dtype == torch.float32
    assert tensors["1.bias"].dtype == torch.float16
    assert torch.equal(decode(made.container).state_dict["4.bias"], made.module[4].bias)


@pytest.mark.parametrize("value", [0.1, 1e30, -0.0, math.inf])
def test_a_type_that_cannot_hold_the_value_is_not_taken(value: float) -> None:
    tensor = torch.tensor([1.0, value])
    stored = in_own_type(tensor, torch.float16)
    assert stored.dtype == (torch.float16 if value in (0, math.inf) else torch.float32)
    assert torch.equal(stored.float().view(torch.int32), tensor.view(torch.int32))


class Casts(nn.Module):
    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 3)
        self.dtype = dtype
        self.constants = [torch.ones(4, dtype=dtype)]

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(x.to(self.dtype) * self.constants[0])
        return out


@pytest.mark.parametrize("dtype", OTHERS)
def test_constants_and_named_types_follow_the_weights(dtype: torch.dtype) -> None:
    came = Casts(dtype).to(dtype).eval()
    made = compress(Original(came, (4,)), (Quantize(bits=8),))
    assert made.module(torch.rand(2, 4)).dtype == torch.float32
    assert came.dtype == came.constants[0].dtype == dtype


class CastsItself(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(x.half())
        return out


def test_a_forward_that_casts_to_half_precision_is_refused() -> None:
    with pytest.raises(ValueError, match=r"does not run in float32.*casts to another type"):
        Original(CastsItself().half().eval(), (4,))


def test_a_half_precision_buffer_beside_float32_weights_becomes_float32() -> None:
    came = nn.Sequential(nn.Linear(4, 3)).eval()
    came.register_buffer("scale", torch.tensor([0.5, 3.0], dtype=torch.bfloat16))
    made = compress(Original(came, (4,)), ())
    assert load(made.readable.raw)["scale"].dtype == torch.bfloat16
    assert decode(made.container).state_dict["scale"].tolist() == [0.5, 3.0]
    assert decode(made.container).state_dict["scale"].dtype == torch.float32
