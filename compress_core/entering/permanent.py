"""Weights that are computed on each pass become plain parameters: masks, norms, parametrizations.

Known are torch's own: torch.nn.utils.prune, weight_norm and spectral_norm in both of their forms,
everything of torch.nn.utils.parametrize, and an embedding's max_norm.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm


@dataclass(frozen=True, eq=False)
class _Computed:
    """`values` that `part` computes on each pass for its attribute `name`.

    source: the tensor that they are computed of. Two layers with one source are tied.
    """

    part: nn.Module
    name: str
    values: Tensor
    source: Tensor
    is_parameter: bool = True


def make_permanent(model: nn.Module) -> None:
    """Replace, in `model`, which is written to, computed weights by their values.

    The outputs of `model` stay equal. Raises ValueError for a tied embedding with max_norm.
    """
    with torch.no_grad():
        for part in model.modules():
            _own_class(part)
        found = [computed for part in model.modules() for computed in _computed(part)]
        for computed in found:  # all values are known now: removing one writes to its source
            _strip(computed.part, computed.name)
        _install(found)
        _renormalize(model)


def _own_class(part: nn.Module) -> None:
    """Give a parametrized part a class of its own: a copy has that of the network that was copied,
    from which taking a parametrization away would take it there, too."""
    if parametrize.is_parametrized(part):
        shared = type(part)
        part.__class__ = type(shared.__name__, shared.__bases__, dict(vars(shared)))


def _computed(part: nn.Module) -> Iterator[_Computed]:
    if parametrize.is_parametrized(part):
        for name, chain in part.parametrizations.items():  # type: ignore[union-attr, operator]
            sources = [*chain.parameters(recurse=False), *chain.buffers(recurse=False)]
            is_parameter = isinstance(sources[0], nn.Parameter)
            yield _Computed(part, name, getattr(part, name).clone(), sources[0], is_parameter)
    for hook in part._forward_pre_hooks.values():
        if isinstance(hook, prune.BasePruningMethod):
            name = hook._tensor_name
            yield _Computed(
                part, name, hook.apply_mask(part).clone(), getattr(part, f"{name}_orig")
            )
        elif isinstance(hook, WeightNorm):
            values = hook.compute_weight(part).clone()
            yield _Computed(part, hook.name, values, getattr(part, f"{hook.name}_v"))
        elif isinstance(hook, SpectralNorm):
            values = hook.compute_weight(part, do_power_iteration=False).clone()
            yield _Computed(part, hook.name, values, getattr(part, f"{hook.name}_orig"))


def _strip(part: nn.Module, name: str) -> None:
    """Take away what computes the attribute `name`; it is left as torch leaves it."""
    if parametrize.is_parametrized(part, name):
        parametrize.remove_parametrizations(part, name)
    for hook in list(part._forward_pre_hooks.values()):
        if isinstance(hook, prune.BasePruningMethod) and hook._tensor_name == name:
            prune.remove(part, name)
        elif isinstance(hook, WeightNorm) and hook.name == name:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # of the old form, as it is here
                remove_weight_norm(part, name)
        elif isinstance(hook, SpectralNorm) and hook.name == name:
            remove_spectral_norm(part, name)


def _install(found: list[_Computed]) -> None:
    """Set the values; layers that had one source and have equal values get one parameter."""
    made: list[tuple[_Computed, nn.Parameter]] = []
    for computed in found:
        for attributes in (computed.part._parameters, computed.part._buffers, vars(computed.part)):
            attributes.pop(computed.name, None)
        if not computed.is_parameter:
            computed.part.register_buffer(computed.name, computed.values)
            continue
        twins = (
            parameter
            for other, parameter in made
            if other.source is computed.source and torch.equal(other.values, computed.values)
        )
        own = nn.Parameter(computed.values, requires_grad=False)
        parameter = next(twins, own)
        computed.part.register_parameter(computed.name, parameter)
        made.append((computed, parameter))


def _renormalize(model: nn.Module) -> None:
    """An embedding with max_norm shortens each row that it looks up, in place; here all at once."""
    for path, part in model.named_modules():
        max_norm: Any = getattr(part, "max_norm", None)
        if isinstance(part, nn.Embedding | nn.EmbeddingBag) and max_norm is not None:
            if sum(part.weight is p for _, p in model.named_parameters(remove_duplicate=False)) > 1:
                raise ValueError(
                    f"{path}.weight has max_norm={max_norm} and is tied: looking a row up would "
                    "write to the weight of another layer; set max_norm to None"
                )
            rows = torch.arange(part.num_embeddings)
            torch.embedding_renorm_(part.weight, rows, max_norm, part.norm_type)
            part.max_norm = None
