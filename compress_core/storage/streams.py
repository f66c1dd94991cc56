"""One weight and the tensors it is stored as: the smallest of its possible encodings.

dense     weight (F32)
bitmask   mask: one bit a weight, 1 = kept; kept: the kept weights (F32)
ans_mask  mask: the same bits entropy-coded; kept as above
packed    codes: q - q_min, k bits each; scale (F32); zero_point (U16) if asymmetric
ans       codes: the same numbers entropy-coded; scale, zero_point as above
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_args

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from compress_core.methods.quantization import BITS, Quantized, Scheme, code_range
from compress_core.methods.step import check_choice, check_whole
from compress_core.storage.entropy_coding import (
    MAX_ALPHABET,
    Bytes,
    StreamError,
    decode_symbols,
    encode_symbols,
    pack,
    unpack,
)
from compress_core.weights import Profile


@dataclass(frozen=True)
class Streams:
    """`header` says how to decode `tensors`; their names follow the weight's key and a colon."""

    header: dict[str, Any]
    tensors: dict[str, Tensor]

    @property
    def byte_count(self) -> int:
        """Bytes of the tensors, without their share of the file's header."""
        return sum(tensor.nbytes for tensor in self.tensors.values())


@dataclass(frozen=True, eq=False)
class StoredWeight:
    """A weight as it is evaluated (`values`, dense float32) and, if quantized, its codes."""

    profile: Profile
    quantized: Quantized | None = None

    @property
    def values(self) -> Tensor:
        return self.profile.weight

    @cached_property
    def streams(self) -> Streams:
        """The smallest encoding, by the real size of a file that holds it alone."""
        encodings = _code_encodings if self.quantized else _float_encodings
        candidates = encodings(self)
        return min(candidates, key=lambda streams: len(save(streams.tensors)))


def _float_encodings(weight: StoredWeight) -> list[Streams]:
    flat = weight.values.contiguous().view(-1)
    shape = list(weight.values.shape)
    dense = Streams({"encoding": "dense", "shape": shape}, {"weight": flat.view(shape)})
    # compared as bits, so that a kept -0.0 stays one
    mask = flat.view(torch.int32).ne(0).numpy().astype(np.int32)
    if mask.all():
        return [dense]
    kept = flat[torch.from_numpy(mask).bool()]
    masks = {"bitmask": pack(mask, 1), "ans_mask": encode_symbols(mask, 2)}
    return [dense] + [
        Streams(
            {"encoding": encoding, "shape": shape},
            {"mask": torch.from_numpy(stream), "kept": kept},
        )
        for encoding, stream in masks.items()
    ]


def _code_encodings(weight: StoredWeight) -> list[Streams]:
    quantized = weight.quantized
    assert quantized is not None
    q_min, q_max = code_range(quantized.bits, quantized.scheme)
    symbols = (quantized.codes.contiguous().view(-1) - q_min).numpy()
    header = {
        "shape": list(quantized.codes.shape),
        "bits": quantized.bits,
        "scheme": quantized.scheme,
    }
    if quantized.group_size:
        header["group_size"] = quantized.group_size
    parameters = {"scale": quantized.scale}
    if quantized.scheme == "asymmetric":
        parameters["zero_point"] = quantized.zero_point.to(torch.uint16)
    codes = {"packed": pack(symbols, quantized.bits)}
    alphabet = q_max - q_min + 1
    if alphabet <= MAX_ALPHABET:
        codes["ans"] = encode_symbols(symbols, alphabet)
    return [
        Streams({"encoding": encoding, **header}, {"codes": torch.from_numpy(stream), **parameters})
        for encoding, stream in codes.items()
    ]


