"""Microscaled codes by each coder, beside them a byte of scale for each block."""

import math
from typing import Any

import torch

from compress_core.methods.quantization import MX_FORMATS, MXCoded
from compress_core.methods.quantization.microscaling import NOT_A_SCALE
from compress_core.methods.step import check_choice
from compress_core.storage.entropy_coding import StreamError
from compress_core.storage.streams.coded import CodedForm, read_codes, symbols_of
from compress_core.storage.streams.stream import Header, Shape, Tensors, expect, expect_names

FAMILY = "mx_"


def mx_form(coded: MXCoded) -> CodedForm:
    """What is coded of microscaled codes; only nvfp4 has a scale of the tensor."""
    header: dict[str, Any] = {"shape": list(coded.codes.shape), "format": coded.format}
    parameters = {"scale": coded.scale_codes}
    if coded.format == "nvfp4":
        parameters["tensor_scale"] = coded.tensor_scale
    return CodedForm(FAMILY, symbols_of(coded.codes), 2**coded.bits, parameters, header)


def decode_mx(header: Header, tensors: Tensors, shape: Shape) -> MXCoded:
    """The microscaled codes of a stored weight. Raises StreamError for scales that are none."""
    check_choice("format", header["format"], MX_FORMATS)
    has_tensor_scale = header["format"] == "nvfp4"
    expect_names(tensors, "codes", "scale", *["tensor_scale"] * has_tensor_scale)
    codes = read_codes(header, tensors, FAMILY, 2 ** MX_FORMATS[header["format"]].bits)
    scale = expect(tensors, "scale", torch.uint8, block_shape(header["format"], shape))
    tensor_scale = torch.tensor(1.0)
    if has_tensor_scale:
        tensor_scale = expect(tensors, "tensor_scale", torch.float32, ())
    coded = MXCoded(codes.to(torch.uint8), scale, tensor_scale, header["format"])
    if scale.max() == NOT_A_SCALE or not coded.scale.min() > 0:
        raise StreamError("a scale is not positive, or no number")
    return coded


def block_shape(mx_format: Any, shape: Shape) -> Shape:
    """The shape (out, blocks) of the scales of a weight."""
    return shape[0], -(-math.prod(shape[1:]) // MX_FORMATS[mx_format].block)
