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
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from compress_core.methods.quantization import Quantized, code_range
from compress_core.storage.entropy_coding import (
    MAX_ALPHABET,
    StreamError,
    decode_symbols,
    encode_symbols,
    pack,
    unpack,
)
from compress_core.weights import Profile

MAX_WEIGHTS = 2**31  # a header that claims more is damaged or hostile


@dataclass(frozen=True)
class Streams:
    """`header` says how to decode `tensors`; their names follow the weight's key and a dot."""

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
    shape = tuple(int(size) for size in header["shape"])
    if not 0 < math.prod(shape) <= MAX_WEIGHTS or min(shape) < 1:
        raise StreamError(f"shape {shape} has no weights, or more than {MAX_WEIGHTS}")
    return DECODERS[header["encoding"]](header, tensors, shape)


def _decode_dense(
    _header: Mapping[str, Any], tensors: Mapping[str, Tensor], shape: tuple[int, ...]
) -> StoredWeight:
    return StoredWeight(Profile(tensors["weight"].view(shape)))


def _decode_masked(
    header: Mapping[str, Any], tensors: Mapping[str, Tensor], shape: tuple[int, ...]
) -> StoredWeight:
    stream, count = tensors["mask"].numpy(), math.prod(shape)
    coded = header["encoding"] == "ans_mask"
    symbols = decode_symbols(stream, 2, count) if coded else unpack(stream, 1, count)
    mask = torch.from_numpy(symbols).bool()
    values = torch.zeros(count)
    values[mask] = tensors["kept"]
    return StoredWeight(Profile(values.view(shape)))


def _decode_codes(
    header: Mapping[str, Any], tensors: Mapping[str, Tensor], shape: tuple[int, ...]
) -> StoredWeight:
    bits, scheme = int(header["bits"]), header["scheme"]
    q_min, q_max = code_range(bits, scheme)
    stream, count = tensors["codes"].numpy(), math.prod(shape)
    coded = header["encoding"] == "ans"
    symbols = (
        decode_symbols(stream, q_max - q_min + 1, count) if coded else unpack(stream, bits, count)
    )
    scale = tensors["scale"]
    zero_point = tensors.get("zero_point", torch.zeros_like(scale)).to(torch.int32)
    codes = torch.from_numpy(symbols).add_(q_min).view(shape)
    quantized = Quantized(codes, scale, zero_point, bits, scheme, header.get("group_size"))
    return StoredWeight(Profile(quantized.dequantize()), quantized)


Decoder = Callable[[Mapping[str, Any], Mapping[str, Tensor], tuple[int, ...]], StoredWeight]
DECODERS: dict[str, Decoder] = {
    "dense": _decode_dense,
    "bitmask": _decode_masked,
    "ans_mask": _decode_masked,
    "packed": _decode_codes,
    "ans": _decode_codes,
}
