"""Nodes that torch has nothing like: each runs in onnxruntime, as a model of this one node."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import AttributeProto, GraphProto, NodeProto, TensorProto, helper
from torch import Tensor

from compress_core.models.importing.onnx.operators.types import FLOAT8, ONNX_TYPES

# numpy has none of these, so that they cannot be handed to onnxruntime.
UNKNOWN_TO_NUMPY = {torch.bfloat16, *FLOAT8}

Kinds = tuple[tuple[torch.dtype, int] | None, ...]  # type and rank of each input


class ForeignNode:
    """One node as an operator. No gradient passes through it: backward raises ValueError.

    The types and ranks of the inputs are learned when it runs; one session is kept for each
    combination, and is made anew in a copy or another process.
    """

    def __init__(self, node: NodeProto, opsets: Mapping[str, int]) -> None:
        """Raises ValueError for a node that needs anything but its inputs and attributes."""
        self._node = node.SerializeToString()
        self._opsets = {domain: opsets.get(domain, 1) for domain in {"", node.domain}}
        self._outputs = tuple(node.output)
        named = node.name or next(filter(None, node.output), "")
        self.name = f"the node {_short(named)} ({_operator(node)})"
        self._sessions: dict[Kinds, onnxruntime.InferenceSession] = {}
        _refuse_dependence(node, self.name)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_sessions": {}}

    def __call__(self, inputs: Sequence[Tensor | None]) -> tuple[Tensor | None, ...]:
        wants = torch.is_grad_enabled() and any(
            one is not None and one.requires_grad for one in inputs
        )
        if not wants:
            return self._run(inputs)
        made: tuple[Tensor | None, ...]
        made = _WithoutGradient.apply(self._run, self.name, *inputs)  # type: ignore[no-untyped-call]
        return made

    def _run(self, inputs: Sequence[Tensor | None]) -> tuple[Tensor | None, ...]:
        session = self._session(inputs)
        given = {
            f"input_{i}": one.detach().contiguous().numpy()
            for i, one in enumerate(inputs)
            if one is not None
        }
        try:
            results = iter(session.run(None, given))
        except Exception as error:  # onnxruntime's errors have no class of their own in common
            raise self._failed(error) from error
        return tuple(self._tensor(next(results)) if name else None for name in self._outputs)

    def _tensor(self, result: Any) -> Tensor:
        if not isinstance(result, np.ndarray) or result.dtype.kind not in "biuf":
            raise ValueError(
                f"{self.name} gives texts or a sequence: only tensors of numbers can be computed "
                f"with here; leave this node out of the graph"
            )
        return torch.from_numpy(np.array(result))  # of its own memory

    def _session(self, inputs: Sequence[Tensor | None]) -> onnxruntime.InferenceSession:
        kinds = tuple(None if one is None else (one.dtype, one.dim()) for one in inputs)
        if kinds not in self._sessions:
            try:
                self._sessions[kinds] = _open_session(self._model(kinds))
            except Exception as error:
                raise self._failed(error) from error
        return self._sessions[kinds]

    def _model(self, kinds: Kinds) -> bytes:
        """The node alone, between inputs and outputs of these types."""
        node = NodeProto.FromString(self._node)
        names = ["" if kind is None else f"input_{i}" for i, kind in enumerate(kinds)]
        del node.input[:]
        node.input.extend(names)
        inputs = [
            helper.make_tensor_value_info(name, _onnx_type(kind[0]), [None] * kind[1])
            for name, kind in zip(names, kinds, strict=True)
            if kind is not None
        ]
        outputs = [onnx.ValueInfoProto(name=name) for name in node.output if name]
        opsets = [helper.make_opsetid(domain, version) for domain, version in self._opsets.items()]
        graph = helper.make_graph([node], "one_node", inputs, outputs)
        model = helper.make_model(graph, opset_imports=opsets)
        model.ir_version = helper.find_min_ir_version_for(opsets, ignore_unknown=True)
        return bytes(model.SerializeToString())

    def _failed(self, error: Exception) -> ValueError:
        return ValueError(
            f"{self.name} cannot run, neither in torch nor in onnxruntime: {_short(str(error))}; "
            f"export the network without this operator"
        )


class _WithoutGradient(torch.autograd.Function):
    """Runs forwards and refuses to run backwards, by name."""

    @staticmethod
    def forward(
        ctx: Any,
        run: Callable[[Sequence[Tensor | None]], tuple[Tensor | None, ...]],
        name: str,
        *inputs: Tensor | None,
    ) -> tuple[Tensor | None, ...]:
        ctx.name = name
        made = run(inputs)
        whole = [one for one in made if one is not None and not one.is_floating_point()]
        ctx.mark_non_differentiable(*whole)
        return made

    @staticmethod
    def backward(ctx: Any, *_: Any) -> Any:
        raise ValueError(
            f"{ctx.name} runs in onnxruntime and has no gradient: layers before it cannot be "
            f"trained; train only layers behind it, or export the network without this operator"
        )


def _open_session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.enable_cpu_mem_arena = False  # an arena keeps the memory of every such node
    options.log_severity_level = 4  # what goes wrong is raised; the log would repeat it
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _onnx_type(kind: torch.dtype) -> int:
    if kind in UNKNOWN_TO_NUMPY or kind not in ONNX_TYPES:
        raise ValueError(f"numbers of the type {kind} cannot be handed to onnxruntime")
    return ONNX_TYPES[kind]


def _operator(node: NodeProto) -> str:
    return _short(f"{node.domain}.{node.op_type}" if node.domain else node.op_type)


def _short(text: str, limit: int = 160) -> str:
    """Somebody else's text on one line of printable characters."""
    shown = "".join(one if one.isprintable() else " " for one in text[: 2 * limit])
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def _refuse_dependence(node: NodeProto, name: str) -> None:
    """A node that reads a file, or values around it by name, cannot run by itself."""
    for tensor in _tensors(node):
        if tensor.data_location == TensorProto.EXTERNAL:
            raise ValueError(
                f"{name} reads a file beside the graph: no other file is read; save all in one "
                f"file: onnx.save(onnx.load(path), 'one.onnx')"
            )
    for graph in _graphs(node):
        if missing := _reads_around(graph):
            raise ValueError(
                f"{name} has a graph inside that reads {_short(missing)} from around it: such a "
                f"node cannot run by itself; export the network without this operator"
            )


def _graphs(node: NodeProto) -> Iterator[GraphProto]:
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def _tensors(node: NodeProto) -> Iterator[TensorProto]:
    for attribute in node.attribute:
        if attribute.type == AttributeProto.TENSOR:
            yield attribute.t
        yield from attribute.tensors
    for graph in _graphs(node):
        yield from graph.initializer
        for inner in graph.node:
            yield from _tensors(inner)


def _reads_around(graph: GraphProto, known: frozenset[str] = frozenset()) -> str:
    """The first name that a graph reads and nothing inside it makes; "" if there is none."""
    names = {"", *known, *(one.name for one in (*graph.input, *graph.initializer))}
    for node in graph.node:
        for name in node.input:
            if name not in names:
                return str(name)
        for inner in _graphs(node):
            if missing := _reads_around(inner, frozenset(names)):
                return missing
        names.update(node.output)
    return next((one.name for one in graph.output if one.name not in names), "")
