"""Norms whose scales are constants: of batches, instances, layers and groups of channels."""

from torch import nn

from compress_core.models.importing.onnx.calls import Plain
from compress_core.models.importing.onnx.layers.common import Built, NodeView, fill, made_of

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
    return Built(fill(module, tensors), Plain(), (view.moving,), tensors)


def build_instance_norm(view: NodeView) -> Built | None:
    weight, bias = view.constant(1), view.constant(2)
    cls = INSTANCE_NORMS.get(view.rank(view.input(0)) or 0)
    if view.moving is None or cls is None or weight is None or bias is None:
        return None
    module = cls(len(weight.values), eps=view.number("epsilon", 1e-5), affine=True)
    tensors = made_of(weight=weight, bias=bias)
    return Built(fill(module, tensors), Plain(), (view.moving,), tensors)


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
    return Built(fill(module, tensors), Plain(), (view.moving,), tensors)


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
    return Built(fill(module, tensors), Plain(), (view.moving,), tensors)
