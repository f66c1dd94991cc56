"""What happens when somebody's network enters: checked, copied, and made plain.

enter() is the way in: each step of it has a file of its own. The rest of the library meets only
networks in evaluation mode, on the CPU, with finite float32 parameters that nobody else writes to.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from compress_core.entering.checks import (
    check_mode,
    check_tensors,
    check_values,
    uncopied_attribute,
    unwrap,
)
from compress_core.entering.copying import copy_as_float32, copy_network, own_parameters
from compress_core.entering.permanent import make_permanent
from compress_core.entering.tensors import (
    HALVES,
    TensorType,
    distinct_types,
    named_tensors,
)
from compress_core.entering.unpacking import unpack_attention


@dataclass(frozen=True, eq=False)
class Entered:
    """`module`: a private copy that gives the answers of the network that came, made plain.

    came_as: type and shape of the original tensors, by state-dict key. own_types: the original type
    of each tensor of `module` that was converted to float32.
    """

    module: nn.Module
    came_as: Mapping[str, TensorType]
    own_types: Mapping[str, torch.dtype]


def enter(network: object) -> Entered:
    """The network in the form that the rest of the library takes; the caller's is not written to.

    DataParallel and torch.compile are taken off, weights that are computed on each pass (masks,
    weight norm, spectral norm, other parametrizations) become parameters, half and double precision
    becomes float32, packed attention becomes linear layers.
    Raises ValueError, with the remedy, for what cannot be compressed here.
    """
    module = unwrap(network)
    check_mode(module)
    check_tensors(module)
    module = _own_copy(module)
    make_permanent(module)
    came_as = _as_came(module)
    module = unpack_attention(module)
    own_types = {key: tensor.dtype for key, tensor in named_tensors(module).items()}
    wide = _wide_types(module)
    if wide:
        module = copy_as_float32(module, wide)
    check_values(module)
    module.requires_grad_(False)
    converted = {key: t for key, t in own_types.items() if t in wide}
    return Entered(module, came_as, {**_types_before(module), **converted})


def _as_came(module: nn.Module) -> dict[str, TensorType]:
    """A network that was read from a file in other types says so itself, by state-dict key."""
    found = distinct_types(module)
    said: Mapping[str, TensorType] = getattr(module, "came_as", {})
    return found | {key: kind for key, kind in said.items() if key in found}


def _types_before(module: nn.Module) -> dict[str, torch.dtype]:
    said: Mapping[str, torch.dtype] = getattr(module, "own_types", {})
    return {key: kind for key, kind in said.items() if key in named_tensors(module)}


def _wide_types(module: nn.Module) -> frozenset[torch.dtype]:
    """The types that become float32: half precision, and float64 where parameters have it.

    A float64 buffer beside float32 parameters stays float64: it is meant so.
    """
    found = {tensor.dtype for tensor in named_tensors(module).values()} & set(HALVES)
    parameters = {parameter.dtype for parameter in module.parameters()}
    return frozenset(found | (parameters & {torch.float64}))


def _own_copy(module: nn.Module) -> nn.Module:
    try:
        return copy_network(module, own_parameters(module))
    except Exception as error:
        name = uncopied_attribute(module, copy.deepcopy) or "one of its attributes"
        raise ValueError(
            f"the network cannot be copied: {name} ({error}); "
            "take it away before, or set it to None"
        ) from error
