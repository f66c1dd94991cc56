"""What a stored file holds, in whichever form it is written, and what both forms refuse."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from compress_core.entering.tensors import HALVES
from compress_core.methods.step import check_whole
from compress_core.storage.streams import StoredWeight

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
    """What a file holds: the model's name, the recipe (its text, in the readable form JSON data),
    the weights by key, the other tensors, further keys of tied ones, and in how many bits the
    inputs of layers are rounded, by the name of the layer's module. `parts` are the bytes of each
    tensor in the file, by key: a codebook of several weights counts in the first of them."""

    model: str
    recipe: str | dict[str, Any]
    weights: dict[str, StoredWeight]
    rest: dict[str, Tensor]
    tied: dict[str, tuple[str, ...]]
    inputs: dict[str, int]
    parts: dict[str, int]

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


@dataclass(frozen=True, eq=False)
class File:
    """The bytes of a file, and how many of them each tensor takes (see `Decoded.parts`)."""

    raw: bytes
    parts: dict[str, int]


def check_count(shapes: Iterable[tuple[int, ...]]) -> None:
    """Raise ContainerError for more than MAX_WEIGHTS weights."""
    count = sum(map(math.prod, shapes))
    if count > MAX_WEIGHTS:
        raise ContainerError(f"{count} weights are more than the {MAX_WEIGHTS} of one file")


def check_tensor(name: str, tensor: Tensor) -> None:
    """Raise ContainerError for a tensor of a type that no file of ours holds."""
    if tensor.layout != torch.strided or tensor.dtype not in STORED_TYPES:
        raise ContainerError(
            f"{name} is {tensor.dtype} ({tensor.layout}), which safetensors does not store; "
            "convert it to a dense tensor of a usual type, or leave it out of the state dict "
            "(register_buffer(…, persistent=False))"
        )


def plain_tensor(tensor: Tensor) -> Tensor:
    """The tensor contiguous, its values as they read: a conjugate view has the bytes of another."""
    return tensor.resolve_conj().resolve_neg().contiguous()


def check_keys(stored: Iterable[str], tied: Mapping[str, tuple[str, ...]]) -> None:
    """Raise ContainerError unless each key stands for one tensor, a tied one for a stored one."""
    stored = list(stored)
    counts = Counter([*stored, *(twin for twins in tied.values() for twin in twins)])
    wrong = [key for key, count in counts.items() if count > 1 or not isinstance(key, str)]
    unknown = sorted(tied.keys() - set(stored))
    if wrong or unknown:
        raise ContainerError(f"keys of two tensors, or no names: {wrong}; of no tensor: {unknown}")


def as_tied(tied: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The further keys as a file gives them. Raises ContainerError for other than lists."""
    if not all(isinstance(twins, list) for twins in tied.values()):
        raise ContainerError("tied must be an object of lists")
    return {key: tuple(twins) for key, twins in tied.items()}


def as_inputs(inputs: Mapping[str, Any]) -> dict[str, int]:
    """The bits of rounded inputs as a file gives them. Raises ValueError for impossible ones."""
    for layer, bits in inputs.items():
        check_whole(f"inputs of {layer}: bits", bits, low=1, high=17, remedy="8 are usual")
    return dict(inputs)


def tensor_parts(groups: Mapping[str, Iterable[Tensor]]) -> dict[str, int]:
    """The bytes of the tensors of each key; a tensor of several keys counts in the first."""
    seen: set[int] = set()
    parts = {}
    for key, tensors in groups.items():
        new = {id(tensor): tensor for tensor in tensors if id(tensor) not in seen}
        parts[key] = sum(tensor.nbytes for tensor in new.values())
        seen |= new.keys()
    return parts
