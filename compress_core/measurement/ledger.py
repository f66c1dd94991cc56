"""The byte ledger: how many bytes the same weights take in every encoding that people use.

Every row but one is a real file that decodes to the weights (see storage/layouts.py), and its bytes
are counted on that file. The exception is the entropy bound: no code of single symbols with one
histogram for each layer is shorter. Gap and context coding use more, and may lie below it.
"""

import gzip
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import zstandard

from compress_core.compressed import Compressed
from compress_core.measurement.report import layer_bytes
from compress_core.storage.entropy_coding import entropy_bits
from compress_core.storage.layouts import LAYOUTS, LayoutFile, encode_file
from compress_core.storage.streams import StoredWeight
from compress_core.storage.streams.floats import kept_mask

LAYOUT_ROWS = {
    "dense fp32": "dense",
    "dense fp16": "dense_fp16",
    "bitmask + fp32 values": "bitmask",
    "CSR": "csr",
    "codebook + indices": "codebook",
    "k-bit packed": "packed",
    "bitmask + k-bit codes": "masked",
    "Huffman": "huffman",
    "gap + Huffman": "gap_huffman",
    "ANS": "ans",
    "context ANS": "context",
}
OURS = "our container"
NOTES = {
    "dense fp16": "rounded: the only row that does not give the weights back bit for bit",
    "CSR": "fp32 values, int32 columns and row pointers, as SciPy writes them",
    "gap + Huffman": "Deep Compression, tables included",
    "context ANS": "a model for each class of rows and columns",
}
# From this sparsity on, the finding is about zeros; quantization alone makes fewer of them.
MANY_ZEROS, MOST_ZEROS = 0.1, 0.5


