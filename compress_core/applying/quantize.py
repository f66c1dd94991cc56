"""Quantize: a layer's weights, or its factors', become codes."""

from dataclasses import replace

from compress_core.methods import quantization
from compress_core.methods.quantization import Quantize
from compress_core.methods.step import ALL_LAYERS
from compress_core.original import Memo, Original
from compress_core.recipe import AnyStep
from compress_core.storage.streams import weight_of
from compress_core.stored import StoredLayer, StoredLayers


def quantize_layers(step: AnyStep, layers: StoredLayers, base: Original) -> StoredLayers:
    assert isinstance(step, Quantize)
    return {name: _quantized(stored, step, base.memo) for name, stored in layers.items()}


def _quantized(stored: StoredLayer, step: Quantize, memo: Memo) -> StoredLayer:
    def make() -> StoredLayer:
        codes = (quantization.quantize(weight.values, step) for weight in stored.weights)
        return stored.with_weights(done, tuple(weight_of(q) for q in codes))

    done = replace(step, layers=ALL_LAYERS)
    return memo.get((*stored.key, done), make)
