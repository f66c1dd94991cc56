"""Batch norm folding: in evaluation it is a scale and a shift that the layer before can take over.

γ·(w·x + b - μ) / √(σ² + ε) + β = (s·w)·x + s·(b - μ) + β with s = γ / √(σ² + ε).
"""

import copy
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from compress_core.methods.step import ALL_LAYERS, check_layers, matching
from compress_core.weights import walk_layers

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


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


def foldable(module: nn.Module, example: Tensor) -> dict[str, str]:
    """The batch norm behind each layer that has one of its own, by name.

    Only where the norm alone reads the layer's output, both run once, and the norm has running
    statistics. Found by running `example` (an input with a batch dimension) and reading autograd's
    graph, which also sees what happens between modules.
    """
    with torch.inference_mode(False):  # inside of it nothing has gradients, whoever calls us
        calls, output = _run(copy.deepcopy(module).requires_grad_(True), example.clone())
    readers = Counter(source for _, source in _edges(output.grad_fn))
    runs = Counter(name for name, _ in calls)
    makers = {
        out.grad_fn: name
        for name, out in calls
        if _takes_a_norm(module, name, out) and runs[name] == 1 and readers[out.grad_fn] == 1
    }
    pairs = {}
    for norm, out in calls:
        if out.grad_fn is not None and runs[norm] == 1 and _has_statistics(module, norm):
            layer = makers.get(out.grad_fn.next_functions[0][0])  # what flows into the norm
            if layer is not None:
                pairs[layer] = norm
    return pairs


def _run(traced: nn.Module, example: Tensor) -> tuple[list[tuple[str, Tensor]], Tensor]:
    """The name and the output of each layer and norm in the order they ran; the last output."""
    calls: list[tuple[str, Tensor]] = []
    hooks = [
        part.register_forward_hook(lambda _, __, out, name=name: calls.append((name, out)))
        for name, part in traced.named_modules()
        if isinstance(part, (nn.Linear, *CONVOLUTIONS, *NORMS))
    ]
    with torch.enable_grad():
        output = traced(example)
    for hook in hooks:
        hook.remove()
    return calls, output


def _edges(root: Any) -> Iterator[tuple[Any, Any]]:
    """Each (reader, source) of autograd's graph once, for all that flows into `root`."""
    seen, waiting = {root}, [root]
    while waiting:
        reader = waiting.pop()
        for source, _ in reader.next_functions:
            if source is not None:
                yield reader, source
                if source not in seen:
                    seen.add(source)
                    waiting.append(source)


def _takes_a_norm(module: nn.Module, name: str, out: Tensor) -> bool:
    """Whether it is a Linear or Conv that shares no parameter with another layer."""
    part = module.get_submodule(name)
    own = {id(parameter) for parameter in part.parameters()}
    uses = sum(id(p) in own for _, p in module.named_parameters(remove_duplicate=False))
    if isinstance(part, nn.Linear) and out.dim() != 2:
        return False  # on tokens (B, tokens, features) a norm scales tokens, not features
    return isinstance(part, (nn.Linear, *CONVOLUTIONS)) and uses == len(own)


def _has_statistics(module: nn.Module, name: str) -> bool:
    part = module.get_submodule(name)
    return isinstance(part, NORMS) and part.running_mean is not None


def fold_batch_norm(
    step: FoldBatchNorm,
    module: nn.Module,
    example: Tensor,
    *,
    layers: Collection[str] | None = None,
) -> nn.Module:
    """A copy of `module` (in evaluation mode) in which the norms behind the named layers are gone.

    layers: those for which the step has won; as its patterns say if left out.
    Raises ValueError for a pattern that names no layer with a batch norm of its own behind it.
    """
    names = tuple(walk_layers(module))
    named = matching(step.layers, names) if layers is None else set(layers)
    pairs = foldable(module, example)
    for pattern in step.layers:
        if not matching((pattern,), names) & pairs.keys():
            remedy = f"name {', '.join(pairs)}" if pairs else "leave the step out"
            raise ValueError(
                f"layers={pattern!r}: there is no batch norm to fold, since none directly follows "
                f"such a layer as the only reader of its output; {remedy}"
            )
    folded = copy.deepcopy(module)
    for layer, norm in pairs.items():
        if layer in named:
            fused = _fuse(folded.get_submodule(layer), folded.get_submodule(norm))
            _replace(folded, layer, fused)
            _replace(folded, norm, nn.Identity().eval())
    return folded


def _fuse(layer: nn.Module, norm: nn.Module) -> nn.Module:
    assert isinstance(layer, (nn.Linear, *CONVOLUTIONS))
    assert isinstance(norm, NORMS)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    statistics = norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    fused = copy.deepcopy(layer)
    # torch's function for convolutions also fits a Linear, and knows norms without γ and β
    with torch.no_grad():
        fused.weight, fused.bias = fuse_conv_bn_weights(layer.weight, layer.bias, *statistics)
    return fused


def _replace(module: nn.Module, name: str, part: nn.Module) -> None:
    owner, _, attribute = name.rpartition(".")
    setattr(module.get_submodule(owner), attribute, part)
