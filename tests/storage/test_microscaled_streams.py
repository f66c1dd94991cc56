"""Microscaled weights in the file: a byte of scale for each block, and nothing that is none."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from compress_core.leaving import lone_decoder
from compress_core.methods.quantization import MX_FORMATS, MXFormat, QuantizeMX, quantize_mx
from compress_core.storage.bytewise import varint
from compress_core.storage.container import decode, encode_compact, encode_readable
from compress_core.storage.entropy_coding import StreamError
from compress_core.storage.streams import StoredWeight, decode_streams, weight_of
from compress_core.storage.streams.stream import Streams

FORMATS = tuple(MX_FORMATS)


def stored(name: MXFormat, *shape: int) -> StoredWeight:
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    return weight_of(quantize_mx(weight, QuantizeMX(name)))


def packed(weight: StoredWeight) -> Streams:
    return next(s for s in weight.candidates if s.header["encoding"] == "mx_packed")


@pytest.mark.parametrize(
    ("name", "bits"),
    [("mxfp4", 4.25), ("mxfp6_e3m2", 6.25), ("mxfp8_e4m3", 8.25), ("mxint8", 8.25), ("nvfp4", 4.5)],
)
def test_bits_a_weight_before_entropy_coding(name: MXFormat, bits: float) -> None:
    of_the_tensor = 4 if name == "nvfp4" else 0
    assert packed(stored(name, 16, 96)).byte_count == 16 * 96 * bits / 8 + of_the_tensor


@pytest.mark.parametrize("name", FORMATS)
def test_the_file_ends_with_these_bytes(name: MXFormat) -> None:
    weight = stored(name, 6, 37)  # the last block of a row is short
    codes, *_ = weight.streams.tensors.values()
    scale = weight.codes.scale_codes  # type: ignore[union-attr]
    of_the_tensor = weight.codes.tensor_scale.numpy().tobytes()  # type: ignore[union-attr]
    entry = bytes([2, 6, 37])  # the shape; then two bytes and a varint come before the codes
    values = codes.numpy().tobytes() + of_the_tensor * (name == "nvfp4") + scale.numpy().tobytes()
    raw = encode_compact({"w": weight}, {}, tied={}, model="m", recipe="").raw
    head = raw[: -len(values)]
    assert raw == head + values
    assert head.endswith(varint(codes.numel()))
    assert raw.index(entry) == len(head) - len(varint(codes.numel())) - 2 - 3
    assert raw[raw.index(entry) + 3] >> 4 == 7, "the family"


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("shape", [(4, 3, 3, 3), (5, 70), (3, 1)])
@pytest.mark.parametrize("write", [encode_compact, encode_readable])
def test_every_reader_gives_back_every_bit(
    name: MXFormat, shape: tuple[int, ...], write: Callable[..., Any]
) -> None:
    weight = stored(name, *shape)
    recipe: Any = "" if write is encode_compact else {}
    raw = write({"w": weight}, {}, tied={}, model="m", recipe=recipe).raw
    found = decode(raw).weights["w"]
    assert_same(found.values, weight.values)
    assert_same(found.codes.scale_codes, weight.codes.scale_codes)  # type: ignore[union-attr]
    assert lone_decoder.decode(raw)["w"].tobytes() == weight.values.numpy().tobytes()


def assert_same(found: Tensor, expected: Tensor) -> None:
    assert found.numpy().tobytes() == expected.numpy().tobytes()


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("mxfp4", {"scale": torch.full((2, 2), 255, dtype=torch.uint8)}),  # NaN
        ("mxfp4", {"scale": torch.ones(2, 3, dtype=torch.uint8)}),  # a block too many
        ("mxfp4", {"scale": torch.ones(2, 2)}),
        ("mxfp4", {"tensor_scale": torch.tensor(1.0)}),
        ("nvfp4", {"scale": torch.zeros(2, 4, dtype=torch.uint8)}),
        ("nvfp4", {"scale": torch.full((2, 4), 0x7F, dtype=torch.uint8)}),  # NaN
        ("nvfp4", {"scale": torch.full((2, 4), 0xB8, dtype=torch.uint8)}),  # −1
        ("nvfp4", {"tensor_scale": torch.tensor(-1.0)}),
        ("nvfp4", {"tensor_scale": torch.tensor(torch.inf)}),
    ],
)
def test_scales_that_are_none_are_refused(name: MXFormat, wrong: dict[str, Tensor]) -> None:
    streams = packed(stored(name, 2, 64))
    tensors = {**streams.tensors, **wrong}
    with pytest.raises(StreamError):
        decode_streams(streams.header, tensors)
    arrays = {key: tensor.numpy() for key, tensor in tensors.items()}
    with np.errstate(all="ignore"), pytest.raises(lone_decoder.DecodeError):
        lone_decoder.read_weight(streams.header, arrays)


def test_codes_that_are_no_number_are_refused() -> None:
    streams = packed(stored("mxfp8_e5m2", 2, 32))
    tensors = {**streams.tensors, "codes": torch.full((64,), 0x7C, dtype=torch.uint8)}  # infinity
    with pytest.raises(StreamError, match="NaN or infinite"):
        decode_streams(streams.header, tensors)


def test_an_unknown_format_is_refused() -> None:
    streams = packed(stored("mxfp4", 2, 32))
    with pytest.raises(ValueError, match="mxfp5"):
        decode_streams({**streams.header, "format": "mxfp5"}, streams.tensors)