@dataclass(frozen=True)
class LedgerRow:
    """One encoding of all weights: a file of `total_bytes`, or None where it does not apply.

    `layer_bytes` are (layer, bytes) pairs; with `rest_bytes` (biases, norms, the file's header)
    they add up to the total. Both are None where the parts do not add up: gzip, zstd and ONNX see
    the file as a whole. `note` says why there is no number, or what is peculiar to it.
    """

    name: str
    total_bytes: int | None
    layer_bytes: tuple[tuple[str, int], ...] | None = None
    rest_bytes: int | None = None
    is_bound: bool = False
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: the form of `--json`."""
        layers = None if self.layer_bytes is None else dict(self.layer_bytes)
        return {**vars(self), "layer_bytes": layers}


def ledger(compressed: Compressed, onnx: bytes | None = None) -> tuple[LedgerRow, ...]:
    """A row for each encoding of the compressed model's weights.

    `onnx` is its graph as `to_onnx` gives it, which takes seconds the first time; without it the
    rows of the ONNX file have no number.
    """
    files = {
        name: encode_file(layout, compressed.weights, compressed.plain_rest)
        for name, layout in LAYOUT_ROWS.items()
    }
    plain = files["dense fp32"].raw
    return (
        *(layout_row(compressed, name, file) for name, file in files.items()),
        LedgerRow("gzip -9", len(gzipped(plain)), note="of the dense fp32 file as a whole"),
        LedgerRow("zstd -19", len(zstd(plain)), note="of the dense fp32 file as a whole"),
        bound_row(compressed),
        container_row(compressed),
        *onnx_rows(onnx),
    )


def gzipped(raw: bytes) -> bytes:
    return gzip.compress(raw, compresslevel=9, mtime=0)


def zstd(raw: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=19).compress(raw)


def _stored(compressed: Compressed) -> Iterator[tuple[str, str, StoredWeight]]:
    """Layer, state-dict key and weight of everything stored."""
    for name, stored in compressed.layers.items():
        for key, weight in zip(stored.weight_keys, stored.weights, strict=True):
            yield name, key, weight


def _by_layer(
    compressed: Compressed, weight_bytes: Mapping[str, int]
) -> tuple[tuple[str, int], ...]:
    """Bytes by state-dict key, summed by layer: a factor pair has two keys."""
    totals: dict[str, int] = {}
    for name, key, _ in _stored(compressed):
        totals[name] = totals.get(name, 0) + weight_bytes[key]
    return tuple(totals.items())


def layout_row(compressed: Compressed, name: str, file: LayoutFile) -> LedgerRow:
    """The row of a layout: its file, or the reason why the layout fits no weight at all."""
    if len(file.unfit) == len(file.weight_bytes):
        return LedgerRow(name, None, note=f"needs {LAYOUTS[LAYOUT_ROWS[name]].needs}")
    notes = [NOTES[name]] if name in NOTES else []
    if file.unfit:
        notes.append(f"stays dense, as it does not fit: {', '.join(file.unfit)}")
    by_layer = _by_layer(compressed, file.weight_bytes)
    return LedgerRow(
        name,
        len(file.raw),
        by_layer,
        len(file.raw) - sum(size for _, size in by_layer),
        note="; ".join(notes),
    )


def bound_row(compressed: Compressed) -> LedgerRow:
    """The entropy bound: count · entropy of each weight's histogram.

    For a weight without codes: the entropy of its mask, and the kept floats as they are. Scales
    and the rest of the model are counted as they are; histograms and headers are not counted.
    """
    bounds = {key: weight_bound(weight) for key, weight in compressed.weights.items()}
    by_layer = _by_layer(compressed, bounds)
    total = sum(bounds.values()) + sum(t.nbytes for t in compressed.plain_rest.values())
    return LedgerRow(
        "entropy bound",
        total,
        by_layer,
        total - sum(size for _, size in by_layer),
        is_bound=True,
        note="a bound, no file: one histogram for each layer, not counted",
    )


def weight_bound(weight: StoredWeight) -> int:
    """The entropy bound of this weight: no code of single symbols with one histogram is shorter."""
    form = weight.coded
    if form is None:
        mask = kept_mask(weight.values)
        return math.ceil(mask.size * entropy_bits(mask) / 8) + 4 * int(mask.sum())
    bits = form.symbols.size * entropy_bits(form.symbols)
    return math.ceil(bits / 8) + sum(tensor.nbytes for tensor in form.parameters.values())


def container_row(compressed: Compressed) -> LedgerRow:
    """Our own file: of each weight the smallest of its encodings."""
    by_layer = layer_bytes(compressed.layers, compressed.file.parts)
    encodings = {weight.streams.header["encoding"] for _, _, weight in _stored(compressed)}
    total = compressed.stored_bytes
    return LedgerRow(
        OURS,
        total,
        tuple(by_layer.items()),
        total - sum(by_layer.values()),
        note=f"the smallest of each layer: {', '.join(sorted(encodings))}",
    )


def onnx_rows(onnx: bytes | None) -> tuple[LedgerRow, LedgerRow]:
    """The graph's file, and gzip -9 of it."""
    if onnx is None:
        note = "no graph was given; export it with to_onnx"
        return LedgerRow("ONNX", None, note=note), LedgerRow("ONNX, gzip -9", None, note=note)
    return (
        LedgerRow("ONNX", len(onnx), note="weights and graph"),
        LedgerRow("ONNX, gzip -9", len(gzipped(onnx)), note="of the ONNX file as a whole"),
    )


@dataclass(frozen=True)
class Finding:
    """The most important fact that the rows show, with its bytes; None where a row has no number.

    kind: "zeros" are many, and most files store them; "bits": codes that shrink a file whatever the
    values; "floats": as trained, which hardly shrink. sparsity: the fraction of zeros among all
    stored weights.
    """

    kind: Literal["zeros", "bits", "floats"]
    sparsity: float
    dense: int
    ours: int
    packed: int | None
    gzipped: int | None
    onnx: int | None


def finding(rows: tuple[LedgerRow, ...], sparsity: float) -> Finding:
    """The first that applies: a file stores zeros; fewer bits saved bytes; floats hardly shrink.

    `sparsity` is the fraction of zeros among all stored weights.
    """
    sizes = {row.name: row.total_bytes for row in rows if row.total_bytes is not None}
    packed = sizes.get("k-bit packed")
    has_zeros = sparsity >= (MANY_ZEROS if packed is None else MOST_ZEROS)
    return Finding(
        kind="zeros" if has_zeros else "floats" if packed is None else "bits",
        sparsity=sparsity,
        dense=sizes["dense fp32"],
        ours=sizes[OURS],
        packed=packed,
        gzipped=sizes.get("gzip -9"),
        onnx=sizes.get("ONNX"),
    )
