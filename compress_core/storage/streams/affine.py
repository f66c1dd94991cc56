"""Affine codes (methods.quantization): q - q_min by each coder, scales and zero points beside."""

from typing import Any, get_args

import torch

from compress_core.methods.quantization import BITS, Quantized, Scheme, code_range
from compress_core.methods.step import check_choice
from compress_core.storage.entropy_coding import StreamError
from compress_core.storage.streams.coded import CodedForm, fitted_scale, read_codes, symbols_of
from compress_core.storage.streams.stream import Header, Shape, Tensors, expect, expect_names

FAMILY = ""


def affine_form(quantized: Quantized) -> CodedForm:
    q_min, q_max = code_range(quantized.bits, quantized.scheme)
    header: dict[str, Any] = {
        "shape": list(quantized.codes.shape),
        "bits": quantized.bits,
        "scheme": quantized.scheme,
    }
    if quantized.group_size:
        header["group_size"] = quantized.group_size
    parameters = {"scale": quantized.scale}
    if quantized.scheme == "asymmetric":
        parameters["zero_point"] = quantized.zero_point.to(torch.uint16)
    symbols = symbols_of(quantized.codes, q_min)
    return CodedForm(FAMILY, symbols, q_max - q_min + 1, parameters, header)


def decode_affine(header: Header, tensors: Tensors, shape: Shape) -> Quantized:
    bits, scheme = header["bits"], header["scheme"]
    check_choice("bits", bits, BITS)
    check_choice("scheme", scheme, get_args(Scheme))
    expect_names(tensors, "codes", "scale", *["zero_point"] * (scheme == "asymmetric"))
    q_min, q_max = code_range(bits, scheme)
    codes = read_codes(header, tensors, FAMILY, q_max - q_min + 1).add_(q_min)
    group_size, shapes = fitted_scale(header, shape)
    scale = expect(tensors, "scale", torch.float32, *shapes)
    zero_point = torch.zeros_like(scale, dtype=torch.int32)
    if scheme == "asymmetric":
        zero_point = expect(tensors, "zero_point", torch.uint16, tuple(scale.shape)).int()
    if zero_point.max() > q_max or scale.min() <= 0:
        raise StreamError(f"a zero_point lies above {q_max}, or a scale is not positive")
    return Quantized(codes, scale, zero_point, bits, scheme, group_size)
