"""One weight and the tensors it is stored as: the smallest of its possible encodings.

dense        weight (F32, or BF16 or F16 where that holds each weight exactly)
…_mask       mask: a bit for each weight, 1 = kept, by each coder; kept: the kept weights (as dense)
packed, ans  … each coder: q - q_min; scale (F32); zero_point (U16) if asymmetric
float_…      codes: the bit patterns of a low-bit float by each coder; scale (F32) below 16 bits
shared_…     codes: indices by each coder; codebook (F32), of one weight or of several
mx_…         codes: of elements by each coder; scale (U8) a block; of nvfp4 tensor_scale (F32)
sign_…       codes: 1 for +1 and 0 for -1 by each coder; scale (F32)

Two tables say what there is: CODED_FORMS, what is coded of each type of codes, and DECODERS.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

from torch import Tensor

from compress_core.methods.quantization import FloatCoded, MXCoded, Quantized, SignCoded
from compress_core.methods.step import check_choice
from compress_core.methods.weight_sharing import Shared
from compress_core.storage.entropy_coding import StreamError
from compress_core.storage.streams import affine, codebook, low_bit, microscaled
from compress_core.storage.streams.coded import CodedForm, encodings_of
from compress_core.storage.streams.floats import (
    MASKS,
    decode_dense,
    decode_masked,
    float_encodings,
    smallest_floats,
)
from compress_core.storage.streams.stream import Header, Shape, Streams, Tensors, weight_shape
from compress_core.weights import Profile, inputs_first


class Codes(Protocol):
    """Small numbers in place of a weight: `bits` nominal bits a weight, and the way back."""

    @property
    def bits(self) -> int: ...

    def dequantize(self) -> Tensor:
        """The weight that they stand for, float32, in its own shape: the one to evaluate."""
        ...


@dataclass(frozen=True, eq=False)
class StoredWeight:
    """A weight as it is evaluated (`values`, dense float32) and, if it has any, its codes.

    Outputs come first, (out, in / groups, …). `transposed` are the groups of a transposed
    convolution, which reads its weight as (in, out / groups, …).
    """

    profile: Profile
    codes: Codes | None = None
    transposed: int | None = None

    @property
    def values(self) -> Tensor:
        return self.profile.weight

    @property
    def network_values(self) -> Tensor:
        """The values in the layout that the network reads."""
        return inputs_first(self.values, self.transposed) if self.transposed else self.values

    @property
    def coded(self) -> CodedForm | None:
        """What is coded of its codes; None for a weight of floats."""
        return None if self.codes is None else CODED_FORMS[type(self.codes)](self.codes)

    @property
    def candidates(self) -> list[Streams]:
        """Every encoding that this weight can have."""
        return float_encodings(self.values) if self.coded is None else self.coded.all()

    @cached_property
    def streams(self) -> Streams:
        """The smallest encoding, by the real size of a file that holds it alone."""
        return smallest_floats(self.values) if self.coded is None else self.coded.smallest()

    @property
    def header(self) -> dict[str, Any]:
        """What decodes its streams, and says in which layout the network reads it."""
        return self.streams.header | self.layout_header

    @property
    def layout_header(self) -> dict[str, Any]:
        return {"transposed": self.transposed} if self.transposed else {}


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
    weight = replace(weight, transposed=_groups(header))
    if not weight.values.isfinite().all():  # of a scale, too, or of one so large that it overflows
        raise StreamError("the weights hold NaN or infinite values")
    return weight


def _groups(header: Header) -> int | None:
    """The groups of a transposed convolution; None for any other weight."""
    groups, shape = header.get("transposed"), weight_shape(header)
    if groups is not None and (type(groups) is not int or groups < 1 or shape[0] % groups):
        raise StreamError(f"transposed={groups!r} must divide the {shape[0]} outputs into groups")
    if groups is not None and len(shape) < 2:
        raise StreamError(f"transposed={groups}: a weight of shape {list(shape)} has no inputs")
    return groups


CODED_FORMS: dict[type[Codes], Callable[[Any], CodedForm]] = {
    Quantized: affine.affine_form,
    FloatCoded: low_bit.float_form,
    MXCoded: microscaled.mx_form,
    SignCoded: low_bit.sign_form,
    Shared: codebook.shared_form,
}
DECODERS: dict[str, Callable[[Header, Tensors, Shape], Tensor | Codes]] = {
    "dense": decode_dense,
    **dict.fromkeys(MASKS, decode_masked),
    **dict.fromkeys(encodings_of(affine.FAMILY), affine.decode_affine),
    **dict.fromkeys(encodings_of(low_bit.FLOATS), low_bit.decode_float_codes),
    **dict.fromkeys(encodings_of(microscaled.FAMILY), microscaled.decode_mx),
    **dict.fromkeys(encodings_of(low_bit.SIGNS), low_bit.decode_signs),
    **dict.fromkeys(encodings_of(codebook.FAMILY), codebook.decode_shared),
}
