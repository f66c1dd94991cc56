"""Weights of every kind in the graph: torch and onnxruntime agree."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from compress_core.compressed import Compressed, compress
from compress_core.graph import to_onnx
from compress_core.graph.structure import GraphError
from compress_core.methods.pruning import Prune
from compress_core.methods.quantization import Binarize, Quantize, QuantizeFloat
from compress_core.methods.weight_sharing import ShareWeights
from compress_core.original import Original

KINDS = ("transposed", "volume", "bare", "recurrent", "cell", "bilinear", "bag")
STEPS: dict[str, Any] = {
    "floats": Prune(sparsity=0.5),
    "channels": Quantize(bits=8, granularity="channel", scheme="asymmetric"),
    "groups": Quantize(bits=4, granularity="group", group_size=3),
    "signs": Binarize(),
    "fp8": QuantizeFloat(),
    "fp16": QuantizeFloat(format="fp16"),
    "shared": ShareWeights(clusters=4),
}


def assert_agreement(compressed: Compressed) -> None:
    shape = (3, *compressed.original.input_shape)
    images = torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 9
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        to_onnx(compressed), options, providers=["CPUExecutionProvider"]
    )
    (found,) = session.run(None, {"images": images.numpy()})
    with torch.no_grad():
        expected = compressed.module(images).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max(), rtol=0)


@pytest.fixture(scope="module", params=KINDS)
def original(request: pytest.FixtureRequest, animal: Callable[[str], Original]) -> Original:
    return animal(request.param)


@pytest.mark.parametrize("step", STEPS)
def test_onnxruntime_agrees(original: Original, step: str) -> None:
    assert_agreement(compress(original, (STEPS[step],)))


@pytest.mark.parametrize(
    ("up", "size"),
    [
        (nn.ConvTranspose1d(4, 6, 3, dilation=2), (4, 5)),
        (nn.ConvTranspose2d(4, 8, 3, 2, padding=1, output_padding=1, groups=4), (4, 3, 3)),
        (nn.ConvTranspose3d(4, 6, 2, groups=2, bias=False), (4, 2, 3, 2)),
    ],
)
@pytest.mark.parametrize("step", ["floats", "channels", "groups"])
def test_transposed_convolutions_of_every_form_agree(
    up: nn.Module, size: tuple[int, ...], step: str
) -> None:
    assert_agreement(compress(Original(nn.Sequential(up).eval(), size), (STEPS[step],)))


@pytest.mark.parametrize(
    ("module", "size", "reason"),
    [
        (nn.LSTM(4, 5, proj_size=2), (3, 4), "proj_size=2"),
        (nn.EmbeddingBag(10, 4), (5,), "mode='mean'"),
    ],
)
def test_what_torch_translates_wrongly_has_no_graph(
    module: nn.Module, size: tuple[int, ...], reason: str
) -> None:
    class First(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.part = module

        def forward(self, x: torch.Tensor) -> Any:
            out = self.part(x)
            return out[0] if isinstance(out, tuple) else out

    dtype = torch.int64 if len(size) == 1 else torch.float32
    original = Original(First().eval(), size, input_dtype=dtype)
    with pytest.raises(GraphError, match=rf"cannot be exported to ONNX: part .*{reason}"):
        to_onnx(compress(original, ()))
