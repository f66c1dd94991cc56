"""Convolutions, also transposed ones, of one to three dimensions."""

from torch import nn

from compress_core.models.importing.onnx.calls import Call, Cropped, Padded, Plain, SamePadded
from compress_core.models.importing.onnx.layers.common import Built, NodeView, fill, made_of

CONVOLUTIONS: dict[int, type[nn.Module]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED: dict[int, type[nn.Module]] = {
    1: nn.ConvTranspose1d,
    2: nn.ConvTranspose2d,
    3: nn.ConvTranspose3d,
}
Convolution = (
    nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d
)


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
    filled = fill(module, tensors)
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
    filled = fill(module, tensors)
    return Built(filled, call, (view.moving,), tensors, takes_bias=bias is None)
