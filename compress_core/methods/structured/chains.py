"""torch-pruning's dependency graph, followed one channel at a time.

The library follows all channels of a layer at once and loses sight of which of them belong
together where a layer is reached twice (a gate of two halves, a layer that is added to itself).
"""

from collections import defaultdict
from collections.abc import Iterable
from itertools import accumulate
from threading import Lock
from types import MethodType
from typing import Any, NamedTuple

import torch
import torch_pruning
from torch import Tensor, nn
from torch_pruning.dependency.index_mapping import _ConcatIndexMapping

from compress_core.methods.structured.surgery import WEIGHTED, Convolution, is_depthwise

# torch-pruning keeps the axis of a bare parameter in an object that all graphs share
_TRACING = Lock()

# A chain is what one unit is in the graph: indices by (node, function that would cut them).
Chain = dict[tuple[Any, MethodType], set[int]]


class _Mark(NamedTuple):
    """An index and its label, in the words of torch-pruning's index mappings."""

    idx: int
    root_idx: int


def follow(traced: nn.Module, example: Tensor) -> list[Chain]:
    """Every output channel of every layer, with all that must go with it.

    `traced` needs gradients, `example` a batch dimension. Raises ValueError if it does not run.
    """
    with _TRACING:
        graph = _dependency_graph(traced, example)
        return _chains(graph)


def _chains(graph: Any) -> list[Chain]:
    labels = _Labels()
    for part, node in list(graph.module2node.items()):
        if isinstance(part, WEIGHTED):
            pruner = graph.get_pruner_of_module(part)
            count = pruner.get_out_channels(part)
            labels.spread(node, pruner.prune_out_channels, range(count))
    for part, node in graph.module2node.items():
        if isinstance(part, Convolution) and part.groups > 1 and not is_depthwise(part):
            pruner = graph.get_pruner_of_module(part)
            labels.couple_groups(node, pruner.prune_out_channels, part.out_channels // part.groups)
            labels.couple_groups(node, pruner.prune_in_channels, part.in_channels // part.groups)
    return labels.chains()


def _dependency_graph(traced: nn.Module, example: Tensor) -> Any:
    try:
        with torch.enable_grad():
            # with our own call: torch-pruning's unpacks the example along its batch if it can
            graph = torch_pruning.DependencyGraph().build_dependency(
                traced, example, forward_fn=lambda network, x: network(x), verbose=False
            )
    except Exception as error:
        raise ValueError(
            f"the channels of this {type(traced).__name__} cannot be followed ({error}); prune "
            "its weights instead (prune:sparsity=…)"
        ) from error
    for node in graph.module2node.values():
        if isinstance(node.module, graph.ops._ConcatOp):
            _number_concat(node)
    return graph


def _number_concat(concat: Any) -> None:
    """Shift the indices of a concatenation along the channels; the graph is written to.

    torch-pruning leaves that out where the next layer is wider, as behind a flatten.
    """
    sizes = concat.module.concat_sizes
    along_channels = getattr(concat.grad_fn, "_saved_dim", None) == 1
    if concat.module.offsets is not None or not along_channels or None in (sizes or [None]):
        return
    spans = [(end - size, end) for size, end in zip(sizes, accumulate(sizes), strict=True)]
    for source, span in zip(concat.inputs, spans, strict=True):
        _shift(concat, source, _ConcatIndexMapping(span, reverse=True))
        _shift(source, concat, _ConcatIndexMapping(span, reverse=False))


def _shift(source: Any, target: Any, mapping: Any) -> None:
    for dependency in source.dependencies:
        if dependency.target is target and dependency.index_mapping[1] is None:
            dependency.index_mapping[1] = mapping
            return


class _Labels:
    """Labels that spread along the graph's dependencies; where two meet, they become one."""

    def __init__(self) -> None:
        self.parents: list[int] = []
        self.labels: defaultdict[tuple[Any, MethodType], dict[int, int]]
        self.labels = defaultdict(dict)

    def root(self, label: int) -> int:
        while self.parents[label] != label:
            self.parents[label] = label = self.parents[self.parents[label]]
        return label

    def unite(self, a: int, b: int) -> None:
        a, b = sorted((self.root(a), self.root(b)))
        self.parents[b] = a

    def spread(self, node: Any, function: MethodType, indices: Iterable[int]) -> None:
        """A label for each index that has none yet, and for all that depends on it."""
        fresh = [index for index in indices if index not in self.labels[node, function]]
        start = len(self.parents)
        self.parents += range(start, start + len(fresh))
        pairs = [_Mark(index, start + place) for place, index in enumerate(fresh)]
        waiting = [(node, function, pairs)]
        while waiting:
            node, function, pairs = waiting.pop()
            news = self._enter(node, function, pairs)
            for dependency in node.dependencies if news else ():
                if dependency.is_triggered_by(function):
                    waiting.append((dependency.target, dependency.handler, _map(dependency, news)))

    def _enter(self, node: Any, function: MethodType, pairs: list[_Mark]) -> list[_Mark]:
        """Write the labels down; those of indices that had none are to be spread further."""
        known, news = self.labels[node, function], []
        for pair in pairs:
            if pair.idx in known:
                self.unite(known[pair.idx], pair.root_idx)
            else:
                known[pair.idx] = pair.root_idx
                news.append(pair)
        return news

    def couple_groups(self, node: Any, function: MethodType, width: int) -> None:
        """The groups of a convolution stay equally wide: their channels go in step."""
        known = self.labels.get((node, function), {})
        for index, label in known.items():
            if index % width in known:
                self.unite(label, known[index % width])

    def chains(self) -> list[Chain]:
        chains: defaultdict[int, Chain] = defaultdict(lambda: defaultdict(set))
        for key, known in self.labels.items():
            for index, label in known.items():
                chains[self.root(label)][key].add(index)
        return list(chains.values())


def _map(dependency: Any, pairs: list[_Mark]) -> list[_Mark]:
    for mapping in dependency.index_mapping:
        if mapping is not None:
            pairs = mapping(pairs)
    return pairs


def cuts_outputs(function: MethodType) -> bool:
    """Also true of a batch norm or a depthwise convolution: what cuts outputs cuts inputs."""
    pruner: Any = function.__self__
    return bool(function == pruner.prune_out_channels)
