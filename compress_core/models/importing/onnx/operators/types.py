"""ONNX's types of elements and torch's, and the cast from one to another."""

import onnx
import torch
from torch import Tensor

from compress_core.models.importing.onnx.operators.attributes import (
    Attributes,
    Builder,
    Operator,
    single,
)

TORCH_TYPES: dict[int, torch.dtype] = {
    onnx.TensorProto.FLOAT: torch.float32,
    onnx.TensorProto.DOUBLE: torch.float64,
    onnx.TensorProto.FLOAT16: torch.float16,
    onnx.TensorProto.BFLOAT16: torch.bfloat16,
    onnx.TensorProto.BOOL: torch.bool,
    onnx.TensorProto.INT8: torch.int8,
    onnx.TensorProto.INT16: torch.int16,
    onnx.TensorProto.INT32: torch.int32,
    onnx.TensorProto.INT64: torch.int64,
    onnx.TensorProto.UINT8: torch.uint8,
    onnx.TensorProto.UINT16: torch.uint16,
    onnx.TensorProto.UINT32: torch.uint32,
    onnx.TensorProto.UINT64: torch.uint64,
    onnx.TensorProto.FLOAT8E4M3FN: torch.float8_e4m3fn,
    onnx.TensorProto.FLOAT8E4M3FNUZ: torch.float8_e4m3fnuz,
    onnx.TensorProto.FLOAT8E5M2: torch.float8_e5m2,
    onnx.TensorProto.FLOAT8E5M2FNUZ: torch.float8_e5m2fnuz,
}
ONNX_TYPES = {torch_type: onnx_type for onnx_type, torch_type in TORCH_TYPES.items()}
# torch computes with no integers of less than 8 bits: one value a byte.
FOUR_BITS: dict[int, tuple[int, int, torch.dtype]] = {
    onnx.TensorProto.INT4: (-8, 7, torch.int8),
    onnx.TensorProto.UINT4: (0, 15, torch.uint8),
}
FLOAT8 = {torch.float8_e4m3fn, torch.float8_e4m3fnuz, torch.float8_e5m2, torch.float8_e5m2fnuz}
# torch adds, compares and sorts no numbers of these types.
STORED_ONLY = {torch.uint16, torch.uint32, torch.uint64}


def cast(x: Tensor, *, to: torch.dtype, saturate: bool = True) -> Tensor:
    """x in another type. 8-bit floats beyond their range become its end if `saturate`."""
    if to not in FLOAT8:
        return x.to(to)
    wide, limit = x.to(torch.float32), torch.finfo(to).max
    if saturate:
        return wide.clamp(-limit, limit).to(to)
    if to != torch.float8_e4m3fn:
        return wide.to(to)
    # torch saturates this type in any case; 464 is the last number that is rounded to 448.
    return torch.where(wide.abs() > 464, torch.nan, wide).to(to)


def cast_to_four_bits(x: Tensor, *, to: int) -> Tensor:
    """The low four bits of each integer part, one value a byte."""
    low, _, stored = FOUR_BITS[to]
    bits = x.to(torch.int64) & 15
    return torch.where(bits > 7, bits + 2 * low, bits).to(stored)


def cast_like(x: Tensor, target: Tensor, *, saturate: bool = True) -> Tensor:
    return cast(x, to=target.dtype, saturate=saturate)


def _cast(read: Attributes) -> Operator | None:
    to = read.integer("to", onnx.TensorProto.FLOAT)
    saturate = read.flag("saturate", True)
    read.ignore("round_mode")  # only for the 8-bit powers of two, which are not in the table
    if to in FOUR_BITS:
        return single(cast_to_four_bits, to=to)
    return single(cast, to=TORCH_TYPES[to], saturate=saturate) if to in TORCH_TYPES else None


def _cast_like(read: Attributes) -> Operator:
    read.ignore("round_mode")
    return single(cast_like, saturate=read.flag("saturate", True))


TABLE: dict[str, Builder] = {"Cast": _cast, "CastLike": _cast_like}
