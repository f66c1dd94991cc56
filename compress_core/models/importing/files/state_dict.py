"""State dicts: the weights of a file of torch, by name, without torch."""

from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from compress_core.models.importing.files.clean import (
    METADATA,
    PIECE,
    TensorSource,
    pieces_of_file,
)
from compress_core.models.importing.files.errors import refuse
from compress_core.models.importing.files.pickles import AT_HOME, UPLOAD_AGAIN
from compress_core.models.importing.files.rebuilding import TensorClaim
from compress_core.models.importing.files.safetensors_header import MOST_TENSORS
from compress_core.models.importing.files.shards import MOST_NAME
from compress_core.models.importing.files.tensors import BITS, bytes_of
from compress_core.models.importing.files.torch_file import TorchFile
from compress_core.shown import shown_name

MOST_DEPTH = 5
MOST_TIMES = 10  # written bytes over the file's: tied tensors are written once for each name
# Where training code puts the weights beside an optimizer, a step count, …
WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "module", "weights")
CONTIGUOUS = (
    "save it contiguous: torch.save({k: v.contiguous() for k, v in model.state_dict().items()}, "
    "'weights.pt')"
)
LeftOut = list[tuple[str, str]]


def sources_of_state_dict(file: TorchFile) -> tuple[list[TensorSource], LeftOut]:
    """The tensors of a file, and what is no tensor, with the reason.

    Raises UnsafeFileError for tensors that claim more than is there, and where there are none.
    """
    left_out: LeftOut = []
    sources: dict[str, TensorSource] = {}
    for name, claim in _named(_unwrapped(file.values, left_out), left_out):
        reason = _why_not(name, claim)
        if reason:
            left_out.append((shown_name(name), reason))
        else:
            sources[name] = _source(file, name, claim)
        if len(sources) > MOST_TENSORS:
            raise refuse(f"more than {MOST_TENSORS:,} tensors; no more are read", AT_HOME)
    if not sources:
        raise refuse("there is no tensor in the file", AT_HOME)
    _check_total(sources.values(), file.path.stat().st_size)
    return list(sources.values()), left_out


def _unwrapped(value: object, left_out: LeftOut) -> object:
    """The weights of a checkpoint that holds more."""
    for _ in range(MOST_DEPTH):
        inner = value if isinstance(value, dict) else {}
        key = next((key for key in WRAPPERS if _has_tensors(inner.get(key))), None)
        if key is None:
            return value
        left_out += [
            (shown_name(str(other)), f"it stands beside '{key}'") for other in inner if other != key
        ]
        value = inner[key]
    return value


def _has_tensors(value: object) -> bool:
    return isinstance(value, dict) and any(
        isinstance(part, TensorClaim | dict) for part in value.values()
    )


def _named(
    value: object, left_out: LeftOut, name: str = "", depth: int = 0
) -> Iterator[tuple[str, TensorClaim]]:
    """All tensors, with the names of the dicts around them before theirs."""
    if isinstance(value, TensorClaim):
        yield name or "tensor", value
    elif isinstance(value, dict) and depth < MOST_DEPTH:
        for key, part in value.items():
            yield from _named(part, left_out, f"{name}.{key}" if name else str(key), depth + 1)
    else:
        kind = getattr(value, "kind", type(value).__name__)
        left_out.append((shown_name(name), f"it is of the type {kind}, no tensor"))
        if len(left_out) > MOST_TENSORS:
            raise refuse(f"more than {MOST_TENSORS:,} entries that are no tensors", AT_HOME)


def _why_not(name: str, claim: TensorClaim) -> str:
    if claim.dtype is None or claim.storage.dtype is None:
        return "its type has no place in safetensors"
    if name == METADATA or not name.isprintable():
        return "its name cannot be kept"
    if len(name) > MOST_NAME:
        return f"its name has {len(name):,} characters, more than {MOST_NAME}"
    return ""


def _source(file: TorchFile, name: str, claim: TensorClaim) -> TensorSource:
    """The tensor, once all that it views lies in the file."""
    assert claim.dtype is not None  # it would have been left out
    shown = f"tensor '{shown_name(name)}'"
    if claim.storage.key not in file.places:
        raise refuse(f"the values of {shown} are not in the file", UPLOAD_AGAIN)
    begin, end = file.places[claim.storage.key]
    size, needed = BITS[claim.dtype] // 8, bytes_of(claim.dtype, claim.shape)
    if needed > end - begin:
        shape = shown_name(" × ".join(f"{length:,}" for length in claim.shape))
        raise refuse(
            f"{shown} claims {shape} values, {needed:,} bytes, but {end - begin:,} are in the file",
            CONTIGUOUS,
        )
    if len(claim.strides) != len(claim.shape) or _last(claim) * size > end - begin:
        raise refuse(f"{shown} reaches beyond its values in the file", UPLOAD_AGAIN)
    if _is_contiguous(claim):
        first = begin + claim.offset * size
        pieces = partial(pieces_of_file, file.path, first, first + needed)
    else:
        pieces = partial(_gathered, file, claim, size)
    return TensorSource(name, claim.dtype, claim.shape, pieces)


def _last(claim: TensorClaim) -> int:
    """Values of the storage up to the last one that the tensor views."""
    if 0 in claim.shape:
        return 0
    steps = ((n - 1) * stride for n, stride in zip(claim.shape, claim.strides, strict=True))
    return claim.offset + sum(steps) + 1


def _is_contiguous(claim: TensorClaim) -> bool:
    if 0 in claim.shape:
        return True
    expected = 1
    for length, stride in zip(reversed(claim.shape), reversed(claim.strides), strict=True):
        if length > 1 and stride != expected:
            return False
        expected *= length
    return True


def _gathered(file: TorchFile, claim: TensorClaim, size: int) -> Iterator[NDArray[np.uint8]]:
    """The values of a transposed or strided tensor, in the order of its shape."""
    begin, end = file.places[claim.storage.key]
    values = np.memmap(file.path, np.dtype(f"V{size}"), "r", begin, ((end - begin) // size,))
    # a stride that is never taken may be any number
    pairs = zip(claim.shape, claim.strides, strict=True)
    strides = [stride * size if length > 1 else size for length, stride in pairs]
    view = as_strided(values[claim.offset :], claim.shape, strides, writeable=False)
    raw = np.ascontiguousarray(view).reshape(-1).view(np.uint8)
    for at in range(0, len(raw), PIECE):
        yield raw[at : at + PIECE]


def _check_total(sources: Iterable[TensorSource], size: int) -> None:
    total = sum(bytes_of(source.dtype, source.shape) for source in sources)
    if total > MOST_TIMES * size:
        raise refuse(
            f"its tensors take {total:,} bytes together, more than {MOST_TIMES} times the file's "
            f"{size:,}: they share bytes",
            AT_HOME,
        )
