"""Correct: a layer's bias undoes the change that the other steps made to its mean output."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from compress_core.methods import quantization
from compress_core.methods.quantization import CorrectBias
from compress_core.methods.step import ALL_LAYERS
from compress_core.network import Names, Network
from compress_core.original import Original
from compress_core.plain import why_not_plain
from compress_core.stored import StoredLayer, untouched

CORRECTED = (nn.Linear, nn.Conv1d, nn.Conv2d)


def correct_biases(step: CorrectBias, names: Names, network: Network) -> Network:
    base, done = network.base, replace(step, layers=ALL_LAYERS)

    def make(stored: StoredLayer) -> StoredLayer:
        weight, compressed = stored.layer.weight, stored.dense
        if torch.equal(weight, compressed):
            return stored
        means = base.calibrate(step.samples, step.seed).means(stored.layer.name)
        bias = quantization.corrected_bias(bias_of(stored, base), weight, compressed, means)
        return replace(stored, key=(*stored.key, done), bias=bias)

    return network.with_each(names, done, make)


def refuse_correction(step: CorrectBias, name: str, network: Network) -> str | None:
    if network.layers[name].bias_key is None:
        return (
            "has no bias of its own that could be replaced (it is tied, an embedding, or no layer "
            "with a bias)"
        )
    (owner, *_others) = network.base.layers[name].owners(network.base.module)
    own = why_not_plain(owner, *CORRECTED) if isinstance(owner, CORRECTED) else None
    if own:
        return f"may add its bias to other products than those of its weight: {own}"
    unseen = network.base.calibrate(step.samples, step.seed).unseen_inputs(name)
    return unseen and f"has no inputs to calibrate on: {unseen}"


def bias_of(stored: StoredLayer, base: Original) -> Tensor | None:
    """The layer's bias in the network, (out,); None where it has none."""
    key = untouched(stored.layer).bias_key
    owner, _, attribute = str(key).rpartition(".")
    bias = getattr(base.module.get_submodule(owner), attribute, None) if key else None
    return bias.detach() if isinstance(bias, Tensor) else None
