"""Rest: biases, and the parameters and statistics of norms, become codes; scales become shorter."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from compress_core.entering.tensors import in_own_type, named_tensors
from compress_core.methods import quantization
from compress_core.methods.quantization import FloatCoded, MXCoded, QuantizeRest
from compress_core.methods.recalibration import norms_with_statistics
from compress_core.methods.step import matched_by
from compress_core.methods.weight_sharing import Shared
from compress_core.network import Names, Network
from compress_core.original import Original
from compress_core.storage.streams import StoredWeight, weight_of
from compress_core.stored import StoredLayer

MORE_BYTES = 4  # of what the file says of coded values, than of values as they are


def quantize_rest(step: QuantizeRest, names: Names, network: Network) -> Network:
    changed = network.with_coded(step, lambda: coded_rest(step, network))
    if step.scales != "fp32":
        changed = changed.with_each(
            names, step, lambda stored: with_rounded_scales(stored, step, network.base)
        )
    same_layers = all(changed.layers[name] is network.layers[name] for name in names)
    if same_layers and changed.coded.keys() == network.coded.keys():
        raise ValueError(
            f"quantize_rest: no tensor is smaller in {step.bits} bits and still near its values; "
            "remove the step, or name others (tensors=…)"
        )
    return changed


def with_rounded_scales(stored: StoredLayer, step: QuantizeRest, base: Original) -> StoredLayer:
    """The layer with scales and codebooks in half precision; the same where it has none."""
    weights = tuple(_rounded(weight, step, base) for weight in stored.weights)
    pairs = zip(weights, stored.weights, strict=True)
    if all(weight is before for weight, before in pairs):
        return stored
    return stored.with_weights(step, weights)


def _rounded(weight: StoredWeight, step: QuantizeRest, base: Original) -> StoredWeight:
    codes: Any = weight.codes
    field = "codebook" if isinstance(codes, Shared) else "scale"
    if (
        codes is None
        or isinstance(codes, MXCoded)
        or (codes.bits == 16 and isinstance(codes, FloatCoded))
    ):
        return weight
    floats = getattr(codes, field)
    # kept under the tensor itself, so that a common codebook stays a common one
    rounded = base.memo.get(
        ("half", floats, step.scales), lambda: quantization.round_scale(floats, step.scales)
    )
    return weight_of(replace(codes, **{field: rounded}))


def refuse_rest(step: QuantizeRest, _name: str, network: Network) -> str | None:
    found = rest_tensors(network)
    for pattern in step.tensors:
        if not matched_by(pattern, found):
            return (
                f"is in a network where tensors={pattern!r} matches no bias and no norm; it has "
                f"{', '.join(found) or 'none'}"
            )
    return None


def rest_tensors(network: Network) -> dict[str, Tensor]:
    """The biases, norms and other parameters beside the layers, and the norms' statistics, by their
    first state-dict key."""
    module = network.weights_module
    weights = {key for stored in network.layers.values() for key in stored.weight_keys}
    tensors = named_tensors(module)
    taken = {id(tensors[key]) for key in weights}
    statistics = {id(tensor) for tensor in _statistics(module)}
    found: dict[int, tuple[str, Tensor]] = {}
    for key, tensor in tensors.items():
        is_rest = isinstance(tensor, nn.Parameter) or id(tensor) in statistics
        if is_rest and id(tensor) not in taken and tensor.is_floating_point() and tensor.dim():
            found.setdefault(id(tensor), (key, tensor.detach()))
    return dict(found.values())


def _statistics(module: nn.Module) -> list[Tensor]:
    norms = norms_with_statistics(module).values()
    both = [(norm.running_mean, norm.running_var) for norm in norms]
    return [tensor for pair in both for tensor in pair if tensor is not None]


def coded_rest(step: QuantizeRest, network: Network) -> Mapping[str, StoredWeight]:
    """The named tensors that are smaller as codes, by state-dict key."""
    tensors = rest_tensors(network)
    named = {key for pattern in step.tensors for key in matched_by(pattern, tensors)}
    coded = {}
    for key in filter(named.__contains__, tensors):
        codes = quantization.quantize_tensor(tensors[key], step)
        own = in_own_type(tensors[key], network.base.own_types.get(key))
        if codes is not None:
            weight = weight_of(codes)
            if weight.streams.byte_count + MORE_BYTES < own.nbytes:
                coded[key] = weight
    return coded
