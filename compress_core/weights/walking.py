"""Walk the compressible weights of a network.

Compressible are the weights of Linear, convolutions and transposed convolutions of 1 to 3
dimensions, Bilinear, Embedding and EmbeddingBag, the packed projections of MultiheadAttention, each
weight of RNN, LSTM, GRU and their cells, and parameters of two or more dimensions that a module of
any other kind has of its own (positions, class tokens, weights for functional.linear). Biases and
the parameters of norms stay as they are; they are stored and counted.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from compress_core.plain import why_not_plain
from compress_core.weights.layer import UNSEEN_INPUTS, Layer

LARGEST = 1e37  # beyond it, sums of two weights come near the end of float32

LAYER_CLASSES: dict[type[nn.Module], str] = {
    nn.Linear: "linear",
    nn.Conv1d: "conv1d",
    nn.Conv2d: "conv2d",
    nn.Conv3d: "conv3d",
    nn.ConvTranspose1d: "conv_transpose",
    nn.ConvTranspose2d: "conv_transpose",
    nn.ConvTranspose3d: "conv_transpose",
    nn.Bilinear: "bilinear",
    nn.Embedding: "embedding",
    nn.EmbeddingBag: "embedding",
    nn.MultiheadAttention: "attention",
    nn.RNNBase: "recurrent",
    nn.RNNCellBase: "recurrent",
}
FACTORED = (nn.Linear, nn.Conv1d, nn.Conv2d)  # the classes in whose place factors can run
# _NormBase: batch and instance norms of every dimension, also synchronized and lazy ones
NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
ATTENTION_KEYS = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")
REFUSALS = UNSEEN_INPUTS | {
    "conv3d": "a convolution over three dimensions has no form as factors here",
    "conv_transpose": "a transposed convolution has no form as factors here",
}


@dataclass(frozen=True, eq=False)
class _Place:
    """Where a weight stands: a parameter under a state-dict key, in a module of some kind."""

    key: str
    kind: str
    module: nn.Module
    weight: Tensor

    @property
    def name(self) -> str:
        """fc1 for fc1.weight; the whole key where a module has several weights, or none."""
        if self.kind in {"recurrent", "parameter"}:
            return self.key
        return self.key.removesuffix("_weight").removesuffix(".weight")


def walk_layers(model: nn.Module) -> dict[str, Layer]:
    """The compressible layers of a model by name, in the order of their modules, tied ones once.

    Raises ValueError when a weight is empty, not float32, or holds NaN or infinity.
    """
    keys_by_parameter: dict[int, list[str]] = {}
    for key, parameter in model.named_parameters(remove_duplicate=False):
        keys_by_parameter.setdefault(id(parameter), []).append(key)
    first: dict[int, _Place] = {}
    for place in _places(model):
        known = first.setdefault(id(place.weight), place)
        if known.kind == "parameter":  # a module says more of a weight than a second name for it
            first[id(place.weight)] = place
    read_directly = set(_read_directly(model))
    layers = {}
    for identity, place in first.items():
        _check_weight(place.key, place.weight)
        keys = tuple(keys_by_parameter[identity])
        layers[place.name] = _layer(place, keys, place.key in read_directly)
    return layers


def _layer(place: _Place, keys: tuple[str, ...], read_directly: bool) -> Layer:
    refusal = _refusal(place, keys, read_directly)
    weight = place.weight.detach().contiguous()
    groups = place.module.groups if place.kind == "conv_transpose" else None
    assert groups is None or isinstance(groups, int)
    layer = Layer(place.name, place.key, place.kind, weight, keys, refusal, groups)
    return replace(layer, weight=layer.outputs_first(weight))


def _read_directly(model: nn.Module) -> Iterator[str]:
    """Keys of weights that a torch module reads without calling the layer that holds them."""
    for name, module in model.named_modules():
        if isinstance(module, nn.MultiheadAttention):
            yield f"{name}.out_proj.weight".lstrip(".")
        if isinstance(module, nn.TransformerEncoderLayer):  # its fast path
            yield f"{name}.linear1.weight".lstrip(".")
            yield f"{name}.linear2.weight".lstrip(".")


def _places(model: nn.Module) -> Iterator[_Place]:
    # with duplicates: a module that stands in two places has its weight under two keys
    for path, module in model.named_modules(remove_duplicate=False):
        attributes = _attributes(module)
        for attribute in attributes:
            key = f"{path}.{attribute}" if path else attribute
            _check_module(key, module, attribute)
            weight = module._parameters[attribute]
            if weight is not None:
                yield _Place(key, _kind(module), module, weight)
        for attribute, parameter in module._parameters.items():
            if attribute not in attributes and _is_bare_weight(parameter, module):
                key = f"{path}.{attribute}" if path else attribute
                yield _Place(key, "parameter", module, parameter)


def _attributes(module: nn.Module) -> tuple[str, ...]:
    """The weights that a module of this kind has."""
    match _kind(module):
        case "":
            return ()
        case "attention":
            return ATTENTION_KEYS
        case "recurrent":
            return tuple(name for name in module._parameters if name.startswith("weight_"))
        case _:
            return ("weight",)


def _kind(module: nn.Module) -> str:
    return next((kind for cls, kind in LAYER_CLASSES.items() if isinstance(module, cls)), "")


def _is_bare_weight(parameter: nn.Parameter | None, module: nn.Module) -> TypeGuard[nn.Parameter]:
    """Whether a parameter of a module of no known kind is a weight: floats of two or more
    dimensions, not of a norm."""
    if parameter is None or isinstance(module, NORMS):
        return False
    if isinstance(parameter, nn.UninitializedParameter):
        return True  # refused with the others
    table = parameter.dim() > 1 and parameter.numel() > 0
    return table and parameter.is_floating_point() and parameter.layout == torch.strided


def _check_module(key: str, module: nn.Module, attribute: str) -> None:
    if attribute not in module._parameters:
        raise ValueError(
            f"{key} is computed on each pass (weight norm, a pruning mask, another "
            "parametrization); make it a plain parameter first (remove_parametrizations, "
            "remove_weight_norm, prune.remove)"
        )
    if isinstance(module, nn.Embedding | nn.EmbeddingBag) and module.max_norm is not None:
        raise ValueError(
            f"{key} has max_norm={module.max_norm}: looking a row up would write to the weight; "
            "set max_norm to None"
        )


def _refusal(place: _Place, keys: tuple[str, ...], read_directly: bool) -> str | None:
    if "." not in place.key and place.kind != "parameter":
        return "it is the whole model; wrap it in nn.Sequential"
    if len(keys) > 1:
        return f"its weight is tied ({', '.join(keys)})"
    if place.kind == "attention" or read_directly:
        return "the attention or encoder module around it reads the weight itself"
    if isinstance(place.module, FACTORED):
        own = why_not_plain(place.module, *FACTORED)
        if own:
            return f"{own}, which factors would not run"
    if isinstance(place.module, nn.Conv1d | nn.Conv2d) and place.module.groups != 1:
        return f"it is a convolution in {place.module.groups} groups"
    return REFUSALS.get(place.kind)


def _check_weight(key: str, weight: Tensor) -> None:
    if nn.parameter.is_lazy(weight):
        raise ValueError(f"{key} has no shape yet; run the model once on an input before")
    if weight.numel() == 0:
        raise ValueError(f"{key} is empty (shape {tuple(weight.shape)}); remove that layer")
    if weight.dtype != torch.float32:
        raise ValueError(f"{key} is {weight.dtype}; only float32 is compressed: pass model.float()")
    bad = weight.numel() - int((weight.abs() < LARGEST).sum())
    if bad:
        raise ValueError(
            f"{key} holds {bad} NaN or infinite values (or beyond ±{LARGEST:g}) of "
            f"{weight.numel()}; every weight must be finite: load a checkpoint that did not diverge"
        )
