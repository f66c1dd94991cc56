"""Protobuf's wire format, walked field by field with bounds, by nothing but this file.

A message is a row of fields; each begins with a varint (number << 3 | wire type) and is a varint, 8
bytes, 4 bytes, or a length and so many bytes, which may be a message again.
Source: protobuf.dev/programming-guides/encoding.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from compress_core.models.importing.files.errors import refuse

VARINT, EIGHT_BYTES, BYTES, FOUR_BYTES = 0, 1, 2, 5
AGAIN = "it is damaged or cut off: upload it again, or export it anew"
MODEL_FIELDS = frozenset((*range(1, 9), 14, 20, 25, 26))  # of onnx.ModelProto
GRAPH_FIELD = 7


class Field(NamedTuple):
    """A field of a message: for BYTES `value` is the length, for VARINT the number itself."""

    number: int
    wire: int
    value: int
    begin: int
    end: int


def read_fields(data: bytes | memoryview, begin: int, end: int) -> Iterator[Field]:
    """The fields between two places. Raises UnsafeFileError where they do not fit in there."""
    at = begin
    while at < end:
        tag, at = read_varint(data, at, end)
        number, wire = tag >> 3, tag & 7
        first, value = at, 0
        if wire == VARINT:
            value, at = read_varint(data, at, end)
        elif wire == BYTES:
            value, first = read_varint(data, at, end)
            at = first + value
        elif wire in (EIGHT_BYTES, FOUR_BYTES):
            at += 8 if wire == EIGHT_BYTES else 4
        else:
            raise refuse(f"byte {first:,} begins a field of the unknown kind {wire}", AGAIN)
        if number == 0 or at > end:
            raise refuse(
                f"a field at byte {first:,} ends at byte {at:,}, after its message does at {end:,}",
                AGAIN,
            )
        yield Field(number, wire, value, first, at)


def read_varint(data: bytes | memoryview, at: int, end: int) -> tuple[int, int]:
    """A number of at most 64 bits, and the place after it."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            raise refuse(f"a number at byte {at:,} is cut off", AGAIN)
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
    raise refuse(f"a number at byte {at:,} has more than ten bytes", AGAIN)


def as_signed(value: int) -> int:
    """The number that an int64 field means."""
    return value - (1 << 64) if value >= 1 << 63 else value


def looks_like_model(path: Path) -> bool:
    """Whether the fields of the file are those of an ONNX model, as far as they go; a model that is
    cut off is one, too. Reads the beginnings of at most 64 fields."""
    with path.open("rb") as file:
        for _ in range(64):
            head = file.read(20)
            found = _first_field(head)
            if found is None or found.number not in MODEL_FIELDS:
                return False
            if found.number == GRAPH_FIELD:
                return found.wire == BYTES
            if found.number == 1 and not (found.wire == VARINT and found.value < 1000):
                return False
            if found.end >= 1 << 62:
                return True
            file.seek(found.end - len(head), 1)
            if not file.peek(1):
                return True  # it ended between two fields, or in the middle of a long one
    return False


def _first_field(head: bytes) -> Field | None:
    """The first field of what is there, or None; its end may lie beyond."""
    try:
        tag, at = read_varint(head, 0, len(head))
        value, after = read_varint(head, at, len(head)) if tag & 7 in (VARINT, BYTES) else (0, at)
    except ValueError:
        return None
    size = {VARINT: 0, BYTES: value, EIGHT_BYTES: 8, FOUR_BYTES: 4}.get(tag & 7)
    return None if size is None else Field(tag >> 3, tag & 7, value, after, after + size)


def read_packed(data: bytes | memoryview, field: Field, most: int) -> list[int]:
    """Numbers of a repeated field, packed or one by one; at most `most` of them are read."""
    if field.wire == VARINT:
        return [field.value]
    values: list[int] = []
    at = field.begin
    while at < field.end and len(values) <= most:
        value, at = read_varint(data, at, field.end)
        values.append(value)
    return values


def read_text(data: bytes | memoryview, field: Field, most: int = 2000) -> str:
    """At most `most` bytes of a text."""
    return bytes(data[field.begin : min(field.end, field.begin + most)]).decode(errors="replace")
