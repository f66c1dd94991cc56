"""Say at the nodes of a graph what was done to their weights, as text that a viewer shows."""

from collections.abc import Mapping
from functools import partial

import onnx_ir as ir

from compress_core.compressed import Compressed
from compress_core.graph.structure import weight_users
from compress_core.measurement.report import LayerRow, layer_row
from compress_core.recipe import format_step
from compress_core.stored import StoredLayer
from compress_core.weights import Layer


def annotate(model: ir.Model, compressed: Compressed, macs: Mapping[str, int]) -> None:
    """Write each layer's row to every node that computes with its weights or decodes them.

    `macs` are the layers' multiply-accumulates. The model itself gets its name and the recipe.
    """
    values = {value.name: value for value in _weight_values(model.graph)}
    memo = compressed.base.memo
    for name, stored in compressed.layers.items():
        # a moved slider changes some layers; measuring the others again would take most of the time
        before = compressed.original.layers[name]
        facts = memo.get(("onnx facts", stored.key), partial(_facts_of, stored, before, macs[name]))
        for i, key in enumerate(stored.weight_keys):
            factor = {"factor": f"{i + 1} of {len(stored.weights)}"} if stored.ranks else {}
            for node in _nodes_of(values[key]):
                node.metadata_props.update(facts | factor)
    steps = " → ".join(format_step(step) for step in compressed.recipe)
    model.metadata_props.update(model=compressed.original.name, recipe=steps or "untouched")


def _facts_of(stored: StoredLayer, before: Layer, macs: int) -> dict[str, str]:
    return layer_facts(layer_row(stored, before, macs))


def _weight_values(graph: ir.Graph) -> list[ir.Value]:
    """Initializers, and what nodes make of them."""
    return [*graph.initializers.values(), *(output for node in graph for output in node.outputs)]


def _nodes_of(weight: ir.Value) -> list[ir.Node]:
    """The users of a weight, and the node that decodes it if it is quantized."""
    decoder = weight.producer()
    while decoder is not None and decoder.op_type in {"Reshape", "Transpose"}:
        decoded = decoder.inputs[0]
        assert decoded is not None
        decoder = decoded.producer()
    return [*weight_users(weight), *([decoder] if decoder else [])]


def layer_facts(row: LayerRow) -> dict[str, str]:
    """A layer's row as text with units; what does not apply is left out. 1 KB = 1,000 bytes."""
    facts = {
        "layer": row.name,
        "sparsity": f"{100 * row.sparsity:.1f} %",
        "bits": str(row.bits),
        "bytes": format_bytes(row.bytes),
        "macs": f"{row.macs:,}",
    }
    if row.input_bits is not None:
        facts["input_bits"] = str(row.input_bits)
    if row.rank is not None:
        facts["rank"] = str(row.rank)
    if row.sqnr_db is not None:
        facts["sqnr_db"] = f"{row.sqnr_db:.1f} dB"
    return facts


def format_bytes(count: int) -> str:
    """Bytes for a reader: "312 B", "12.3 KB", "1.7 MB"."""
    for unit, size in (("MB", 1_000_000), ("KB", 1_000)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"
