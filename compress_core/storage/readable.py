"""The readable form of the stored file (version 1): safetensors that any of its readers opens.

Its metadata holds the header as JSON under "compress_core", and the sha256 of header and tensors
under "sha256". The README gives the whole format; a test pins its bytes.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from compress_core.storage.content import (
    CONTRADICTIONS,
    RESERVED,
    ContainerError,
    Decoded,
    File,
    as_inputs,
    as_tied,
    check_count,
    check_keys,
    check_tensor,
    plain_tensor,
    tensor_parts,
)
from compress_core.storage.streams import StoredWeight, decode_streams
from compress_core.storage.streams.stream import weight_shape

VERSION = 1
HEADER_KEY = "compress_core"


def encode_readable(
    weights: Mapping[str, StoredWeight],
    rest: Mapping[str, Tensor],
    *,
    tied: Mapping[str, tuple[str, ...]],
    model: str,
    recipe: Mapping[str, Any],
    inputs: Mapping[str, int] | None = None,
) -> File:
    """The readable file: compressed `weights` and the `rest` (biases, norms) as they are.

    `tied` names further state-dict keys of a weight, `recipe` is JSON-ready data, `inputs` tells
    the bits that inputs of layers are rounded to. Raises ContainerError for more than MAX_WEIGHTS
    weights, for keys that the file would confuse, and for tensors that safetensors does not know.
    """
    check_count(tuple(weight.values.shape) for weight in weights.values())
    _check_names(weights, rest)
    tensors = {key: plain_tensor(tensor) for key, tensor in rest.items()}
    for key, weight in weights.items():
        tensors |= {f"{key}:{name}": t for name, t in weight.streams.tensors.items()}
    same = _same_tensors(tensors)
    tensors = {name: tensor for name, tensor in tensors.items() if name not in same}
    header: dict[str, Any] = {
        "version": VERSION,
        "model": model,
        "recipe": recipe,
        "weights": {key: weight.header for key, weight in weights.items()},
    }
    if tied:
        header["tied"] = tied
    if same:
        header["same"] = same
    if inputs:
        header["inputs"] = inputs
    text = json.dumps(header, separators=(",", ":"))
    raw = _save(tensors, {HEADER_KEY: text, "sha256": _checksum(text, tensors)})
    streams = {key: weight.streams.tensors for key, weight in weights.items()}
    return File(raw, _stored_parts(streams, rest))


def _check_names(weights: Iterable[str], rest: Mapping[str, Tensor]) -> None:
    """Raise ContainerError for a tensor whose name or type the file could not give back."""
    for name, tensor in rest.items():
        if name.rpartition(":")[0] in weights:
            raise ContainerError(f"{name} would be read as a stream of a weight; rename it")
        if name == RESERVED:
            raise ContainerError(f"{name} is no name for a tensor in safetensors; rename it")
        check_tensor(name, tensor)


def _same_tensors(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """For each tensor that stands under an earlier name, too (a common codebook), that name."""
    first: dict[int, str] = {}
    names = {name: first.setdefault(id(tensor), name) for name, tensor in tensors.items()}
    return {name: earlier for name, earlier in names.items() if name != earlier}


def _save(tensors: dict[str, Tensor], metadata: dict[str, str]) -> bytes:
    """safetensors orders the metadata at random; sorted, equal models give equal bytes."""
    raw = save(tensors, metadata)
    start = 8 + int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:start])
    header["__metadata__"] = dict(sorted(metadata.items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # as safetensors aligns the tensors
    return len(text).to_bytes(8, "little") + text + raw[start:]


def decode_readable(raw: bytes) -> Decoded:
    """The content of a readable file. Raises ContainerError, never returns damaged weights."""
    metadata = _metadata(raw)
    try:
        tensors = load(raw)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ContainerError(f"the file is truncated or damaged ({error}); copy it anew") from error
    text = metadata.get(HEADER_KEY)
    if text is None:
        raise ContainerError(
            "a safetensors file, but no container of ours: its metadata has no "
            f"{HEADER_KEY!r}; make one with `python -m compress_core compress`"
        )
    if _checksum(text, tensors) != metadata.get("sha256"):
        raise ContainerError("the file is damaged: its checksum does not match; copy it anew")
    try:
        header = json.loads(text)
        version = header["version"]
        if version == VERSION:
            return _decode(header, tensors)
    except CONTRADICTIONS as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise ContainerError(f"header and streams contradict each other: {reason}") from error
    raise ContainerError(
        f"container version {version!r} is not {VERSION}; decode it with the release that wrote it"
    )


def _decode(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Decoded:
    model, recipe, entries = header["model"], header["recipe"], header["weights"]
    if not (isinstance(model, str) and isinstance(recipe, dict)):
        raise ContainerError("model must be a name, recipe an object")
    tied = as_tied(header.get("tied", {}))
    check_count(weight_shape(entry) for entry in entries.values())  # before anything is allocated
    streams, rest = _streams(entries, {**tensors, **_repeated(header, tensors)})
    check_keys([*entries, *rest], tied)
    inputs = as_inputs(header.get("inputs", {}))
    weights = {key: decode_streams(entry, streams[key]) for key, entry in entries.items()}
    return Decoded(model, recipe, weights, rest, tied, inputs, _stored_parts(streams, rest))


def _repeated(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that the file has under an earlier name alone."""
    same = {name: tensors[earlier] for name, earlier in header.get("same", {}).items()}
    if same.keys() & tensors.keys():
        raise ContainerError(f"{sorted(same.keys() & tensors.keys())} stand for two tensors each")
    return same


def _streams(
    entries: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> tuple[dict[str, dict[str, Tensor]], dict[str, Tensor]]:
    """The streams of each weight, and the tensors that belong to none."""
    streams: dict[str, dict[str, Tensor]] = {key: {} for key in entries}
    rest = {}
    for name, tensor in tensors.items():
        key, _, stream = name.rpartition(":")  # the last colon: keys may have some of their own
        if key in streams:
            streams[key][stream] = tensor
        else:
            rest[name] = tensor
    return streams, rest


def _stored_parts(
    streams: Mapping[str, Mapping[str, Tensor]], rest: Mapping[str, Tensor]
) -> dict[str, int]:
    groups = {key: list(tensors.values()) for key, tensors in streams.items()}
    return tensor_parts(groups | {key: [tensor] for key, tensor in rest.items()})


def _metadata(raw: bytes) -> dict[str, str]:
    """The metadata of safetensors bytes: 8 bytes of length (little endian), then a JSON object."""
    length = int.from_bytes(raw[:8], "little")
    try:
        found: dict[str, str] = json.loads(raw[8 : 8 + length]).get("__metadata__") or {}
    except (ValueError, AttributeError, RecursionError) as error:
        raise ContainerError(
            f"no safetensors file, or a truncated one ({len(raw)} bytes); choose a file that "
            "`compress --out` or the download button wrote"
        ) from error
    return found


def _checksum(text: str, tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"\n{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
