"""Run a model on images and look at what its layers take in and give out.

Hooks and modes act on a private copy: others may be running the model.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from compress_core.inputs import Inputs, call, split_rows
from compress_core.weights import Layer, with_weights

BATCH = 128
PROJECTED = {"q_proj_weight": 0, "k_proj_weight": 1, "v_proj_weight": 2}
ATTENTION_INPUTS = ("query", "key", "value")
# by the name of the function or method of torch, in place (…_) or not
NON_LINEARITIES = {
    *("celu", "elu", "gelu", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "mish"),
    *("prelu", "relu", "relu6", "rrelu", "selu", "sigmoid", "silu", "softplus", "tanh"),
    *("hardshrink", "logsigmoid", "softshrink", "softsign", "tanhshrink", "threshold"),
    *("clamp", "clamp_min", "clip"),  # how some networks write relu and relu6
}
# what may stand between a layer and its non-linearity: channels stay channels
BETWEEN = {
    *("batch_norm", "group_norm", "instance_norm", "layer_norm", "local_response_norm", "rms_norm"),
    *("alpha_dropout", "dropout", "dropout1d", "dropout2d", "dropout3d", "feature_alpha_dropout"),
}

Visit = Callable[[str, nn.Module, Tensor], None]  # (layer, its module, tensor)


def watch_inputs(
    model: nn.Module, layers: Mapping[str, Layer], inputs: Inputs, visit: Visit
) -> None:
    """Call `visit` with the inputs (B, …) of each of `layers`, batch by batch.

    Of attention's projections these are query, key and value; the packed one is given the query.
    """
    copied = with_weights(model, {})
    for name, layer in layers.items():
        for owner in layer.owners(copied):
            owner.register_forward_pre_hook(_input_hook(name, layer, visit), with_kwargs=True)
    with torch.inference_mode(False), torch.no_grad():
        for batch in split_rows(inputs, BATCH):
            call(copied, batch)


def _input_hook(name: str, layer: Layer, visit: Visit) -> Callable[..., None]:
    position = PROJECTED.get(layer.key.rpartition(".")[2], 0)

    def hook(module: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        attention = isinstance(module, nn.MultiheadAttention)
        word = ATTENTION_INPUTS[position] if attention else "input"
        visit(name, module, args[position] if len(args) > position else named[word])

    return hook


def watch_outputs(
    model: nn.Module, layers: Mapping[str, Layer], inputs: Inputs, visit: Visit
) -> None:
    """Call `visit` with the outputs of each of `layers`, batch by batch.

    After the non-linearity, where one follows, with or without a norm before it; else as they are.
    """
    copied = with_weights(model, {})
    following = _Following(visit)
    for name, layer in layers.items():
        if layer.key.rpartition(".")[2] == "weight":  # packed projections give nothing out
            for owner in layer.owners(copied):
                owner.register_forward_hook(following.hook(name))
    with torch.inference_mode(False), torch.no_grad():  # inference tensors count no versions
        for batch in split_rows(inputs, BATCH):
            with following:
                call(copied, batch)
            following.finish()


@dataclass(eq=False)
class _Output:
    """A layer's output on its way to a non-linearity.

    own: as the layer made it; the model may go on to write to its tensor. now: where it is on its
    way, kept alive, so that no other tensor gets its id. version: how often `now` had been written
    to; more often, and it holds something else, as after `y += x`, or `mul_` on a view of it.
    """

    layer: str
    module: nn.Module
    own: Tensor
    now: Tensor
    version: int
    seen: bool = False


class _Following(TorchFunctionMode):
    """Sees each function of torch that is called, and follows the layers' outputs through them."""

    def __init__(self, visit: Visit) -> None:
        super().__init__()
        self._visit = visit
        self._on_the_way: dict[int, _Output] = {}
        self._lost: list[_Output] = []  # what no non-linearity can follow any more

    def hook(self, layer: str) -> Callable[..., None]:
        def hook(module: nn.Module, _inputs: Any, output: Tensor) -> None:
            found = _Output(layer, module, output.clone(), output, output._version)
            self._follow(found, output)

        return hook

    def _follow(self, output: _Output, tensor: Tensor) -> None:
        if self._on_the_way.get(id(output.now)) is output:
            del self._on_the_way[id(output.now)]
        output.now, output.version = tensor, tensor._version
        before = self._on_the_way.get(id(tensor))
        if before is not None:  # a layer that gives out its input, written to
            self._lost.append(before)
        self._on_the_way[id(tensor)] = output

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        given = args[0] if args else (kwargs or {}).get("input")
        output = self._on_the_way.get(id(given))
        intact = output is not None and output.now._version == output.version
        result = func(*args, **(kwargs or {}))
        if output is not None and intact and not output.seen:
            name = getattr(func, "__name__", "").rstrip("_")
            if name in NON_LINEARITIES:
                output.seen = True
                self._visit(output.layer, output.module, result)
            elif name in BETWEEN:
                self._follow(output, result)
        return result

    def finish(self) -> None:
        """Visit the outputs that no non-linearity followed, and forget them all."""
        for output in (*self._lost, *self._on_the_way.values()):
            if not output.seen:
                self._visit(output.layer, output.module, output.own)
        self._lost.clear()
        self._on_the_way.clear()
