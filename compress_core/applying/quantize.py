"""Quantize: a layer's weights, or its factors', become codes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import Tensor

from compress_core.methods import quantization
from compress_core.methods.quantization import (
    Binarize,
    Quantize,
    QuantizeFloat,
    QuantizeGPTQ,
    QuantizeMX,
    SignCoded,
    Ternarize,
)
from compress_core.methods.step import ALL_LAYERS
from compress_core.network import Names, Network
from compress_core.storage.streams import Codes, StoredWeight, weight_of
from compress_core.stored import StoredLayer
from compress_core.weights import as_matrix

# they look at the weight alone
WeightStep = Quantize | QuantizeFloat | QuantizeMX | Binarize | Ternarize


def _signs(weight: Tensor, _step: Binarize) -> SignCoded:
    return quantization.binarize(weight)


CODES: dict[type[WeightStep], Callable[[Tensor, Any], Codes]] = {
    Quantize: quantization.quantize,
    QuantizeFloat: quantization.quantize_float,
    QuantizeMX: quantization.quantize_mx,
    Binarize: _signs,
    Ternarize: quantization.ternarize,
}


def quantize_layers(step: WeightStep, names: Names, network: Network) -> Network:
    done = replace(step, layers=ALL_LAYERS)

    def make(stored: StoredLayer) -> StoredLayer:
        codes = (CODES[type(step)](weight.values, step) for weight in stored.weights)
        return stored.with_weights(done, tuple(weight_of(found) for found in codes))

    return network.with_each(names, done, make)


def refuse_signs(_step: Binarize, name: str, network: Network) -> str | None:
    if not network.layers[name].is_pruned:
        return None
    return (
        "is pruned, and a 1-bit code has no zero: every pruned weight would come back as α; "
        "ternarize or quantize it instead"
    )


def quantize_with_feedback(step: QuantizeGPTQ, names: Names, network: Network) -> Network:
    done = replace(step, layers=ALL_LAYERS)

    def make(stored: StoredLayer) -> StoredLayer:
        return stored.with_weights(done, _rounded_with_feedback(stored, step, network))

    return network.with_each(names, done, make)


def refuse_feedback(step: QuantizeGPTQ, name: str, network: Network) -> str | None:
    form = network.layers[name].form
    if form not in {"plain", "channel"}:
        return (
            f"is factorized in the form {form!r}, between whose factors the kernel moves: GPTQ "
            "knows what flows into the first of them only; factorize it in the form 'channel', or "
            "quantize it with rounding to the nearest"
        )
    unseen = network.base.calibrate(step.samples, step.seed).unseen_inputs(name)
    return unseen and f"has no inputs to calibrate on: {unseen}"


def _rounded_with_feedback(
    stored: StoredLayer, step: QuantizeGPTQ, network: Network
) -> tuple[StoredWeight, ...]:
    """Round each factor of a pair for its own inputs: x for A, and A·x, with A as it decodes."""
    gram = network.base.calibrate(step.samples, step.seed).moments(stored.layer.name).gram
    first, *second = stored.weights
    coded = [weight_of(quantization.gptq(first.values, gram, step))]
    for weight in second:
        decoded = as_matrix(coded[0].values).double()  # A (r, in)
        inner = decoded @ gram @ decoded.T  # (r, r)
        coded.append(weight_of(quantization.gptq(weight.values, inner, step)))
    return tuple(coded)
