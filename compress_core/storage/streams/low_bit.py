"""Codes of floats and signs (methods.quantization) by each coder, their scales beside."""

from typing import Any

import torch

from compress_core.methods.quantization import FORMAT_BITS, FloatCoded, SignCoded
from compress_core.methods.step import check_choice
from compress_core.storage.entropy_coding import StreamError
from compress_core.storage.streams.coded import CodedForm, fitted_scale, read_codes, symbols_of
from compress_core.storage.streams.stream import Header, Shape, Tensors, expect, expect_names

FLOATS, SIGNS = "float_", "sign_"


def float_form(coded: FloatCoded) -> CodedForm:
    """What is coded of float codes; 16-bit floats have no scale."""
    header: dict[str, Any] = {"shape": list(coded.codes.shape), "format": coded.format}
    if coded.group_size:
        header["group_size"] = coded.group_size
    parameters = {} if coded.bits == 16 else {"scale": coded.scale}
    return CodedForm(FLOATS, symbols_of(coded.codes), 2**coded.bits, parameters, header)


def decode_float_codes(header: Header, tensors: Tensors, shape: Shape) -> FloatCoded:
    check_choice("format", header["format"], FORMAT_BITS)
    bits = FORMAT_BITS[header["format"]]
    expect_names(tensors, "codes", *["scale"] * (bits < 16))
    codes = read_codes(header, tensors, FLOATS, 2**bits)
    codes = codes.to(torch.uint16 if bits == 16 else torch.uint8)
    if bits == 16:
        return FloatCoded(codes, torch.tensor(1.0), header["format"], None)
    group_size, shapes = fitted_scale(header, shape)
    scale = expect(tensors, "scale", torch.float32, *shapes)
    if scale.min() <= 0:
        raise StreamError("a scale is not positive")
    return FloatCoded(codes, scale, header["format"], group_size)


def sign_form(coded: SignCoded) -> CodedForm:
    header = {"shape": list(coded.codes.shape)}
    return CodedForm(SIGNS, symbols_of(coded.codes), 2, {"scale": coded.scale}, header)


def decode_signs(header: Header, tensors: Tensors, shape: Shape) -> SignCoded:
    """The signs and scales of a stored weight; the scale of a channel of zeros is 0."""
    expect_names(tensors, "codes", "scale")
    codes = read_codes(header, tensors, SIGNS, 2).to(torch.uint8)
    scale = expect(tensors, "scale", torch.float32, shape[:1])
    if scale.min() < 0:
        raise StreamError("a scale is negative")
    return SignCoded(codes, scale)
