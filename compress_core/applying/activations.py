"""Activations: what a layer multiplies is rounded to few bits on its way in."""

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from compress_core.methods import quantization
from compress_core.methods.quantization import InputQuantizer, QuantizeActivations
from compress_core.methods.step import ALL_LAYERS
from compress_core.original import Original
from compress_core.recipe import AnyStep
from compress_core.stored import StoredLayer, StoredLayers


def quantize_inputs(step: AnyStep, layers: StoredLayers, base: Original) -> StoredLayers:
    assert isinstance(step, QuantizeActivations)
    done = replace(step, layers=ALL_LAYERS)

    def make(stored: StoredLayer) -> StoredLayer:
        read_by = base.reads.weights.get(stored.layer.name)
        quantization.check_input(base.module, stored.layer, read_by)
        return replace(stored, key=(*stored.key, done), inputs=_quantizer(step, stored, base))

    return {
        name: base.memo.get((*stored.key, done), partial(make, stored))
        for name, stored in layers.items()
    }


def _quantizer(step: QuantizeActivations, stored: StoredLayer, base: Original) -> InputQuantizer:
    if step.mode == "dynamic":
        return InputQuantizer(step.bits)
    return quantization.plan_input(step, _seen(step, stored, base))


def _seen(step: QuantizeActivations, stored: StoredLayer, base: Original) -> Tensor:
    """What the layer takes in on calibration images: a sample, or the range where that is all."""
    calibration = base.calibrate(step.samples, step.seed)
    if step.clipping == "min_max":
        return torch.tensor(calibration.input_range(stored.layer.name))
    return calibration.input_values(stored.layer.name)
