"""The compact form of the stored file (version 2): what cannot be derived, and nothing else.

"cx", the version, a CRC-32, a few names as JSON, then an entry for each tensor in the order of the
keys. Of a reference network even keys and shapes are left out. The README gives the whole format; a
test pins its bytes.
"""

import zlib
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from compress_core.models.catalog import MODELS, tensor_shapes
from compress_core.storage.bytewise import Reader, shape_bytes
from compress_core.storage.content import (
    CONTRADICTIONS,
    ContainerError,
    Decoded,
    File,
    as_inputs,
    as_tied,
    check_count,
    check_keys,
    check_tensor,
    plain_tensor,
)
from compress_core.storage.entries import Entry, read_entry, write_tensor, write_weight
from compress_core.storage.entropy_coding import StreamError
from compress_core.storage.names import read_names, write_names
from compress_core.storage.streams import StoredWeight, decode_streams
from compress_core.storage.streams.stream import Shape, Streams, weight_shape

MAGIC, VERSION = b"cx", 2
BODY = 7  # where the bytes begin that the checksum guards
# model, recipe, keys, tied keys, bits of rounded inputs
Names = tuple[str, str, list[str], dict[str, tuple[str, ...]], dict[str, int]]
EMPTY: list[Any] = [None, "", None, {}, {}]  # what stands for names that are left out


def encode_compact(
    weights: Mapping[str, StoredWeight],
    rest: Mapping[str, Tensor],
    *,
    tied: Mapping[str, tuple[str, ...]],
    model: str,
    recipe: str,
    inputs: Mapping[str, int] | None = None,
) -> File:
    """The compact file: compressed `weights` and the `rest` as they are.

    `tied` names further state-dict keys of a tensor, `recipe` is its text form, `inputs` tells the
    bits that inputs of layers are rounded to. Raises ContainerError for more than MAX_WEIGHTS
    weights, for keys that stand for two tensors, and for types of tensors that no file holds.
    """
    check_count(tuple(weight.values.shape) for weight in weights.values())
    check_keys([*weights, *rest], tied)
    shapes = {key: tuple(weight.streams.header["shape"]) for key, weight in weights.items()}
    shapes = dict(sorted((shapes | {key: tuple(t.shape) for key, t in rest.items()}).items()))
    is_derived = shapes == _derived(model)
    names = [model, recipe, None if is_derived else [*shapes], dict(tied), dict(inputs or {})]
    body, parts = write_names(names), {}
    codebooks: list[Tensor] = []
    for key, shape in shapes.items():
        entry = _entry(key, weights, rest, codebooks)
        body += (b"" if is_derived else shape_bytes(shape)) + entry.head + entry.body
        parts[key] = len(entry.body)
    checksum = zlib.crc32(body).to_bytes(4, "little")
    return File(MAGIC + bytes([VERSION]) + checksum + body, parts)


def _derived(model: str) -> dict[str, Shape] | None:
    """Keys and shapes of a reference network; None of any other."""
    return tensor_shapes(model) if model in MODELS else None


def _entry(
    key: str,
    weights: Mapping[str, StoredWeight],
    rest: Mapping[str, Tensor],
    codebooks: list[Tensor],
) -> Entry:
    if key in weights:
        return write_weight(weights[key], codebooks)
    check_tensor(key, rest[key])
    return write_tensor(plain_tensor(rest[key]))


def decode_compact(raw: bytes) -> Decoded:
    """The content of a compact file. Raises ContainerError, never returns damaged weights."""
    if len(raw) > BODY and raw[2] != VERSION:
        raise ContainerError(
            f"container version {raw[2]} is not {VERSION}; decode it with the release that wrote it"
        )
    if zlib.crc32(raw[BODY:]).to_bytes(4, "little") != raw[3:BODY]:
        raise ContainerError(
            "the file is truncated or damaged: its checksum does not match; copy it anew"
        )
    try:
        return _decode(Reader(raw, BODY))
    except CONTRADICTIONS as error:
        raise ContainerError(f"header and streams contradict each other: {error}") from error


def _decode(reader: Reader) -> Decoded:
    (model, recipe, keys, tied, inputs), shapes = _read_names(reader)
    found: dict[str, Tensor | Streams] = {}
    parts, codebooks = {}, list[Tensor]()
    for key in keys:
        before = reader.values
        found[key] = read_entry(reader, shapes[key] if shapes else reader.shape(), codebooks)
        parts[key] = reader.values - before
    if reader.left:
        raise StreamError(f"{reader.left} bytes follow the last tensor")
    streams = {key: entry for key, entry in found.items() if isinstance(entry, Streams)}
    check_count(weight_shape(entry.header) for entry in streams.values())
    weights = {key: decode_streams(e.header, e.tensors) for key, e in streams.items()}
    rest = {key: entry for key, entry in found.items() if isinstance(entry, Tensor)}
    return Decoded(model, recipe, weights, rest, tied, inputs, parts)


def _read_names(reader: Reader) -> tuple[Names, dict[str, Shape] | None]:
    """Model, recipe, keys, tied keys and bits of rounded inputs; the shapes if they are derived."""
    given = read_names(reader)
    if not isinstance(given, list) or not 1 <= len(given) <= 5:
        raise ContainerError("the names are no list of one to five")
    model, recipe, keys, tied, inputs = [*given, *EMPTY[len(given) :]]
    if not (isinstance(model, str) and isinstance(recipe, str)):
        raise ContainerError("model must be a name, recipe a text")
    shapes = _derived(model) if keys is None else None
    if keys is None and shapes is None:
        raise ContainerError(f"it names no tensors, and {model!r} is no reference network")
    keys = list(shapes or keys)
    twins = as_tied(tied)
    check_keys(keys, twins)
    return (model, recipe, keys, twins, as_inputs(inputs)), shapes
