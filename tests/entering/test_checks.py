"""What is refused at the door, each in words with the remedy."""

import math
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from compress_core.original import Original


def small() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3)).eval()


def with_buffer(buffer: Tensor, **options: Any) -> nn.Module:
    module = small()
    module.register_buffer("extra", buffer, **options)
    return module


def with_parameter(tensor: Tensor) -> nn.Module:
    module = small()
    module.register_parameter("extra", nn.Parameter(tensor, requires_grad=False))
    return module


def with_value(key: str, value: float) -> nn.Module:
    module = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 3)).eval()
    tensors = dict(module.named_parameters()) | dict(module.named_buffers())
    with torch.no_grad():
        tensors[key].view(-1)[1] = value
    return module


def in_parallel() -> nn.Module:
    return nn.Sequential(nn.DataParallel(small()), nn.Linear(3, 3)).eval()


def locked() -> nn.Module:
    module = small()
    module[0].lock = threading.Lock()
    return module


REFUSED: dict[str, tuple[Callable[[], object], list[str]]] = {
    "a state dict": (lambda: small().state_dict(), ["state dict", "pass an nn.Module"]),
    "a class": (lambda: nn.Linear, ["the class Linear", "pass an nn.Module"]),
    "a function": (lambda: torch.relu, ["no network", "pass an nn.Module"]),
    "exported": (
        lambda: torch.export.export(small(), (torch.zeros(2, 4),)),
        ["ExportedProgram", "nn.Module that was exported"],
    ),
    "an exported graph": (
        lambda: torch.export.export(small(), (torch.zeros(2, 4),)).module(),
        ["graph from torch.export", "nn.Module that was exported"],
    ),
    "scripted": (lambda: torch.jit.script(small()), ["TorchScript", "scripted or traced from"]),
    "traced": (
        lambda: torch.jit.trace(small(), torch.zeros(2, 4)),
        ["TorchScript", "scripted or traced from"],
    ),
    "a part in parallel": (in_parallel, ["its part 0 is wrapped in DataParallel", ".module"]),
    "training": (lambda: small().train(), ["training mode", "model.eval()"]),
    "meta": (lambda: small().to("meta"), ["0.weight is on the meta device", "load its weights"]),
    "lazy": (
        lambda: nn.Sequential(nn.LazyLinear(4), nn.Linear(4, 3)).eval(),
        ["0.weight has no shape yet", "run the network once"],
    ),
    "complex": (
        lambda: with_buffer(torch.zeros(2, dtype=torch.complex64)),
        ["extra is complex", "persistent=False"],
    ),
    "a complex parameter": (
        lambda: with_parameter(torch.zeros(2, dtype=torch.complex64)),
        ["extra is complex", "view_as_real"],
    ),
    "sparse": (lambda: with_buffer(torch.eye(3).to_sparse()), ["extra is sparse", "to_dense()"]),
    "sparse rows": (
        lambda: with_buffer(torch.eye(3).to_sparse_csr()),
        ["extra is sparse", "to_dense()"],
    ),
    "quantized": (
        lambda: with_buffer(torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)),
        ["extra is quantized", "floating point"],
    ),
    "float8": (
        lambda: with_parameter(torch.ones(3).to(torch.float8_e4m3fn)),
        ["extra is torch.float8_e4m3fn", "model.float()"],
    ),
    "NaN in a bias": (lambda: with_value("2.bias", math.nan), ["2.bias holds 1 NaN of 3"]),
    "NaN in a norm": (lambda: with_value("1.weight", math.nan), ["1.weight holds 1 NaN of 4"]),
    "NaN in a statistic": (
        lambda: with_value("1.running_mean", math.nan),
        ["1.running_mean holds 1 NaN of 4", "checkpoint that did not diverge"],
    ),
    "infinity in a statistic": (
        lambda: with_value("1.running_var", math.inf),
        ["1.running_var holds 1 infinite", "checkpoint"],
    ),
    "infinity in a bias": (lambda: with_value("0.bias", -math.inf), ["0.bias holds 1 infinite"]),
    "NaN in a buffer": (lambda: with_buffer(torch.tensor([math.nan])), ["extra holds 1 NaN"]),
    "a lock": (locked, ["cannot be copied: 0.lock", "set it to None"]),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_compressed_is_refused_with_the_remedy(name: str) -> None:
    make, words = REFUSED[name]
    module = make()
    with pytest.raises(ValueError, match=words[0]) as refused:
        Original(module, (4,))  # type: ignore[arg-type]
    assert [word for word in words if word not in str(refused.value)] == []


@pytest.mark.parametrize(
    "buffer",
    [
        torch.full((3, 3), -math.inf).triu(1),  # a causal mask
        torch.arange(3),
        torch.tensor([True, False]),
        torch.zeros(0),
        torch.ones(3, dtype=torch.float64),
    ],
    ids=["mask", "integers", "booleans", "empty", "double"],
)
def test_other_buffers_are_taken_as_they_are(buffer: Tensor) -> None:
    taken = Original(with_buffer(buffer), (4,)).module.get_buffer("extra")
    assert taken.dtype == buffer.dtype
    assert torch.equal(taken, buffer)


def test_a_complex_buffer_that_no_file_holds_is_taken() -> None:
    rotations = torch.polar(torch.ones(3), torch.arange(3.0))
    taken = Original(with_buffer(rotations, persistent=False), (4,))
    assert torch.equal(taken.module.get_buffer("extra"), rotations)


@pytest.mark.parametrize("wrap", [nn.DataParallel, lambda m: nn.DataParallel(nn.DataParallel(m))])
def test_data_parallel_is_taken_off(wrap: Callable[[nn.Module], nn.Module]) -> None:
    assert list(Original(wrap(small()).eval(), (4,)).layers) == ["0", "2"]


def test_torch_compile_is_taken_off() -> None:
    compiled = torch.compile(small(), backend="eager")
    assert list(Original(compiled, (4,)).layers) == ["0", "2"]  # type: ignore[arg-type]


def test_a_symbolic_trace_keeps_its_layers() -> None:
    assert list(Original(torch.fx.symbolic_trace(small()), (4,)).layers) == ["0", "2"]
