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
from torch_pruning.dependency import index_mapping, shape_infer
from torch_pruning.dependency.index_mapping import _ConcatIndexMapping

from compress_core.equality import first_line, named_tensors
from compress_core.inputs import Inputs, each
from compress_core.methods.structured.surgery import WEIGHTED, Convolution, is_depthwise

# torch-pruning keeps the axis of a bare parameter in an object that all graphs share
_TRACING = Lock()

# A chain is what one unit is in the graph: indices by (node, function that would cut them).
Chain = dict[tuple[Any, MethodType], set[int]]


class _Mark(NamedTuple):
    """An index and its label, in the words of torch-pruning's index mappings."""

    idx: int
    root_idx: int


def follow(traced: nn.Module, example: Inputs) -> list[tuple[Chain, bool]]:
    """Every output channel of every layer, with all that must go with it, and whether it is lost:
    then it reaches something that cannot be followed.

    `traced` needs gradients, `example` a batch dimension. Raises ValueError if it does not run, or
    where torch-pruning cannot follow anything of it.
    """
    try:
        with _TRACING:
            graph = _dependency_graph(traced, example)
            return _chains(graph, _number_indices(graph))
    except Exception as error:  # of the network, or of torch-pruning: nobody knows which types
        raise ValueError(
            f"the channels of this {type(traced).__name__} cannot be followed "
            f"({first_line(error)}); prune its weights instead (prune:sparsity=…)"
        ) from error


def _chains(graph: Any, lost: set[Any]) -> list[tuple[Chain, bool]]:
    labels = _Labels(lost, _most_channels(graph.model))
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


def _most_channels(network: nn.Module) -> int:
    """More channels than any tensor between layers has: all of the outputs concatenated, or those
    that a layer reads."""
    outputs = sum(part.weight.shape[0] for part in network.modules() if isinstance(part, WEIGHTED))
    return max([outputs, *(size for p in network.parameters() for size in p.shape)])


def _dependency_graph(traced: nn.Module, example: Inputs) -> Any:
    """As `DependencyGraph.build_dependency` makes it, but for the numbering of indices."""
    graph = torch_pruning.DependencyGraph()
    graph.model, graph.verbose, graph.ignored_params = traced, False, []
    graph._module2name = {part: name for name, part in traced.named_modules()}
    graph._param_to_name, graph.unwrapped_parameters = graph._detect_unwrapped_parameters(None)
    with torch.enable_grad():
        graph.module2node = graph._trace(traced, example, _outputs, output_transform=None)
    graph._build_dependency(graph.module2node)
    return graph


def _outputs(network: nn.Module, example: Inputs) -> list[Tensor]:
    found = named_tensors(network(*(x.clone() for x in each(example))))
    outputs = [tensor for _, tensor in found if tensor.grad_fn]
    if not outputs:
        raise ValueError("no output depends on its weights by a gradient")
    # an output may be read inside of the network, too: so that each is an end of its own
    return outputs if len(outputs) == 1 else [tensor * 1 for tensor in outputs]


def _number_indices(graph: Any) -> set[Any]:
    """Tell where indices shift, node by node; the graph is written to.

    The nodes for which torch-pruning fails, as where attention's queries share their keys: only
    what flows through them is lost.
    """
    nodes, lost = graph.module2node, set()
    for number in (shape_infer.init_shape_information, index_mapping.update_index_mapping):
        for part, node in nodes.items():
            graph.module2node = {part: node}
            try:
                number(graph)
            except Exception:  # ZeroDivisionError, TypeError, …
                lost.add(node)
    graph.module2node = nodes
    for node in nodes.values():
        if isinstance(node.module, graph.ops._ConcatOp) and node not in lost:
            _number_concat(node)
    return lost


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
    """Labels that spread along the graph's dependencies; where two meet, they become one.

    Where they reach a node of `lost`, or an index mapping fails, they are lost, too. So they are
    from the index `most` on: in the loop of a GRU indices shift on and on.
    """

    def __init__(self, lost: set[Any], most: int) -> None:
        self.most = most
        self.parents: list[int] = []
        self.lost_nodes = lost
        self.lost: set[int] = set()
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
                    mapped = self._mapped(dependency, news)
                    waiting.append((dependency.target, dependency.handler, mapped))

    def _mapped(self, dependency: Any, pairs: list[_Mark]) -> list[_Mark]:
        """The indices that `pairs` have in the dependency's target; none where they are lost."""
        try:
            mapped = _map(dependency, pairs)
            known = dependency.target not in self.lost_nodes
            inside = (0 <= pair.idx < self.most for pair in mapped if pair.root_idx is not None)
            if known and len(mapped) == sum(inside):
                return mapped
        except Exception:  # of torch-pruning's mappings: nobody knows which types
            pass
        self.lost |= {pair.root_idx for pair in pairs}
        return []

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
        """The groups of a convolution must stay equally wide: each loses the same channels."""
        known = self.labels.get((node, function), {})
        for index, label in known.items():
            if index % width in known:
                self.unite(label, known[index % width])

    def chains(self) -> list[tuple[Chain, bool]]:
        chains: defaultdict[int, Chain] = defaultdict(lambda: defaultdict(set))
        for key, known in self.labels.items():
            for index, label in known.items():
                chains[self.root(label)][key].add(index)
        lost = {self.root(label) for label in self.lost}
        return [(chain, root in lost) for root, chain in chains.items()]


def _map(dependency: Any, pairs: list[_Mark]) -> list[_Mark]:
    for mapping in dependency.index_mapping:
        if mapping is not None:
            pairs = mapping(pairs)
    return pairs


def cuts_outputs(function: MethodType) -> bool:
    """Also true of a batch norm or a depthwise convolution: what cuts outputs cuts inputs."""
    pruner: Any = function.__self__
    return bool(function == pruner.prune_out_channels)
