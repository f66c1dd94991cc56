"""Weights as 32-bit floats: all of them, or a mask by any coder and the kept ones."""

import math

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

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


def float_encodings(values: Tensor) -> list[Streams]:
    """Every way to store float32 weights as they are."""
    mask = kept_mask(values)
    coded = {} if mask.all() else encode_all(mask, 2)
    return [_dense(values), *(masked(values, name, code) for name, code in coded.items())]


def smallest_floats(values: Tensor) -> Streams:
    """The smallest of `float_encodings`, by the real size of a file that holds it alone."""
    mask, dense = kept_mask(values), _dense(values)
    if mask.all():
        return dense
    sparse = masked(values, *encode_smallest(mask, 2))
    return min(dense, sparse, key=lambda streams: len(save(streams.tensors)))


def kept_mask(values: Tensor) -> Symbols:
    """1 for each kept weight, 0 for each zero, (out, in) int32."""
    # compared as bits, so that a kept -0.0 stays one
    return as_matrix(values.contiguous()).view(torch.int32).ne(0).numpy().astype(np.int32)


def _dense(values: Tensor) -> Streams:
    weight = values.contiguous()
    return Streams({"encoding": "dense", "shape": list(weight.shape)}, {"weight": weight})


def masked(values: Tensor, coder: str, mask: Bytes) -> Streams:
    """The kept weights, and the mask as this coder has coded it."""
    flat = values.contiguous().view(-1)
    encoding = next(name for name, its_coder in MASKS.items() if its_coder == coder)
    tensors = {"mask": torch.from_numpy(mask), "kept": flat[flat.view(torch.int32).ne(0)]}
    return Streams({"encoding": encoding, "shape": list(values.shape)}, tensors)


def decode_dense(_header: Header, tensors: Tensors, shape: Shape) -> Tensor:
    expect_names(tensors, "weight")
    return expect(tensors, "weight", torch.float32, shape)


def decode_masked(header: Header, tensors: Tensors, shape: Shape) -> Tensor:
    expect_names(tensors, "mask", "kept")
    coder = CODERS[MASKS[header["encoding"]]]
    stream = expect_bytes(tensors, "mask")
    mask = torch.from_numpy(coder.decode(stream, 2, (shape[0], math.prod(shape[1:])))).bool()
    values = torch.zeros(shape)
    values.view(-1)[mask.view(-1)] = expect(tensors, "kept", torch.float32, (int(mask.sum()),))
    return values
