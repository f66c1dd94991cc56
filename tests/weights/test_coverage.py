"""Which part of a network's parameters the methods reach."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from compress_core.command_line.console import coverage_rows
from compress_core.compressed import compress
from compress_core.measurement.report import measure_size
from compress_core.original import Original
from compress_core.weights import Coverage


def test_biases_and_norms_are_what_is_not_reached(animal: Callable[[str], Original]) -> None:
    coverage = animal("norm").coverage
    assert dict(coverage.unreached) == {"conv.bias": 4, "norm.weight": 4, "norm.bias": 4}
    assert coverage.fraction == pytest.approx(72 / 84)


def test_a_tied_weight_is_counted_once(animal: Callable[[str], Original]) -> None:
    assert animal("tied").coverage == Coverage(16 / 20, (("a.bias", 4),))


@pytest.mark.parametrize(
    "norm",
    [
        nn.LayerNorm((3, 4)),
        nn.RMSNorm((3, 4)),
        nn.InstanceNorm1d(3, affine=True),
        nn.SyncBatchNorm(3),
        nn.BatchNorm1d(3),
        nn.GroupNorm(1, 3),
    ],
)
def test_no_norm_of_torch_is_a_layer(norm: nn.Module) -> None:
    original = Original(nn.Sequential(norm, nn.Linear(4, 2)).eval(), (3, 4))
    assert list(original.layers) == ["1"]
    assert dict(original.coverage.unreached).keys() >= {"0.weight"}


def test_whole_numbers_and_vectors_are_no_layers() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.gain = nn.Linear(4, 2, bias=False), nn.Parameter(torch.ones(2))
            self.steps = nn.Parameter(torch.ones(2, 2, dtype=torch.int64), requires_grad=False)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.fc(x) * self.gain
            return out

    original = Original(Net().eval(), (4,))
    assert list(original.layers) == ["fc"]
    assert original.coverage == Coverage(8 / 14, (("gain", 2), ("steps", 4)))


def test_the_size_of_a_model_says_what_was_reached(digits_mlp: Original) -> None:
    assert measure_size(compress(digits_mlp, ())).coverage.fraction == pytest.approx(50200 / 50610)


def test_a_line_names_the_largest_that_are_not_reached() -> None:
    missed = (("a", 1), ("b", 1000), ("c", 10), ("d", 100))
    assert coverage_rows(Coverage(0.5, missed)) == [
        ("coverage", "50.0 %", "of parameters; not b (1,000), d (100), c (10) and 1 more")
    ]


def test_where_little_is_missed_no_line_says_so() -> None:
    assert coverage_rows(Coverage(0.95, (("a", 5),))) == []
