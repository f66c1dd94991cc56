"""Shared weights as streams: the codebook, and the indices into it by each coder.

shared_packed  codes: the indices, ⌈log₂ k⌉ bits each (16 where that is above 8); codebook (F32)
shared_ans     codes: the same numbers entropy-coded; codebook as above
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from compress_core.methods.weight_sharing import MAX_CLUSTERS, Shared
from compress_core.storage.entropy_coding import (
    Bytes,
    StreamError,
    Symbols,
    decode_symbols,
    encode_symbols,
    pack,
    unpack,
)

Encoding = tuple[dict[str, Any], dict[str, Tensor]]  # header and tensors of `streams.Streams`


def index_bits(entries: int) -> int:
    """Bits of a packed index into a codebook: enough for all, and a width that `pack` has."""
    bits = max(1, (entries - 1).bit_length())
    return bits if bits <= 8 else 16


ENCODERS: dict[str, Callable[[Symbols, int], Bytes]] = {
    "shared_packed": lambda symbols, entries: pack(symbols, index_bits(entries)),
    "shared_ans": encode_symbols,
}
DECODERS: dict[str, Callable[[Bytes, int, int], Symbols]] = {
    "shared_packed": lambda stream, entries, count: unpack(stream, index_bits(entries), count),
    "shared_ans": decode_symbols,
}


def shared_encodings(shared: Shared) -> list[Encoding]:
    """Every encoding that shared weights can have. All hold the same codebook tensor."""
    symbols = shared.indices.contiguous().view(-1).numpy()
    entries = shared.codebook.numel()
    return [
        (
            {"encoding": name, "shape": list(shared.indices.shape)},
            {"codes": torch.from_numpy(encode(symbols, entries)), "codebook": shared.codebook},
        )
        for name, encode in ENCODERS.items()
    ]


def decode_shared(
    header: Mapping[str, Any], tensors: Mapping[str, Tensor], shape: tuple[int, ...]
) -> Shared:
    """The shared weights that one of `shared_encodings` was made of, bit for bit.

    Raises StreamError or KeyError where header and tensors do not fit.
    """
    if tensors.keys() != {"codes", "codebook"}:
        raise StreamError(f"the streams are {sorted(tensors)}, not codebook and codes")
    codebook, codes = tensors["codebook"], tensors["codes"]
    entries = codebook.numel()
    if codebook.dtype != torch.float32 or codebook.dim() != 1 or not 1 <= entries <= MAX_CLUSTERS:
        raise StreamError(
            f"codebook is {codebook.dtype} {list(codebook.shape)}, not torch.float32 [k] with "
            f"1 <= k <= {MAX_CLUSTERS}"
        )
    if codes.dtype != torch.uint8 or codes.dim() != 1:
        raise StreamError(f"codes is {codes.dtype} {list(codes.shape)}, not torch.uint8 [n]")
    symbols = DECODERS[header["encoding"]](codes.numpy(), entries, math.prod(shape))
    if symbols.max() >= entries:
        raise StreamError(f"an index {symbols.max()} lies beyond the {entries} codebook entries")
    return Shared(codebook, torch.from_numpy(symbols).view(shape))


def shared_bytes(parts: Iterable[Shared]) -> int:
    """Bytes of several shared weights, of one model or of many, in their smallest encodings.

    A codebook that several of them hold is counted once; headers are not counted.
    """
    parts = tuple(parts)
    codebooks = {id(part.codebook): part.codebook for part in parts}
    codes = (min(t["codes"].nbytes for _, t in shared_encodings(part)) for part in parts)
    return sum(codes) + sum(codebook.nbytes for codebook in codebooks.values())
