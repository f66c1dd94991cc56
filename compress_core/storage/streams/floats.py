"""Weights as 32-bit floats: all of them, or a mask and the kept ones."""

import numpy as np
import torch
from torch import Tensor

from compress_core.storage.streams.stream import (
    Header,
    Shape,
    Streams,
    Tensors,
    expect,
    expect_bytes,
    expect_names,
)
from compress_core.storage.streams.symbols import CODERS

MASKS = {"bitmask": "packed", "ans_mask": "ans"}  # encoding: the coder of its mask


def float_encodings(values: Tensor) -> list[Streams]:
    """Every way to store float32 weights as they are."""
    flat = values.contiguous().view(-1)
    shape = tuple(values.shape)
    dense = Streams({"encoding": "dense", "shape": list(shape)}, {"weight": flat.view(shape)})
    # compared as bits, so that a kept -0.0 stays one
    mask = flat.view(torch.int32).ne(0).numpy().astype(np.int32)
    if mask.all():
        return [dense]
    kept = flat[torch.from_numpy(mask).bool()]
    return [dense] + [
        Streams(
            {"encoding": encoding, "shape": list(shape)},
            {"mask": torch.from_numpy(CODERS[coder].encode(mask, 2, shape)), "kept": kept},
        )
        for encoding, coder in MASKS.items()
    ]


def decode_dense(_header: Header, tensors: Tensors, shape: Shape) -> Tensor:
    expect_names(tensors, "weight")
    return expect(tensors, "weight", torch.float32, shape)


def decode_masked(header: Header, tensors: Tensors, shape: Shape) -> Tensor:
    expect_names(tensors, "mask", "kept")
    coder = CODERS[MASKS[header["encoding"]]]
    mask = torch.from_numpy(coder.decode(expect_bytes(tensors, "mask"), 2, shape)).bool()
    values = torch.zeros(mask.numel())
    values[mask] = expect(tensors, "kept", torch.float32, (int(mask.sum()),))
    return values.view(shape)
