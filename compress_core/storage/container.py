"""The container: one safetensors file that decodes to exactly the weights that were evaluated.

Its metadata holds the header as JSON under "compress_core", and the sha256 of header and tensors
under "sha256". The README gives the whole format; a test pins its bytes.
"""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from compress_core.entering.tensors import HALVES
from compress_core.methods.step import check_whole
from compress_core.storage.streams import StoredWeight, decode_streams
from compress_core.storage.streams.stream import weight_shape

FORMAT_VERSION = 1
HEADER_KEY = "compress_core"
RESERVED = "__metadata__"  # by safetensors
STORED_TYPES = {
    *(torch.bool, torch.uint8, torch.int8, torch.uint16, torch.int16, torch.uint32, torch.int32),
    *(torch.uint64, torch.int64, torch.float16, torch.bfloat16, torch.float32, torch.float64),
    *(torch.complex64, torch.float8_e4m3fn, torch.float8_e5m2),
}
# Of all weights together, 1 GiB as float32: a few bytes can code a constant weight of any size, so
# nothing but this bounds the memory that a hostile file takes.
MAX_WEIGHTS = 2**28
# what our decoders may raise for a contradictory header whose checksum is right
CONTRADICTIONS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)


class ContainerError(ValueError):
    """The file is no container, of another version, truncated or damaged."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """What a container holds: the model's name, the recipe as JSON data, the weights by key, and
    in how many bits the inputs of layers are rounded, by the name of the layer's module."""

    model: str
    recipe: dict[str, Any]
    weights: dict[str, StoredWeight]
    rest: dict[str, Tensor]
    tied: dict[str, tuple[str, ...]]
    inputs: dict[str, int]

    @property
    def dense_tensors(self) -> dict[str, Tensor]:
        """Every stored tensor, dense, by state-dict key; a factor pair has the keys L.0.weight and
        L.1.weight in place of L.weight, a tied weight stands once. Half precision is float32."""
        rest = {k: t.float() if t.dtype in HALVES else t for k, t in self.rest.items()}
        return rest | {key: weight.network_values for key, weight in self.weights.items()}

    @property
    def state_dict(self) -> dict[str, Tensor]:
        """`dense_tensors` with the tied weights under all their keys: what the module loads."""
        state = self.dense_tensors
        return state | {twin: state[key] for key, twins in self.tied.items() for twin in twins}


def encode(
    weights: Mapping[str, StoredWeight],
    rest: Mapping[str, Tensor],
    *,
    tied: Mapping[str, tuple[str, ...]],
    model: str,
    recipe: Mapping[str, Any],
    inputs: Mapping[str, int] | None = None,
) -> bytes:
    """The bytes of the container: compressed `weights` and the `rest` (biases, norms) as they are.

    `tied` names further state-dict keys of a weight, `recipe` is JSON-ready data, `inputs` tells
    the bits that inputs of layers are rounded to. Raises ContainerError for more than MAX_WEIGHTS
    weights, for keys that the file would confuse, and for tensors that safetensors does not know.
    """
    _check_count(tuple(weight.values.shape) for weight in weights.values())
    _check_names(weights, rest)
    # the bytes of a conjugate or negated view are those of what it views
    plain = {key: tensor.resolve_conj().resolve_neg() for key, tensor in rest.items()}
    tensors = {key: tensor.contiguous() for key, tensor in plain.items()}
    for key, weight in weights.items():
        tensors |= {f"{key}:{name}": t for name, t in weight.streams.tensors.items()}
    same = _same_tensors(tensors)
    tensors = {name: tensor for name, tensor in tensors.items() if name not in same}
    header: dict[str, Any] = {
        "version": FORMAT_VERSION,
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
    return _save(tensors, {HEADER_KEY: text, "sha256": _checksum(text, tensors)})


def _check_names(weights: Iterable[str], rest: Mapping[str, Tensor]) -> None:
    """Raise ContainerError for a tensor whose name or type the file could not give back."""
    for name, tensor in rest.items():
        if name.rpartition(":")[0] in weights:
            raise ContainerError(f"{name} would be read as a stream of a weight; rename it")
        if name == RESERVED:
            raise ContainerError(f"{name} is no name for a tensor in safetensors; rename it")
        if tensor.layout != torch.strided or tensor.dtype not in STORED_TYPES:
            raise ContainerError(
                f"{name} is {tensor.dtype} ({tensor.layout}), which safetensors does not store; "
                "convert it to a dense tensor of a usual type, or leave it out of the state dict "
                "(register_buffer(…, persistent=False))"
            )


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


def decode(raw: bytes) -> Decoded:
    """The content of a container. Raises ContainerError, never returns damaged weights."""
    if not isinstance(raw, bytes):
        raise ContainerError(
            f"a {type(raw).__name__} is no bytes of a file; pass Path(name).read_bytes()"
        )
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
        if version == FORMAT_VERSION:
            return _decode(header, tensors)
    except CONTRADICTIONS as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise ContainerError(f"header and streams contradict each other: {reason}") from error
    raise ContainerError(
        f"container version {version!r} is not {FORMAT_VERSION}; "
        "decode it with the release that wrote it"
    )


def _decode(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Decoded:
    model, recipe, entries = header["model"], header["recipe"], header["weights"]
    tied = header.get("tied", {})
    lists = all(isinstance(twins, list) for twins in tied.values())
    if not (isinstance(model, str) and isinstance(recipe, dict) and lists):
        raise ContainerError("model must be a name, recipe an object, tied an object of lists")
    _check_count(weight_shape(entry) for entry in entries.values())  # before anything is allocated
    streams: dict[str, dict[str, Tensor]] = {key: {} for key in entries}
    rest = {}
    same = {name: tensors[earlier] for name, earlier in header.get("same", {}).items()}
    if same.keys() & tensors.keys():
        raise ContainerError(f"{sorted(same.keys() & tensors.keys())} stand for two tensors each")
    for name, tensor in [*tensors.items(), *same.items()]:
        key, _, stream = name.rpartition(":")  # the last colon: keys may have some of their own
        if key in streams:
            streams[key][stream] = tensor
        else:
            rest[name] = tensor
    tied = {key: tuple(twins) for key, twins in tied.items()}
    _check_keys([*entries, *rest], tied)
    inputs = dict(header.get("inputs", {}))
    for layer, bits in inputs.items():
        check_whole(f"inputs of {layer}: bits", bits, low=1, high=17, remedy="8 are usual")
    weights = {key: decode_streams(entry, streams[key]) for key, entry in entries.items()}
    return Decoded(model, recipe, weights, rest, tied, inputs)


def _check_count(shapes: Iterable[tuple[int, ...]]) -> None:
    count = sum(map(math.prod, shapes))
    if count > MAX_WEIGHTS:
        raise ContainerError(f"{count} weights are more than the {MAX_WEIGHTS} of one file")


def _check_keys(stored: list[str], tied: Mapping[str, tuple[str, ...]]) -> None:
    """Raise ContainerError unless each key stands for one tensor, a tied one for a stored one."""
    counts = Counter([*stored, *(twin for twins in tied.values() for twin in twins)])
    wrong = [key for key, count in counts.items() if count > 1 or not isinstance(key, str)]
    unknown = sorted(tied.keys() - set(stored))
    if wrong or unknown:
        raise ContainerError(f"keys of two tensors, or no names: {wrong}; of no tensor: {unknown}")


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
