"""An Add behind a layer becomes the layer's bias."""

from onnx import NodeProto
from torch import Tensor, nn

from compress_core.models.importing.onnx.constants import Constant
from compress_core.models.importing.onnx.layers.common import Built, NodeView, fill
from compress_core.models.importing.onnx.layers.convolution import Convolution


def bias_behind(view: NodeView, built: Built) -> tuple[Constant, NodeProto] | None:
    """What an Add, the only reader of the layer's output, adds to each output of the layer."""
    name = view.node.output[0]
    readers = view.graph.readers(name)
    if not built.takes_bias or name in view.graph.outputs or len(readers) != 1:
        return None
    add = readers[0]
    if add.op_type != "Add" or add.domain or name not in add.input:
        return None
    constant = view.graph.constant(add.input[1 - list(add.input).index(name)])
    if constant is None or not constant.is_float:
        return None
    flat = _as_bias(built.module, constant.values, view.rank(name))
    return None if flat is None else (constant.laid_out(flat), add)


def _as_bias(module: nn.Module, values: Tensor, rank: int | None) -> Tensor | None:
    """`values` as one number for each output of the layer; None where it adds something else."""
    shape = list(values.shape)
    if isinstance(module, nn.Linear):
        # with more dimensions than the output it would give that more, too
        fits = len(shape) == 1 or (rank is not None and 1 < len(shape) <= rank)
        whole = [*[1] * (len(shape) - 1), module.out_features]
        return values.reshape(-1) if fits and shape == whole else None
    assert isinstance(module, Convolution)
    around = [module.out_channels, *[1] * len(module.kernel_size)]
    return values.reshape(-1) if shape in (around, [1, *around]) else None


def add_bias(built: Built, bias: Constant) -> None:
    """Give the layer a bias; it is the importer's own until the network is there."""
    fill(built.module, {"bias": bias})
    built.tensors = {**built.tensors, "bias": bias}
