"""One weight and the tensors it is stored as: the smallest of its possible encodings.

dense     weight (F32)
bitmask   mask: one bit a weight, 1 = kept; kept: the kept weights (F32)
ans_mask  mask: the same bits entropy-coded; kept as above
packed    codes: q - q_min, k bits each; scale (F32); zero_point (U16) if asymmetric
ans       codes: the same numbers entropy-coded; scale, zero_point as above

Two tables say what there is: ENCODINGS, the ways to store each type of codes, and DECODERS.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from safetensors.torch import save
from torch import Tensor

from compress_core.methods.quantization import Quantized
from compress_core.methods.step import check_choice
from compress_core.storage.entropy_coding import StreamError
from compress_core.storage.streams.affine import affine_encodings, decode_affine
from compress_core.storage.streams.floats import (
    MASKS,
    decode_dense,
    decode_masked,
    float_encodings,
)
from compress_core.storage.streams.stream import Header, Shape, Streams, Tensors, weight_shape
from compress_core.storage.streams.symbols import CODERS
from compress_core.weights import Profile


class Codes(Protocol):
    """Small numbers in place of a weight: `bits` nominal bits a weight, and the way back."""

    @property
    def bits(self) -> int: ...

    def dequantize(self) -> Tensor:
        """The weight that they stand for, float32, in its own shape: the one to evaluate."""
        ...


@dataclass(frozen=True, eq=False)
class StoredWeight:
    """A weight as it is evaluated (`values`, dense float32) and, if it has any, its codes."""

    profile: Profile
    codes: Codes | None = None

    @property
    def values(self) -> Tensor:
        return self.profile.weight

    @property
    def candidates(self) -> list[Streams]:
        """Every encoding that this weight can have."""
        if self.codes is None:
            return float_encodings(self.values)
        return ENCODINGS[type(self.codes)](self.codes)

    @cached_property
    def streams(self) -> Streams:
        """The smallest encoding, by the real size of a file that holds it alone."""
        return min(self.candidates, key=lambda streams: len(save(streams.tensors)))


def weight_of(codes: Codes) -> StoredWeight:
    """The stored weight whose evaluated values are those that the codes stand for."""
    return StoredWeight(Profile(codes.dequantize()), codes)


def decode_streams(header: Header, tensors: Tensors) -> StoredWeight:
    """The weight that `StoredWeight.streams` was made of, bit for bit.

    Raises StreamError, KeyError, TypeError or ValueError when header and tensors do not fit.
    """
    check_choice("encoding", header["encoding"], DECODERS)
    found = DECODERS[header["encoding"]](header, tensors, weight_shape(header))
    weight = StoredWeight(Profile(found)) if isinstance(found, Tensor) else weight_of(found)
    if not weight.values.isfinite().all():  # of a scale, too, or of one so large that it overflows
        raise StreamError("the weights hold NaN or infinite values")
    return weight


ENCODINGS: dict[type[Codes], Callable[[Any], list[Streams]]] = {
    Quantized: affine_encodings,
}
DECODERS: dict[str, Callable[[Header, Tensors, Shape], Tensor | Codes]] = {
    "dense": decode_dense,
    **dict.fromkeys(MASKS, decode_masked),
    **dict.fromkeys(CODERS, decode_affine),
}
