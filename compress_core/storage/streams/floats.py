"""Weights as floats: all of them, or a mask by any coder and the kept ones.

Weights that came in half precision, and were not changed since, are stored in it: in the first of
BF16, F16 and F32 that holds each of them exactly. All of them are read as float32.
"""

import math

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from compress_core.entering.tensors import HALVES, same_bits
from compress_core.storage.entropy_coding import (
    CODERS,
    Bytes,
    Symbols,
    encode_all,
    encode_smallest,
)
from compress_core.storage.streams.stream import (
    Header,
    Shape,
    Streams,
    Tensors,
    expect,
    expect_bytes,
    expect_names,
)
from compress_core.weights import as_matrix

# encoding: the coder of its mask
MASKS = {"bitmask" if name == "packed" else f"{name}_mask": name for name in CODERS}
HEADER_BYTES = 1024  # more than the headers of two files differ by
# Those that are tried. Beside the kept floats the adaptive code saves 0 to 1.3 % of a file, and it
# took longer than all else that happens when a slider is released.
TRIED = {name: coder for name, coder in CODERS.items() if name != "adaptive"}


def float_encodings(values: Tensor) -> list[Streams]:
    """Every way in which float32 weights may be stored as they are."""
    mask, dtype = kept_mask(values), exact_type(values)
    coded = {} if mask.all() else encode_all(mask, 2, TRIED)
    sparse = (masked(values, name, code, dtype) for name, code in coded.items())
    return [_dense(values, dtype), *sparse]


def smallest_floats(values: Tensor) -> Streams:
    """The smallest of `float_encodings`, by the real size of a file that holds it alone."""
    mask, dtype = kept_mask(values), exact_type(values)
    dense = _dense(values, dtype)
    if mask.all():
        return dense
    sparse = masked(values, *encode_smallest(mask, 2, TRIED), dtype)
    more = dense.byte_count - sparse.byte_count
    if abs(more) > HEADER_BYTES:
        return sparse if more > 0 else dense
    return min(dense, sparse, key=lambda streams: len(save(streams.tensors)))


def exact_type(values: Tensor) -> torch.dtype:
    """The first of bfloat16, float16 and float32 that holds each of the values exactly."""
    flat = values.contiguous().view(-1)
    few = flat[:1000]  # of most weights they say at once that nothing but float32 does
    exact = (dtype for dtype in HALVES if all(_holds(dtype, part) for part in (few, flat)))
    return next(exact, torch.float32)


def _holds(dtype: torch.dtype, values: Tensor) -> bool:
    return same_bits(values.to(dtype).to(torch.float32), values)


def kept_mask(values: Tensor) -> Symbols:
    """1 for each kept weight, 0 for each zero, (out, in) int32."""
    # compared as bits, so that a kept -0.0 stays one
    return as_matrix(values.contiguous()).view(torch.int32).ne(0).numpy().astype(np.int32)


def _dense(values: Tensor, dtype: torch.dtype) -> Streams:
    weight = values.contiguous().to(dtype)
    return Streams({"encoding": "dense", "shape": list(weight.shape)}, {"weight": weight})


def masked(values: Tensor, coder: str, mask: Bytes, dtype: torch.dtype = torch.float32) -> Streams:
    """The kept weights, and the mask as this coder has coded it."""
    flat = values.contiguous().view(-1)
    encoding = next(name for name, its_coder in MASKS.items() if its_coder == coder)
    kept = flat[flat.view(torch.int32).ne(0)].to(dtype)
    tensors = {"mask": torch.from_numpy(mask), "kept": kept}
    return Streams({"encoding": encoding, "shape": list(values.shape)}, tensors)


def decode_dense(_header: Header, tensors: Tensors, shape: Shape) -> Tensor:
    expect_names(tensors, "weight")
    return _expect_floats(tensors, "weight", shape)


def decode_masked(header: Header, tensors: Tensors, shape: Shape) -> Tensor:
    expect_names(tensors, "mask", "kept")
    coder = CODERS[MASKS[header["encoding"]]]
    stream = expect_bytes(tensors, "mask")
    mask = torch.from_numpy(coder.decode(stream, 2, (shape[0], math.prod(shape[1:])))).bool()
    values = torch.zeros(shape)
    values.view(-1)[mask.view(-1)] = _expect_floats(tensors, "kept", (int(mask.sum()),))
    return values


def _expect_floats(tensors: Tensors, name: str, shape: Shape) -> Tensor:
    """The stream `name`, F32 or half precision, as float32. Raises StreamError for another."""
    dtype = tensors[name].dtype
    return expect(tensors, name, dtype if dtype in HALVES else torch.float32, shape).float()
