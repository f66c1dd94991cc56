"""Branches and loops: nodes that hold graphs of their own."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import onnx
import torch
from torch import Tensor

from compress_core.models.importing.onnx.operators.attributes import (
    Attributes,
    Builder,
    Operator,
    multiple,
    number_of,
)
from compress_core.models.importing.onnx.operators.types import TORCH_TYPES

Body = Callable[[Mapping[str, Tensor]], tuple[Tensor, ...]]

ITERATIONS_AT_MOST = 10**6

# Of the loops that run now, from the outermost one's start.
_ITERATIONS: ContextVar[list[int] | None] = ContextVar("iterations", default=None)


def branch(condition: Tensor, *, then: Body, otherwise: Body) -> tuple[Tensor, ...]:
    return then({}) if bool(condition.item()) else otherwise({})


def loop(
    trips: Tensor | None,
    condition: Tensor | None,
    *carried: Tensor,
    body: Body,
    graph: onnx.GraphProto,
) -> tuple[Tensor, ...]:
    """The body's values after its last iteration, and what it gave in each one, stacked."""
    most = ITERATIONS_AT_MOST + 1 if trips is None else number_of(trips)
    runs = condition is None or bool(condition.item())
    names = [one.name for one in graph.input]
    state: Sequence[Tensor] = carried
    collected: list[tuple[Tensor, ...]] = []
    with counting("Loop") as count_one:
        while runs and len(collected) < most:
            count_one()
            counter = torch.tensor(len(collected))
            going = torch.tensor(True)
            again, *results = body(dict(zip(names, (counter, going, *state), strict=True)))
            state = results[: len(carried)]
            collected.append(tuple(results[len(carried) :]))
            runs = bool(again.item())
    scans = graph.output[1 + len(carried) :]
    return (*state, *stack_scans(collected, scans, [0] * len(scans)))


@contextmanager
def counting(operator: str) -> Iterator[Callable[[], None]]:
    """A function to call before every iteration: it counts those of the loops inside too.

    It raises ValueError where a loop does not end.
    """
    so_far = _ITERATIONS.get() or [0]
    token = _ITERATIONS.set(so_far)

    def count() -> None:
        if so_far[0] >= ITERATIONS_AT_MOST:
            raise ValueError(
                f"{operator} has run {so_far[0]} times and has not ended: at most "
                f"{ITERATIONS_AT_MOST} iterations are run; check its condition"
            )
        so_far[0] += 1

    try:
        yield count
    finally:
        _ITERATIONS.reset(token)


def stack_scans(
    collected: Sequence[tuple[Tensor, ...]],
    values: Sequence[onnx.ValueInfoProto],
    axes: Sequence[int],
) -> list[Tensor]:
    """What each output was in every iteration, along a new axis."""
    if not collected:
        return [_nothing(value, axis) for value, axis in zip(values, axes, strict=True)]
    return [torch.stack([one[i] for one in collected], axis) for i, axis in enumerate(axes)]


def _nothing(value: onnx.ValueInfoProto, axis: int) -> Tensor:
    """What an output is that no iteration gave: its new axis has the size 0."""
    kind = value.type.tensor_type
    sizes = [one.dim_value for one in kind.shape.dim]
    sizes.insert(axis if axis >= 0 else len(sizes) + 1 + axis, 0)
    return torch.empty(sizes, dtype=TORCH_TYPES.get(kind.elem_type, torch.float32))


def scan(
    *inputs: Tensor,
    body: Body,
    graph: onnx.GraphProto,
    axes: tuple[Sequence[int], Sequence[int]],
    backwards: tuple[Sequence[int], Sequence[int]],
) -> tuple[Tensor, ...]:
    """The body over the slices of its last inputs; `axes` and `backwards` of inputs and outputs."""
    count = len(axes[0])
    states = len(inputs) - count
    state, sequences = list(inputs[:states]), inputs[states:]
    slices = [
        one.flip(axis).unbind(axis) if turned else one.unbind(axis)
        for one, axis, turned in zip(sequences, axes[0], backwards[0], strict=True)
    ]
    names = [one.name for one in graph.input]
    collected: list[tuple[Tensor, ...]] = []
    with counting("Scan") as count_one:
        for parts in zip(*slices, strict=True):
            count_one()
            results = body(dict(zip(names, (*state, *parts), strict=True)))
            state = list(results[:states])
            collected.append(tuple(results[states:]))
    stacked = stack_scans(collected, graph.output[states:], axes[1])
    turned = zip(stacked, axes[1], backwards[1], strict=True)
    return (*state, *(one.flip(axis) if flip else one for one, axis, flip in turned))


def _branch(read: Attributes) -> Operator | None:
    then, otherwise = read.graph("then_branch"), read.graph("else_branch")
    if read.subgraph is None or then is None or otherwise is None:
        return None
    return multiple(branch, then=read.subgraph(then), otherwise=read.subgraph(otherwise))


def _loop(read: Attributes) -> Operator | None:
    graph = read.graph("body")
    if read.subgraph is None or graph is None:
        return None
    return multiple(loop, body=read.subgraph(graph), graph=graph)


def _scan(read: Attributes) -> Operator | None:
    graph, count = read.graph("body"), read.integer("num_scan_inputs", 1)
    if read.subgraph is None or graph is None or read.opset < 9:
        return None
    if not 0 < count <= len(read.inputs):
        return None
    outputs = len(graph.output) - (len(read.inputs) - count)
    axes = (
        read.integers("scan_input_axes") or (0,) * count,
        read.integers("scan_output_axes") or (0,) * outputs,
    )
    backwards = (
        read.integers("scan_input_directions") or (0,) * count,
        read.integers("scan_output_directions") or (0,) * outputs,
    )
    body = read.subgraph(graph)
    return multiple(scan, body=body, graph=graph, axes=axes, backwards=backwards)


TABLE: dict[str, Builder] = {"If": _branch, "Loop": _loop, "Scan": _scan}
