"""An ONNX file, walked as protobuf before onnx or onnxruntime see it.

onnx's checker and onnxruntime can end their process on a bad model, and both follow the paths of
external data. Source: onnx/onnx.proto.
"""

import math
import mmap
from dataclasses import dataclass, field
from pathlib import Path

from compress_core.models.importing.files.errors import refuse
from compress_core.models.importing.files.external import check_external
from compress_core.models.importing.files.wire import (
    AGAIN,
    BYTES,
    Field,
    as_signed,
    read_fields,
    read_packed,
    read_text,
)
from compress_core.shown import shown_name

MOST_BYTES = 2_147_483_647  # protobuf's own limit
MOST = {"Node": 50_000, "Tensor": 20_000, "Attribute": 500_000, "Graph": 2_000, "Function": 1_000}
MOST_FIELDS = 3_000_000
MOST_DEPTH = 40  # messages inside each other; a subgraph takes three, a quantized model none
MOST_DIMENSIONS = 64

# What each message holds that is a message itself: field number → message.
MESSAGES: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Function": {7: "Node", 11: "Attribute", 12: "Value"},
    "Graph": {1: "Node", 5: "Tensor", 11: "Value", 12: "Value", 13: "Value", 15: "Sparse"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "Sparse", 23: "Sparse"},
    "Sparse": {1: "Tensor", 2: "Tensor"},
    "Value": {},
    "Tensor": {},
}
TEXT = 8
# Tensor.data_type → bits of one value; text has no size.
DATA_BITS = {
    1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 8: 0, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64,
    14: 64, 15: 128, 16: 16, 17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2,
}  # fmt: skip
# Typed data fields of a tensor → bytes that a value takes at least (numbers are varints).
DATA_FIELDS = {4: 4, 5: 1, 7: 1, 10: 8, 11: 1}
RAW, TEXTS, EXTERNAL, LOCATION = 9, 6, 13, 14


@dataclass
class _Count:
    """How much was seen so far."""

    fields: int = 0
    messages: dict[str, int] = field(default_factory=dict)

    def add_message(self, kind: str) -> None:
        self.messages[kind] = self.messages.get(kind, 0) + 1
        most = MOST.get(kind, MOST_FIELDS)
        if self.messages[kind] > most:
            raise refuse(
                f"the model has more than the {most:,} {kind.lower()}s that are read",
                "give a part of it, or a smaller model",
            )

    def add_field(self) -> None:
        self.fields += 1
        if self.fields > MOST_FIELDS:
            raise refuse(
                f"the model has more than the {MOST_FIELDS:,} fields that are read",
                "give a part of it, or a smaller model",
            )


def check_onnx(path: Path, beside: Path | None = None) -> dict[str, int]:
    """How many nodes, tensors, … the file has, once it keeps all rules.

    `beside` is a fresh folder in which external data may lie, and nothing else; without it, a model
    with external data is refused. Raises UnsafeFileError.
    """
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise refuse(
            f"the file has {size:,} bytes; an ONNX file has at most {MOST_BYTES:,}",
            "give its weights as safetensors",
        )
    if size == 0:
        raise refuse("the file is empty", AGAIN)
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        memoryview(mapped) as data,
    ):
        return _walk(data, beside).messages


def _walk(data: memoryview, beside: Path | None) -> _Count:
    """Visit every message once, the outermost first."""
    count = _Count()
    waiting = [("Model", 0, len(data), 0)]
    while waiting:
        kind, begin, end, depth = waiting.pop()
        if depth > MOST_DEPTH:
            raise refuse(
                f"graphs lie inside each other more than {MOST_DEPTH // 3} deep",
                "flatten the model",
            )
        count.add_message(kind)
        if kind == "Tensor":
            _check_tensor(data, begin, end, count, beside)
            continue
        inner = MESSAGES[kind]
        for found in read_fields(data, begin, end):
            count.add_field()
            if found.number in inner:
                _check_is_message(found, kind)
                waiting.append((inner[found.number], found.begin, found.end, depth + 1))
    if not count.messages.get("Graph"):
        raise refuse("there is no graph in the file", AGAIN)
    return count


def _check_is_message(found: Field, kind: str) -> None:
    if found.wire != BYTES:
        raise refuse(f"field {found.number} of a {kind.lower()} is no message", AGAIN)


@dataclass
class _Claim:
    """What a tensor says of itself, and what is there."""

    name: str = ""
    data_type: int = 0
    dims: list[int] = field(default_factory=list)
    raw_bytes: int | None = None
    typed_values: int = 0  # at most so many
    texts: int = 0
    external: dict[str, str] = field(default_factory=dict)
    is_external: bool = False


def _check_tensor(
    data: memoryview, begin: int, end: int, count: _Count, beside: Path | None
) -> None:
    claim = _Claim()
    for found in read_fields(data, begin, end):
        count.add_field()
        _note(claim, data, found)
    shown = f"tensor '{shown_name(claim.name)}'"
    if len(claim.dims) > MOST_DIMENSIONS or any(size < 0 for size in claim.dims):
        sizes = shown_name(str(claim.dims[:9]))
        raise refuse(f"{shown} has the shape {sizes}; sizes are 0 or more", "export it anew")
    if claim.data_type not in DATA_BITS:
        raise refuse(f"{shown} has the unknown data type {claim.data_type}", "export it anew")
    if claim.is_external or claim.external:
        check_external(claim.external, _bytes_claimed(claim), beside, shown)
    else:
        _check_present(claim, shown)


def _note(claim: _Claim, data: memoryview, found: Field) -> None:
    """Keep what one field says."""
    if found.number == 1:
        if len(claim.dims) <= MOST_DIMENSIONS:
            claim.dims += map(as_signed, read_packed(data, found, MOST_DIMENSIONS))
    elif found.number == 2:
        claim.data_type = found.value
    elif found.number == 8 and found.wire == BYTES:
        claim.name = read_text(data, found)
    elif found.number == RAW and found.wire == BYTES:
        claim.raw_bytes = found.value
    elif found.number in DATA_FIELDS:
        packed = found.value // DATA_FIELDS[found.number] if found.wire == BYTES else 1
        claim.typed_values += packed
    elif found.number == TEXTS:
        claim.texts += 1
    elif found.number == LOCATION:
        claim.is_external = found.value == 1
    elif found.number == EXTERNAL and found.wire == BYTES:
        claim.external.update(_entry(data, found))


def _entry(data: memoryview, found: Field) -> dict[str, str]:
    """A pair of texts: {key: value}."""
    pair = {1: "", 2: ""}
    for part in read_fields(data, found.begin, found.end):
        if part.number in pair and part.wire == BYTES:
            pair[part.number] = read_text(data, part)
    return {pair[1]: pair[2]}


def _bytes_claimed(claim: _Claim) -> int:
    return -(-math.prod(claim.dims) * DATA_BITS[claim.data_type] // 8)


def _check_present(claim: _Claim, shown: str) -> None:
    """What the shape claims is in the file."""
    needed = _bytes_claimed(claim)
    if claim.data_type == TEXT:
        present, needed = claim.texts, math.prod(claim.dims)
    elif claim.raw_bytes is not None:
        present = claim.raw_bytes
    else:
        # a number takes a field of its own, whatever its type; those below a byte share one
        present = claim.typed_values * max(1, DATA_BITS[claim.data_type] // 8)
    if present < needed:
        shape = shown_name(" × ".join(f"{size:,}" for size in claim.dims))
        raise refuse(
            f"{shown} claims {shape} values, {needed:,} bytes, but {present:,} are in the file",
            "it is damaged, or made to hurt: export it anew",
        )
