"""The graph of a model's structure: exported once, without the weights that recipes change."""

import ast
import inspect
import logging
import threading
import warnings
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import onnx_ir as ir
import torch
from torch import Tensor, nn

from compress_core.compressed import Compressed
from compress_core.graph.errors import GraphError
from compress_core.graph.naming import unique_name
from compress_core.graph.simplification import clear_metadata, replace_value, simplify
from compress_core.graph.source import source_structure, wished_opset
from compress_core.graph.untranslated import untranslated
from compress_core.measurement.cost import macs_by_layer
from compress_core.models.importing.onnx import OnnxNetwork
from compress_core.stored import StoredLayer
from compress_core.weights import with_weights

OPSET = 23  # the first with an Attention operator: one node where older ones need fifteen
LAYOUT_OPS = {"Identity", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"}
BATCH = torch.export.Dim("batch")  # the first dimension of every input
_EXPORTER = threading.Lock()  # torch's exporter patches torch while it traces: one at a time


@dataclass(frozen=True, eq=False)
class Structure:
    """The graph shared by all recipes of one structure: clone `model`, never write to it.

    Its compressible weights, and other tensors that a step replaces, are initializers without data,
    so that none can be stale. `macs` are the multiply-accumulates of each layer. `calls` are the
    names of the nodes that a weight works in when its own module is called, by the weight's key:
    a network may read it elsewhere, too.
    """

    model: ir.Model
    macs: dict[str, int]
    calls: dict[str, tuple[str, ...]]


def find_structure(compressed: Compressed) -> Structure:
    """The structure of `compressed`, exported now if no recipe of this structure was before."""
    memo, network = compressed.base.memo, compressed.network
    if isinstance(compressed.base.pristine, OnnxNetwork):
        return _source_structure(compressed)
    shapes = [(s.form, s.ranks, s.bias is not None) for s in compressed.layers.values()]
    key: Hashable = ("onnx", tuple(shapes), *map(tuple, (network.rest, network.coded)))

    def wait_and_export() -> Structure:
        with _EXPORTER:  # asked again, since another thread may have exported it meanwhile
            return memo.get(key, lambda: export_structure(compressed))

    return memo.get(key, wait_and_export)


def _source_structure(compressed: Compressed) -> Structure:
    """Of a network that came as an ONNX file: its own graph, brought to what the codes need."""
    network, opset = compressed.network, wished_opset(compressed)
    shapes = [
        (s.form, s.ranks, s.bias is not None, s.codes is not None)
        for s in compressed.layers.values()
    ]
    key: Hashable = ("source", opset, tuple(shapes), *map(tuple, (network.rest, network.coded)))
    return compressed.base.memo.get(key, lambda: Structure(*source_structure(compressed)))


def export_structure(compressed: Compressed) -> Structure:
    """Export, simplify and name the graph, and take what recipes change out of it.

    Raises GraphError when the model cannot be traced or a weight is not found in the graph.
    """
    # a copy of our own: tracing replaces the parameters of the module, and others may run it now
    module = with_weights(compressed.network.weights_module, {})
    macs = macs_by_layer(module, compressed.base)
    model = export(module, compressed.base.examples, compressed.base.name)
    layers = compressed.layers.values()
    keys = {k: tied for stored in layers for k, tied in _keys(stored).items()}
    biases = {s.bias_key: (s.bias_key,) for s in layers if s.bias is not None and s.bias_key}
    network, tied_keys = compressed.network, compressed.tied
    rest = {key: (key, *tied_keys.get(key, ())) for key in (*network.rest, *network.coded)}
    for key, tied in {**keys, **biases, **rest}.items():
        blank_weight(model.graph, key, tied)
    simplify(model)
    name_nodes(model.graph, keys)
    calls = {key: _calls(model.graph.initializers[key]) for key in keys}
    model.graph.name = compressed.base.name
    clear_metadata(model)
    return Structure(model, macs, calls)


def export(module: nn.Module, examples: tuple[Tensor, ...], name: str) -> ir.Model:
    """The model as torch exports it, every state-dict key an initializer of that name and layout.

    `examples` are its inputs for a batch of 1. A single input is named "images", a single output
    "logits", several input_0, input_1, … and output_0, output_1, …
    Not optimized: the optimizer folds batch norms and transposes into the weights, and joins equal
    tensors, after which a rewritten weight would act on half of the network.
    Raises GraphError where that is impossible.
    """
    reason = untranslated(module)
    if reason:
        raise GraphError(f"{name} cannot be exported to ONNX: {reason}")
    # a batch of 1 would become constant
    inputs = tuple(example.expand(2, *example.shape[1:]) for example in examples)
    try:
        with _quiet():
            program = torch.onnx.export(
                module,
                inputs,
                input_names=_names("images", "input", len(inputs)),
                dynamic_shapes=_dynamic_shapes(module, len(inputs)),
                opset_version=OPSET,
                dynamo=True,
                optimize=False,
                verbose=False,
            )
    except Exception as error:  # the exporter has no list of all that it raises
        reason = str(error.__cause__ or error).strip().partition("\n")[0]
        raise GraphError(
            f"{name} cannot be exported to ONNX ({reason}); its forward must be traceable "
            "for any batch size: no data-dependent branches, tensors in, tensors out"
        ) from error
    assert program is not None  # with dynamo=True
    _check_batch(program.model.graph, name)
    _join_constants(program.model.graph, module)
    outputs = program.model.graph.outputs
    for value, found in zip(outputs, _names("logits", "output", len(outputs)), strict=True):
        if value.producer():  # a weight that is an output keeps the name by which it is found
            value.name = found
    return program.model


def _check_batch(graph: ir.Graph, name: str) -> None:
    """Raise GraphError where the exporter has made the batch of its example constant."""
    for value in graph.inputs:
        if value.shape is None or not value.shape or isinstance(value.shape[0], int):
            raise GraphError(
                f"{name} cannot be exported to ONNX (its batch size would be constant); read it "
                "as x.shape[0] in the forward pass, not as len(x) or a number"
            )


def _join_constants(graph: ir.Graph, module: nn.Module) -> None:
    """Make constants that are a parameter one with it: a network may keep some in a plain list, of
    which the exporter does not know what they are.

    Raises GraphError for a constant that is a part of a parameter.
    """
    keys = {_memory(p): key for key, p in module.named_parameters()}
    storages = {memory[0]: key for memory, key in keys.items()}
    named = {*module.state_dict()}
    for name, value in list(graph.initializers.items()):
        raw = getattr(value.const_value, "raw", None)
        if name in named or not isinstance(raw, Tensor) or _memory(raw)[0] not in storages:
            continue
        key = keys.get(_memory(raw))
        if key is None:
            raise GraphError(
                f"the exported graph has a part of {storages[_memory(raw)[0]]} as a constant, "
                "which would keep its old values; read the parameter itself in the forward pass"
            )
        if key in graph.initializers:
            replace_value(value, graph.initializers[key])
            graph.initializers.pop(name)
        else:
            value.name = key


def _memory(tensor: Tensor) -> tuple[int, int, tuple[int, ...], tuple[int, ...]]:
    """Equal for tensors that are the same memory throughout; the first number tells its block."""
    block = tensor.untyped_storage().data_ptr()
    return block, tensor.data_ptr(), tuple(tensor.shape), tensor.stride()


def _dynamic_shapes(module: nn.Module, inputs: int) -> tuple[Any, ...]:
    """The batch is free in every input; those that `forward` takes as *args are a tuple."""
    shapes = ({0: BATCH},) * inputs
    parameters = inspect.signature(module.forward).parameters.values()
    kinds = [parameter.kind for parameter in parameters]
    if inspect.Parameter.VAR_POSITIONAL not in kinds:
        return shapes
    named = kinds.index(inspect.Parameter.VAR_POSITIONAL)
    return (*shapes[:named], shapes[named:])


def _names(single: str, several: str, count: int) -> list[str]:
    return [single] if count == 1 else [f"{several}_{i}" for i in range(count)]


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what the exporter says of itself: a deprecation, and packages it does not find."""
    registration = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = registration.level
    registration.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r".*isinstance\(treespec, LeafSpec\)", FutureWarning)
            # of recurrent modules, which keep a list of their weights
            warnings.filterwarnings("ignore", r"_check_is_size will be removed", FutureWarning)
            warnings.filterwarnings("ignore", r"The tensor attributes .*_flat_weights", UserWarning)
            # that inputs have one batch size is meant
            warnings.filterwarnings("ignore", r"# The axis name: batch will not be used")
            yield
    finally:
        registration.setLevel(level)


def name_nodes(graph: ir.Graph, keys: Iterable[str]) -> None:
    """Name the nodes that compute with a weight as its layer (fc1), others blocks.0.norm1.Add.

    Raises GraphError when no node uses one of the weights `keys`.
    """
    taken: set[str] = set()
    for key in keys:
        users = weight_users(graph.initializers[key])
        if not users:
            raise GraphError(_not_used(key))
        for user in users:
            user.name = unique_name(node_name(key), taken)
    for node in graph:
        if node.name not in taken:
            path = _module_path(node)
            node.name = unique_name(f"{path}.{node.op_type}" if path else node.op_type, taken)


def _module_path(node: ir.Node) -> str:
    """Where the module stands whose forward made this node: blocks.0.norm1, or "" if unknown."""
    scopes = ast.literal_eval(node.metadata_props.get("pkg.torch.onnx.name_scopes", "[]"))
    path = str(scopes[-2]) if len(scopes) > 1 else ""
    return "" if path.startswith("_") else path  # the tracer's own


def _calls(weight: ir.Value) -> tuple[str, ...]:
    owner = str(weight.name).rpartition(".")[0]
    return tuple(str(user.name) for user in weight_users(weight) if _module_path(user) == owner)


def _keys(stored: StoredLayer) -> dict[str, tuple[str, ...]]:
    """Each weight's key, and all state-dict keys under which the exporter may know it."""
    if stored.form == "plain":
        return {stored.layer.key: stored.layer.tied_keys}
    return {key: (key,) for key in stored.weight_keys}


def blank_weight(graph: ir.Graph, key: str, keys: tuple[str, ...]) -> None:
    """Leave one initializer `key` without data for the tied `keys`.

    Raises GraphError when there is none: a weight that the exporter has merged into another tensor
    would keep its old values whatever the recipe says.
    """
    found = [graph.initializers[name] for name in keys if name in graph.initializers]
    if not found:
        raise GraphError(_not_used(key))
    first, *twins = found
    for twin in twins:
        replace_value(twin, first)
        graph.initializers.pop(str(twin.name))
    first.name = key
    first.const_value = None


def _not_used(key: str) -> str:
    return (
        f"the exported graph does not use the weight {key}; a compressible weight must take part "
        "in the forward pass under its own name: remove the layer, or call it there"
    )


def node_name(key: str) -> str:
    """The name of the node that a weight works in: its key without the ending, such as fc1.0."""
    return key.removesuffix("_weight").removesuffix(".weight")


def weight_users(weight: ir.Value) -> list[ir.Node]:
    """The nodes that compute with a weight, seen through nodes that only change its layout."""
    users: dict[ir.Node, None] = {}
    for node in weight.consumers():
        if node.op_type in LAYOUT_OPS:
            users |= dict.fromkeys(user for output in node.outputs for user in weight_users(output))
        else:
            users[node] = None
    return list(users)
