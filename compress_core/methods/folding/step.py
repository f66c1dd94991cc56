"""Folding as a step of a recipe."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from compress_core.inputs import Inputs
from compress_core.methods.folding.fusing import fold_pairs
from compress_core.methods.folding.norms import Norms, find_norms, unfoldable
from compress_core.methods.step import ALL_LAYERS, check_layers, matching
from compress_core.weights import walk_layers


@dataclass(frozen=True)
class FoldBatchNorm:
    """Fold each BatchNorm into the Linear or Conv before it; the network computes the same.

    The layer gets a bias, the norm becomes an Identity. Done before quantization, so that the
    weights that are quantized are those that run. Source: Jacob et al. 2017, 1712.05877, §3.2.
    """

    kind: ClassVar[str] = "fold"

    layers: tuple[str, ...] = ALL_LAYERS

    def __post_init__(self) -> None:
        check_layers(self.layers)


def fold_batch_norm(
    step: FoldBatchNorm,
    module: nn.Module,
    example: Inputs,
    *,
    layers: Collection[str] | None = None,
    norms: Norms | None = None,
) -> nn.Module:
    """A copy of `module` (in evaluation mode) in which the norms behind the named layers are gone.

    layers: the layers that the step acts on; by default those that its patterns match. norms: the
    result of `find_norms(module, example)`, if it is known. Layers that a pattern such as * names
    beside others, and that take no norm over, are left out: `unfoldable` says why.
    Raises ValueError for a pattern that names no layer with a batch norm of its own behind it.
    """
    norms = find_norms(module, example) if norms is None else norms
    names = tuple(dict.fromkeys((*walk_layers(module), *norms.pairs)))
    named = matching(step.layers, names) if layers is None else set(layers)
    for pattern in step.layers if layers is None else ():
        _check_pattern(pattern, names, module, norms)
    return fold_pairs(module, {k: norm for k, norm in norms.pairs.items() if k in named})


def _check_pattern(pattern: str, names: tuple[str, ...], module: nn.Module, norms: Norms) -> None:
    matched = matching((pattern,), names)
    if not matched & norms.pairs.keys():
        name = next(name for name in names if name in matched)
        reason = unfoldable(name, module, norms)
        said = f"layers={pattern!r}: there is no batch norm to fold into {name}: {reason}"
        able = ", ".join(norms.pairs)
        raise ValueError(f"{said}; name {able}" if able else f"{said}; leave the step out")
