"""Plain networks of operators are exported by torch, for any batch."""

import torch
from torch import Tensor, nn

from compress_core.models.importing.onnx.operators import operator_for
from tests.models.importing.onnx.running import make_node


class Network(nn.Module):
    """A small CNN; sizes, axes and bounds are constants, as in ONNX files."""

    def __init__(self) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(0)
        self.kernel = nn.Parameter(torch.randn(4, 1, 3, 3, generator=random))
        self.matrix = nn.Parameter(torch.randn(10, 2 * 4 * 14 * 14, generator=random))
        self.register_buffer("norm", torch.rand(4, 4, generator=random) + 0.5)
        self.constants = {
            "bounds": torch.tensor([0.0, 6.0]).unbind(),
            "flat": torch.tensor([0, -1]),
            "part": (torch.tensor([0]), torch.tensor([9]), torch.tensor([1])),
            "scales": torch.tensor([1.0, 1, 2, 2]),
        }

    def forward(self, x: Tensor) -> Tensor:
        same = {"kernel_shape": [3, 3], "auto_pad": "SAME_UPPER", "strides": [2, 2]}
        x = run("Conv", x, self.kernel, **same)
        assert isinstance(self.norm, Tensor)
        x = run("BatchNormalization", x, *self.norm)
        x = run("Clip", x, *self.constants["bounds"])
        ceil = {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}
        large = run("Resize", run("AveragePool", x, **ceil), None, self.constants["scales"])
        x = run("Concat", run("Relu", x), large, axis=1)
        x = run("Reshape", x, self.constants["flat"])
        x = run("Gemm", x, self.matrix, transB=1)
        return run("Softmax", run("Slice", x, *self.constants["part"]), axis=-1)


def run(op_type: str, *inputs: Tensor | None, **attributes: object) -> Tensor:
    if op_type == "Resize":
        attributes = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    operator = operator_for(make_node(op_type, inputs, **attributes), 17)
    assert operator is not None
    result = operator(inputs)[0]
    assert result is not None
    return result


def test_a_network_is_exported_for_any_batch() -> None:
    network, batch = Network().eval(), torch.export.Dim("batch")
    exported = torch.export.export(
        network, (torch.rand(2, 1, 28, 28),), dynamic_shapes=({0: batch},)
    )
    x = torch.rand(5, 1, 28, 28)
    torch.testing.assert_close(exported.module()(x), network(x))


def test_a_network_is_traced() -> None:
    network, x = Network().eval(), torch.rand(2, 1, 28, 28)
    exported = torch.export.export(network, (x,))
    torch.testing.assert_close(exported.module()(x), network(x))
