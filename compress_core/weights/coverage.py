"""Which part of a network's parameters its layers reach, and so every method that acts on them."""

from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn

from compress_core.weights.layer import Layer


@dataclass(frozen=True)
class Coverage:
    """`fraction` of a network's parameters, counted one by one, that its layers reach;
    `unreached`: the state-dict keys of the others (biases, norms) and how many each has."""

    fraction: float
    unreached: tuple[tuple[str, int], ...]


def find_coverage(model: nn.Module, layers: Iterable[Layer]) -> Coverage:
    """What `layers` reach of the parameters of `model`, tied ones counted once. 1 for none."""
    counts = {key: parameter.numel() for key, parameter in model.named_parameters()}
    reached = {key for layer in layers for key in layer.tied_keys}
    unreached = tuple((key, count) for key, count in counts.items() if key not in reached)
    total = sum(counts.values())
    missed = sum(count for _, count in unreached)
    return Coverage(1 - missed / total if total else 1.0, unreached)