def decode_streams(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> StoredWeight:
    """The weight that `StoredWeight.streams` was made of, bit for bit.

    Raises StreamError, KeyError, TypeError or ValueError when header and tensors do not fit.
    """
    check_choice("encoding", header["encoding"], DECODERS)
    weight = DECODERS[header["encoding"]](header, tensors, weight_shape(header))
    if not weight.values.isfinite().all():  # of a scale, too, or of one so large that it overflows
        raise StreamError("the weights hold NaN or infinite values")
    return weight


def weight_shape(header: Mapping[str, Any]) -> tuple[int, ...]:
    """The shape that a header claims. Raises StreamError if it is none of at least one weight."""
    shape = tuple(header["shape"])
    if not shape or any(type(size) is not int or size < 1 for size in shape):
        raise StreamError(f"shape={list(shape)} must be a list of whole numbers, at least 1 each")
    return shape


def _expect_names(tensors: Mapping[str, Tensor], *names: str) -> None:
    if tensors.keys() != set(names):
        raise StreamError(f"the streams are {sorted(tensors)}, not {sorted(names)}")


def _expect(
    tensors: Mapping[str, Tensor], name: str, dtype: torch.dtype, *shapes: tuple[int, ...]
) -> Tensor:
    """The stream `name`, of this type and one of these shapes."""
    tensor = tensors[name]
    if tensor.dtype != dtype or tuple(tensor.shape) not in shapes:
        allowed = " or ".join(str(list(shape)) for shape in shapes)
        raise StreamError(f"{name} is {tensor.dtype} {list(tensor.shape)}, not {dtype} {allowed}")
    return tensor


def _expect_bytes(tensors: Mapping[str, Tensor], name: str) -> Bytes:
    # of any length: the decoder of the symbols knows which
    return _expect(tensors, name, torch.uint8, (tensors[name].numel(),)).numpy()


def _decode_dense(
    _header: Mapping[str, Any], tensors: Mapping[str, Tensor], shape: tuple[int, ...]
) -> StoredWeight:
    _expect_names(tensors, "weight")
    return StoredWeight(Profile(_expect(tensors, "weight", torch.float32, shape)))


def _decode_masked(
    header: Mapping[str, Any], tensors: Mapping[str, Tensor], shape: tuple[int, ...]
) -> StoredWeight:
    _expect_names(tensors, "mask", "kept")
    stream, count = _expect_bytes(tensors, "mask"), math.prod(shape)
    coded = header["encoding"] == "ans_mask"
    symbols = decode_symbols(stream, 2, count) if coded else unpack(stream, 1, count)
    mask = torch.from_numpy(symbols).bool()
    values = torch.zeros(count)
    values[mask] = _expect(tensors, "kept", torch.float32, (int(mask.sum()),))
    return StoredWeight(Profile(values.view(shape)))


def _decode_codes(
    header: Mapping[str, Any], tensors: Mapping[str, Tensor], shape: tuple[int, ...]
) -> StoredWeight:
    bits, scheme = header["bits"], header["scheme"]
    check_choice("bits", bits, BITS)
    check_choice("scheme", scheme, get_args(Scheme))
    _expect_names(tensors, "codes", "scale", *["zero_point"] * (scheme == "asymmetric"))
    q_min, q_max = code_range(bits, scheme)
    stream, count = _expect_bytes(tensors, "codes"), math.prod(shape)
    coded = header["encoding"] == "ans"
    symbols = (
        decode_symbols(stream, q_max - q_min + 1, count) if coded else unpack(stream, bits, count)
    )
    codes = torch.from_numpy(symbols).add_(q_min).view(shape)
    group_size, shapes = _groups(header, shape)
    scale = _expect(tensors, "scale", torch.float32, *shapes)
    zero_point = torch.zeros_like(scale, dtype=torch.int32)
    if scheme == "asymmetric":
        zero_point = _expect(tensors, "zero_point", torch.uint16, tuple(scale.shape)).int()
    if max(codes.max(), zero_point.max()) > q_max or scale.min() <= 0:
        raise StreamError(f"a code or zero_point lies above {q_max}, or a scale is not positive")
    quantized = Quantized(codes, scale, zero_point, bits, scheme, group_size)
    return StoredWeight(Profile(quantized.dequantize()), quantized)


def _groups(
    header: Mapping[str, Any], shape: tuple[int, ...]
) -> tuple[int | None, list[tuple[int, ...]]]:
    """The group size and the shapes that scale and zero point may have."""
    if "group_size" not in header:
        return None, [(), shape[:1]]
    check_whole("group_size", header["group_size"], low=1, high=2**31, remedy="32 is usual")
    inputs = math.prod(shape[1:])
    group_size = min(header["group_size"], inputs)  # a wider group would only be padding
    return group_size, [(shape[0], -(-inputs // group_size))]


Decoder = Callable[[Mapping[str, Any], Mapping[str, Tensor], tuple[int, ...]], StoredWeight]
DECODERS: dict[str, Decoder] = {
    "dense": _decode_dense,
    "bitmask": _decode_masked,
    "ans_mask": _decode_masked,
    "packed": _decode_codes,
    "ans": _decode_codes,
}
