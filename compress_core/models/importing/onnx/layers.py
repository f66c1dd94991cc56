"""The nodes whose weights are constants become the layers of torch.

Each builder takes a node, and gives the module that stands in its place, or None for one that stays
a node, its weights then bare parameters of the network.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from onnx import NodeProto
from torch import Tensor, nn

from compress_core.models.importing.onnx.calls import (
    Call,
    Cropped,
    Lookup,
    Padded,
    Plain,
    SamePadded,
)
from compress_core.models.importing.onnx.constants import Constant
from compress_core.models.importing.onnx.graph import Graph
from compress_core.models.importing.onnx.reading import attributes_of

CONVOLUTIONS: dict[int, type[nn.Module]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED: dict[int, type[nn.Module]] = {
    1: nn.ConvTranspose1d,
    2: nn.ConvTranspose2d,
    3: nn.ConvTranspose3d,
}
Convolution = (
    nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d
)
BATCH_NORMS: dict[int, type[nn.Module]] = {
    2: nn.BatchNorm1d,
    3: nn.BatchNorm1d,
    4: nn.BatchNorm2d,
    5: nn.BatchNorm3d,
}
INSTANCE_NORMS: dict[int, type[nn.Module]] = {
    3: nn.InstanceNorm1d,
    4: nn.InstanceNorm2d,
    5: nn.InstanceNorm3d,
}


@dataclass(eq=False)
class Built:
    """A layer in the place of a node: how it is called, with which of the node's inputs, and of
    which constants its tensors are made, by attribute."""

    module: nn.Module
    call: Call
    inputs: tuple[str, ...]
    tensors: Mapping[str, Constant]
    takes_bias: bool = False  # an Add behind it may become its bias


@dataclass(eq=False)
class NodeView:
    """A node with what its graph knows of its inputs."""

    graph: Graph
    node: NodeProto
    named: Mapping[str, object] = field(init=False)

    def __post_init__(self) -> None:
        self.named = attributes_of(self.node)

    def constant(self, place: int) -> Constant | None:
        """The float constant that is the input at `place`."""
        name = self.input(place)
        found = self.graph.constant(name) if name else None
        return found if found is not None and found.is_float else None

    def input(self, place: int) -> str:
        return self.node.input[place] if place < len(self.node.input) else ""

    def whole(self, name: str, default: int) -> int:
        value = self.named.get(name, default)
        assert isinstance(value, int)
        return value

    def number(self, name: str, default: float) -> float:
        value = self.named.get(name, default)
        assert isinstance(value, int | float)
        return float(value)

    def numbers(self, name: str, default: Sequence[int]) -> tuple[int, ...]:
        value = self.named.get(name) or default
        assert isinstance(value, Sequence)
        return tuple(int(v) for v in value)

    def rank(self, name: str) -> int | None:
        shape = self.graph.shape(name)
        return None if shape is None else len(shape)

    @property
    def moving(self) -> str | None:
        """The first input, where it is no constant."""
        name = self.input(0)
        return name if name and self.graph.constant(name) is None else None


def fill(module: nn.Module, tensors: Mapping[str, Tensor | None]) -> nn.Module:
    """A module in evaluation mode that has `tensors` as its parameters and buffers."""
    for name, values in tensors.items():
        own = None if values is None else values.detach().clone().contiguous()
        if name in module._buffers:
            module._buffers[name] = own
        else:
            made = None if own is None else nn.Parameter(own, requires_grad=False)
            module._parameters[name] = made
    return module.eval()


def made_of(**tensors: Constant | None) -> dict[str, Constant]:
    return {name: constant for name, constant in tensors.items() if constant is not None}


def _values(tensors: Mapping[str, Constant]) -> dict[str, Tensor]:
    return {name: constant.values for name, constant in tensors.items()}


def build_gemm(view: NodeView) -> Built | None:
    weight, bias = view.constant(1), view.constant(2)
    if view.moving is None or weight is None or view.whole("transA", 0):
        return None
    if (view.input(2) and bias is None) or weight.values.dim() != 2:
        return None
    values = weight.values if view.whole("transB", 0) else weight.values.t()
    own = weight.laid_out(view.number("alpha", 1.0) * values)
    if bias is not None:
        flat = bias.values.reshape(-1) * view.number("beta", 1.0)
        flat_row = bias.values.dim() < 2 or bias.values.shape[0] == 1
        if not flat_row or len(flat) not in (1, len(values)):
            return None
        bias = bias.laid_out(flat.expand(len(values)))
    return _linear(view, own, bias)


def build_matmul(view: NodeView) -> Built | None:
    weight = view.constant(1)
    if view.moving is None or weight is None or weight.values.dim() != 2:
        return None
    return _linear(view, weight.laid_out(weight.values.t()), None)


def _linear(view: NodeView, weight: Constant, bias: Constant | None) -> Built | None:
    if weight.values.numel() == 0 or view.moving is None:
        return None
    fan_out, fan_in = weight.values.shape
    module = nn.utils.skip_init(nn.Linear, fan_in, fan_out, bias=bias is not None)
    tensors = made_of(weight=weight, bias=bias)
    filled = fill(module, _values(tensors))
    return Built(filled, Plain(), (view.moving,), tensors, takes_bias=bias is None)


def build_conv(view: NodeView) -> Built | None:
    weight, bias = view.constant(1), view.constant(2)
    if view.moving is None or weight is None or (view.input(2) and bias is None):
        return None
    kernel = tuple(weight.values.shape[2:])
    cls = CONVOLUTIONS.get(len(kernel))
    groups = view.whole("group", 1)
    if cls is None or weight.values.numel() == 0 or groups < 1 or weight.values.shape[0] % groups:
        return None
    call, padding = _padding(view, kernel)
    module = nn.utils.skip_init(
        cls,
        weight.values.shape[1] * groups,
        weight.values.shape[0],
        kernel,
        stride=view.numbers("strides", [1] * len(kernel)),
        padding=padding,
        dilation=view.numbers("dilations", [1] * len(kernel)),
        groups=groups,
        bias=bias is not None,
    )
    tensors = made_of(weight=weight, bias=bias)
    filled = fill(module, _values(tensors))
    return Built(filled, call, (view.moving,), tensors, takes_bias=bias is None)


def _padding(view: NodeView, kernel: tuple[int, ...]) -> tuple[Call, tuple[int, ...]]:
    """What is padded by the module itself, and what around it."""
    ones, none = [1] * len(kernel), (0,) * len(kernel)
    strides, dilations = view.numbers("strides", ones), view.numbers("dilations", ones)
    mode = view.named.get("auto_pad", "NOTSET")
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        spans = [(k - 1) * d for k, d in zip(kernel, dilations, strict=True)]
        if set(strides) == {1} and all(span % 2 == 0 for span in spans):
            return Plain(), tuple(span // 2 for span in spans)
        return SamePadded(mode == "SAME_LOWER", kernel, strides, dilations), none
    pads = view.numbers("pads", none * 2) if mode != "VALID" else none * 2
    before, behind = pads[: len(kernel)], pads[len(kernel) :]
    return (Plain(), before) if before == behind else (Padded(before, behind), none)


def build_conv_transpose(view: NodeView) -> Built | None:
    weight, bias = view.constant(1), view.constant(2)
    if view.moving is None or weight is None or (view.input(2) and bias is None):
        return None
    kernel = tuple(weight.values.shape[2:])
    cls, ones, none = TRANSPOSED.get(len(kernel)), [1] * len(kernel), (0,) * len(kernel)
    mode = view.named.get("auto_pad", "NOTSET")
    if cls is None or view.named.get("output_shape") or mode not in ("NOTSET", "VALID"):
        return None
    pads = view.numbers("pads", none * 2) if mode == "NOTSET" else none * 2
    before, behind = pads[: len(kernel)], pads[len(kernel) :]
    same = before == behind
    groups = view.whole("group", 1)
    module = nn.utils.skip_init(
        cls,
        weight.values.shape[0],
        weight.values.shape[1] * groups,
        kernel,
        stride=view.numbers("strides", ones),
        padding=before if same else none,
        output_padding=view.numbers("output_padding", none),
        groups=groups,
        bias=bias is not None,
        dilation=view.numbers("dilations", ones),
    )
    tensors = made_of(weight=weight, bias=bias)
    call = Plain() if same else Cropped(before, behind)
    filled = fill(module, _values(tensors))
    return Built(filled, call, (view.moving,), tensors, takes_bias=bias is None)


def build_gather(view: NodeView) -> Built | None:
    table = view.constant(0)
    if table is None or table.values.dim() != 2 or view.whole("axis", 0) not in (0, -2):
        return None
    if table.values.numel() == 0 or not view.input(1) or view.graph.constant(view.input(1)):
        return None
    rows, width = table.values.shape
    module = nn.utils.skip_init(nn.Embedding, rows, width)
    filled = fill(module, {"weight": table.values})
    return Built(filled, Lookup(), (view.input(1),), made_of(weight=table))


def build_batch_norm(view: NodeView) -> Built | None:
    found = [view.constant(i) for i in range(1, 5)]
    cls = BATCH_NORMS.get(view.rank(view.input(0)) or 4)
    if view.moving is None or cls is None or any(c is None for c in found):
        return None
    if view.whole("training_mode", 0) or not view.whole("spatial", 1):
        return None
    if any(view.node.output[1:]):
        return None
    names = ("weight", "bias", "running_mean", "running_var")
    tensors = made_of(**dict(zip(names, found, strict=True)))
    channels = len(tensors["weight"].values)
    if any(c.values.shape != (channels,) for c in tensors.values()):
        return None
    module = cls(channels, eps=view.number("epsilon", 1e-5))
    return Built(fill(module, _values(tensors)), Plain(), (view.moving,), tensors)


def build_instance_norm(view: NodeView) -> Built | None:
    weight, bias = view.constant(1), view.constant(2)
    cls = INSTANCE_NORMS.get(view.rank(view.input(0)) or 0)
    if view.moving is None or cls is None or weight is None or bias is None:
        return None
    module = cls(len(weight.values), eps=view.number("epsilon", 1e-5), affine=True)
    tensors = made_of(weight=weight, bias=bias)
    return Built(fill(module, _values(tensors)), Plain(), (view.moving,), tensors)


def build_layer_norm(view: NodeView) -> Built | None:
    weight, bias = view.constant(1), view.constant(2)
    rank, axis = view.rank(view.input(0)), view.whole("axis", -1)
    if view.moving is None or weight is None or any(view.node.output[1:]):
        return None
    if view.input(2) and bias is None:
        return None
    normalized = -axis if axis < 0 else (rank - axis if rank else 0)
    if weight.values.dim() != normalized or (bias and bias.values.shape != weight.values.shape):
        return None
    shape, eps = list(weight.values.shape), view.number("epsilon", 1e-5)
    module = nn.LayerNorm(shape, eps=eps, bias=bias is not None)
    tensors = made_of(weight=weight, bias=bias)
    return Built(fill(module, _values(tensors)), Plain(), (view.moving,), tensors)


def build_group_norm(view: NodeView) -> Built | None:
    weight, bias = view.constant(1), view.constant(2)
    if view.moving is None or weight is None or bias is None:
        return None
    shape = view.graph.shape(view.input(0))
    channels = shape[1] if shape and len(shape) > 1 else None
    groups = view.whole("num_groups", 1)
    if not isinstance(channels, int) or channels % groups or len(weight.values) != channels:
        return None  # before opset 21 there was one scale for each group
    module = nn.GroupNorm(groups, channels, eps=view.number("epsilon", 1e-5))
    tensors = made_of(weight=weight, bias=bias)
    return Built(fill(module, _values(tensors)), Plain(), (view.moving,), tensors)


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
    values = bias.values.detach().clone().contiguous()
    built.module._parameters["bias"] = nn.Parameter(values, requires_grad=False)
    built.tensors = {**built.tensors, "bias": bias}
