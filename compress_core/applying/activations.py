"""Activations: the inputs of a layer are rounded to few bits."""

from dataclasses import replace

import torch
from torch import Tensor

from compress_core.methods import quantization
from compress_core.methods.quantization import InputQuantizer, QuantizeActivations
from compress_core.methods.step import ALL_LAYERS
from compress_core.network import Names, Network
from compress_core.original import Original
from compress_core.stored import StoredLayer


def quantize_inputs(step: QuantizeActivations, names: Names, network: Network) -> Network:
    done = replace(step, layers=ALL_LAYERS)

    def make(stored: StoredLayer) -> StoredLayer:
        quantizer = _quantizer(step, stored.layer.name, network.base)
        return replace(stored, key=(*stored.key, done), inputs=quantizer)

    return network.with_each(names, done, make)


def refuse_inputs(step: QuantizeActivations, name: str, network: Network) -> str | None:
    base = network.base
    reason = quantization.input_refusal(base.module, base.layers[name])
    reason = reason or base.reads.weights.get(name)
    if reason is None and step.mode == "static":
        reason = base.calibrate(step.samples, step.seed).unseen_inputs(name)
    return reason and f"has no input to quantize: {reason}"


def _quantizer(step: QuantizeActivations, name: str, base: Original) -> InputQuantizer:
    if step.mode == "dynamic":
        return InputQuantizer(step.bits)
    return quantization.plan_input(step, _seen(step, name, base))


def _seen(step: QuantizeActivations, name: str, base: Original) -> Tensor:
    """The layer's inputs on calibration images: a sample, or two numbers for the min-max range."""
    calibration = base.calibrate(step.samples, step.seed)
    if step.clipping == "min_max":
        return torch.tensor(calibration.input_range(name))
    return calibration.input_values(name)
