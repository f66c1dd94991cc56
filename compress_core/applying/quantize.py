"""Quantize: a layer's weights, or its factors', become codes."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor

from compress_core.methods import quantization
from compress_core.methods.quantization import (
    Binarize,
    Quantize,
    QuantizeFloat,
    QuantizeGPTQ,
    SignCoded,
    Ternarize,
)
from compress_core.methods.step import ALL_LAYERS
from compress_core.original import Original
from compress_core.recipe import AnyStep
from compress_core.storage.streams import Codes, StoredWeight, weight_of
from compress_core.stored import StoredLayer, StoredLayers
from compress_core.weights import as_matrix


def _signs(weight: Tensor, _step: Binarize) -> SignCoded:
    return quantization.binarize(weight)


# (weight, step) → codes, for methods that look at the weight alone
CODES: dict[type[AnyStep], Callable[[Tensor, Any], Codes]] = {
    Quantize: quantization.quantize,
    QuantizeFloat: quantization.quantize_float,
    Binarize: _signs,
    Ternarize: quantization.ternarize,
}


def quantize_layers(step: AnyStep, layers: StoredLayers, base: Original) -> StoredLayers:
    done = replace(step, layers=ALL_LAYERS)

    def make(stored: StoredLayer) -> StoredLayer:
        codes = (CODES[type(step)](weight.values, step) for weight in stored.weights)
        return stored.with_weights(done, tuple(weight_of(found) for found in codes))

    return {
        name: base.memo.get((*stored.key, done), partial(make, stored))
        for name, stored in layers.items()
    }


def quantize_with_feedback(step: AnyStep, layers: StoredLayers, base: Original) -> StoredLayers:
    assert isinstance(step, QuantizeGPTQ)
    done = replace(step, layers=ALL_LAYERS)

    def make(stored: StoredLayer) -> StoredLayer:
        return stored.with_weights(done, _rounded_with_feedback(stored, step, base))

    return {
        name: base.memo.get((*stored.key, done), partial(make, stored))
        for name, stored in layers.items()
    }


def _rounded_with_feedback(
    stored: StoredLayer, step: QuantizeGPTQ, base: Original
) -> tuple[StoredWeight, ...]:
    """Each factor of a pair by what flows into it: x, then A·x with A as the first one decodes."""
    _check_form(stored)
    gram = base.calibrate(step.samples, step.seed).moments(stored.layer.name).gram
    first, *second = stored.weights
    coded = [weight_of(quantization.gptq(first.values, gram, step))]
    for weight in second:
        decoded = as_matrix(coded[0].values).double()  # A (r, in)
        inner = decoded @ gram @ decoded.T  # (r, r)
        coded.append(weight_of(quantization.gptq(weight.values, inner, step)))
    return tuple(coded)


def _check_form(stored: StoredLayer) -> None:
    if stored.form not in {"plain", "channel"}:
        raise ValueError(
            f"{stored.layer.name} is factorized in the form {stored.form!r}, between whose factors "
            "the kernel moves: GPTQ knows what flows into the first of them only; factorize it in "
            "the form 'channel', or quantize it with rounding to the nearest"
        )
