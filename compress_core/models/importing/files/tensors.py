"""Tensors in a file: how many bits each type takes, and whether what is claimed is there."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# bits of one value, by the names of safetensors
BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "U16": 16, "I16": 16, "U32": 32, "I32": 32, "U64": 64, "I64": 64,
    "F16": 16, "BF16": 16, "F32": 32, "F64": 64, "C64": 64,
    "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "F6_E2M3": 6, "F6_E3M2": 6, "F4": 4,
}  # fmt: skip
# Non-finite values of a float: the bits looked at, and what they are where it is infinite or NaN.
NON_FINITE = {
    "F16": ("<u2", 0x7C00, 0x7C00),
    "BF16": ("<u2", 0x7F80, 0x7F80),
    "F32": ("<u4", 0x7F800000, 0x7F800000),
    "F64": ("<u8", 0x7FF0000000000000, 0x7FF0000000000000),
    "C64": ("<u4", 0x7F800000, 0x7F800000),  # of each part
    "F8_E4M3": ("u1", 0x7F, 0x7F),
    "F8_E5M2": ("u1", 0x7C, 0x7C),
    "F8_E8M0": ("u1", 0xFF, 0xFF),
    "F8_E4M3FNUZ": ("u1", 0xFF, 0x80),
    "F8_E5M2FNUZ": ("u1", 0xFF, 0x80),
}


def bytes_of(dtype: str, shape: Sequence[int]) -> int:
    """How many bytes a tensor takes; its last one may be filled in part."""
    return -(-math.prod(shape) * BITS[dtype] // 8)


def count_non_finite(dtype: str, raw: NDArray[np.uint8]) -> int:
    """How many values of these bytes are infinite or NaN; of complex values the parts count.

    `raw` (bytes) holds whole values. Integers have none.
    """
    if dtype not in NON_FINITE:
        return 0
    unsigned, mask, pattern = NON_FINITE[dtype]
    values = raw.view(unsigned)
    return int(np.count_nonzero((values & values.dtype.type(mask)) == pattern))
