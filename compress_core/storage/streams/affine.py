"""Affine codes (methods.quantization): q - q_min by each coder, scales and zero points beside."""

import math
from typing import Any, get_args

import torch

from compress_core.methods.quantization import BITS, Quantized, Scheme, code_range
from compress_core.methods.step import check_choice, check_whole
from compress_core.storage.entropy_coding import StreamError
from compress_core.storage.streams.stream import (
    Header,
    Shape,
    Streams,
    Tensors,
    expect,
    expect_bytes,
    expect_names,
)
from compress_core.storage.streams.symbols import CODERS, code_symbols


def affine_encodings(quantized: Quantized) -> list[Streams]:
    """The codes by every coder; the encoding is called as the coder is."""
    q_min, q_max = code_range(quantized.bits, quantized.scheme)
    symbols = (quantized.codes.contiguous().view(-1) - q_min).numpy()
    shape = tuple(quantized.codes.shape)
    header: dict[str, Any] = {
        "shape": list(shape),
        "bits": quantized.bits,
        "scheme": quantized.scheme,
    }
    if quantized.group_size:
        header["group_size"] = quantized.group_size
    parameters = {"scale": quantized.scale}
    if quantized.scheme == "asymmetric":
        parameters["zero_point"] = quantized.zero_point.to(torch.uint16)
    return [
        Streams({"encoding": coder, **header}, {"codes": torch.from_numpy(stream), **parameters})
        for coder, stream in code_symbols(symbols, q_max - q_min + 1, shape).items()
    ]


def decode_affine(header: Header, tensors: Tensors, shape: Shape) -> Quantized:
    bits, scheme = header["bits"], header["scheme"]
    check_choice("bits", bits, BITS)
    check_choice("scheme", scheme, get_args(Scheme))
    expect_names(tensors, "codes", "scale", *["zero_point"] * (scheme == "asymmetric"))
    q_min, q_max = code_range(bits, scheme)
    coder = CODERS[header["encoding"]]
    symbols = coder.decode(expect_bytes(tensors, "codes"), q_max - q_min + 1, shape)
    codes = torch.from_numpy(symbols).add_(q_min).view(shape)
    group_size, shapes = _groups(header, shape)
    scale = expect(tensors, "scale", torch.float32, *shapes)
    zero_point = torch.zeros_like(scale, dtype=torch.int32)
    if scheme == "asymmetric":
        zero_point = expect(tensors, "zero_point", torch.uint16, tuple(scale.shape)).int()
    if max(codes.max(), zero_point.max()) > q_max or scale.min() <= 0:
        raise StreamError(f"a code or zero_point lies above {q_max}, or a scale is not positive")
    return Quantized(codes, scale, zero_point, bits, scheme, group_size)


def _groups(header: Header, shape: Shape) -> tuple[int | None, list[Shape]]:
    """The group size and the shapes that scale and zero point may have."""
    if "group_size" not in header:
        return None, [(), shape[:1]]
    check_whole("group_size", header["group_size"], low=1, high=2**31, remedy="32 is usual")
    inputs = math.prod(shape[1:])
    group_size = min(header["group_size"], inputs)  # a wider group would only be padding
    return group_size, [(shape[0], -(-inputs // group_size))]
