"""One weight as stored: the smallest encoding is taken, and each comes back bit for bit."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save
from torch import Tensor

from compress_core.methods.quantization import (
    Quantize,
    Quantized,
    QuantizeFloat,
    QuantizeMX,
    binarize,
    quantize,
    quantize_float,
    quantize_mx,
)
from compress_core.storage import streams as streams_module
from compress_core.storage.entropy_coding import CODERS, StreamError
from compress_core.storage.streams import (
    StoredWeight,
    decode_streams,
    weight_of,
)
from compress_core.storage.streams.coded import CodedForm, read_codes, symbols_of
from compress_core.storage.streams.floats import kept_mask, masked
from compress_core.storage.streams.stream import Header, Shape, Streams, Tensors
from compress_core.weights import Profile


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def pruned(fraction: float) -> Tensor:
    weight = normal(40, 50)
    weight.view(-1)[
        torch.randperm(2000, generator=torch.Generator().manual_seed(1))[: round(2000 * fraction)]
    ] = 0
    return weight


def quantized(weight: Tensor, **settings: Any) -> StoredWeight:
    return weight_of(quantize(weight, Quantize(**settings)))


WEIGHTS = {
    "dense": StoredWeight(Profile(normal(40, 50))),
    "bitmask": StoredWeight(Profile(pruned(0.5))),
    "context_mask": StoredWeight(Profile(pruned(0.95))),
    "packed": quantized(normal(40, 50).sign() * 3 + 4, bits=1, scheme="asymmetric"),
    "adaptive": quantized(pruned(0.9), bits=4),
    "float_masked": weight_of(quantize_float(pruned(0.5), QuantizeFloat("fp16"))),
    "float_masked_ans": weight_of(quantize_float(pruned(0.9), QuantizeFloat("bf16"))),
    "float_huffman": weight_of(quantize_float(normal(40, 50), QuantizeFloat("fp4_e2m1"))),
    "float_packed": weight_of(quantize_float(normal(40, 50), QuantizeFloat("bf16"))),
    "mx_huffman": weight_of(quantize_mx(normal(40, 50), QuantizeMX("mxfp4"))),
    "mx_adaptive": weight_of(quantize_mx(pruned(0.8), QuantizeMX("nvfp4"))),
    "sign_packed": weight_of(binarize(normal(40, 50))),
}


@pytest.mark.parametrize("encoding", WEIGHTS)
def test_each_weight_gets_the_encoding_that_suits_it(encoding: str) -> None:
    assert WEIGHTS[encoding].streams.header["encoding"] == encoding


@pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS)
def test_the_chosen_encoding_makes_the_smallest_file(weight: StoredWeight) -> None:
    encodings = weight.candidates
    assert len(encodings) > 1 or encodings[0].header["encoding"] == "dense"
    assert len(save(weight.streams.tensors)) == min(len(save(e.tensors)) for e in encodings)


@pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS)
def test_every_possible_encoding_comes_back_bit_for_bit(weight: StoredWeight) -> None:
    for streams in weight.candidates:
        decoded = decode_streams(streams.header, streams.tensors)
        assert decoded.values.numpy().tobytes() == weight.values.numpy().tobytes()
        if isinstance(weight.codes, Quantized):
            assert isinstance(decoded.codes, Quantized)
            assert torch.equal(decoded.codes.codes, weight.codes.codes)


@pytest.mark.parametrize("granularity", ["tensor", "channel", "group"])
@pytest.mark.parametrize("scheme", ["symmetric", "asymmetric"])
@pytest.mark.parametrize("bits", [1, 3, 8, 16])
def test_quantized_convolutions_come_back(granularity: Any, scheme: Any, bits: int) -> None:
    weight = quantized(
        normal(6, 4, 3, 3), bits=bits, scheme=scheme, granularity=granularity, group_size=7
    )
    decoded = decode_streams(weight.streams.header, weight.streams.tensors)
    assert torch.equal(decoded.values, weight.values)
    assert decoded.values.shape == (6, 4, 3, 3)


def test_a_bitmask_costs_a_bit_a_weight_and_the_kept_floats() -> None:
    streams = WEIGHTS["bitmask"].streams
    assert streams.byte_count == 2000 / 8 + 4 * 1000


def test_a_mask_in_the_adaptive_code_is_read_but_not_written() -> None:
    values = pruned(0.95)
    mask = kept_mask(values)
    streams = masked(values, "adaptive", CODERS["adaptive"].encode(mask, 2))
    assert streams.header["encoding"] == "adaptive_mask"
    assert torch.equal(decode_streams(streams.header, streams.tensors).values, values)
    tried = {found.header["encoding"] for found in StoredWeight(Profile(values)).candidates}
    assert "adaptive_mask" not in tried


def test_packed_codes_cost_their_bits_and_scales() -> None:
    weight = quantized(normal(40, 50), bits=5, scheme="asymmetric")
    packed = next(s for s in weight.candidates if s.header["encoding"] == "packed")
    assert packed.byte_count == 2000 * 5 / 8 + 40 * 4 + 40 * 2  # codes, F32 scales, U16 zero points
    assert weight.streams.byte_count <= packed.byte_count


def test_sixteen_bit_floats_cost_two_bytes_and_no_scale() -> None:
    assert WEIGHTS["float_packed"].streams.byte_count == 2 * 2000


def test_pruned_halves_cost_a_bit_each_and_the_kept_ones() -> None:
    assert WEIGHTS["float_masked"].streams.byte_count == 6 + 2000 / 8 + 2 * 1000


def test_signs_cost_a_bit_and_a_scale_for_each_row() -> None:
    assert WEIGHTS["sign_packed"].streams.byte_count == 2000 / 8 + 4 * 40


BAD_STREAMS: dict[str, tuple[str, dict[str, Any], dict[str, Tensor | None], str]] = {
    "a format that is none": ("float_huffman", {"format": "fp3"}, {}, "format='fp3'"),
    "no format": ("float_huffman", {"format": 4}, {}, "format=4"),
    "no scale": ("float_huffman", {}, {"scale": None}, "the streams are"),
    "a scale of 16 bits": ("float_packed", {}, {"scale": torch.ones(40)}, "the streams are"),
    "a scale of zero": ("float_huffman", {}, {"scale": torch.zeros(40)}, "not positive"),
    "a scale of another shape": ("float_huffman", {}, {"scale": torch.ones(50)}, "scale is"),
    "a coder for small alphabets": (
        "float_packed",
        {"encoding": "float_ans"},
        {},
        "no alphabet of 65536",
    ),
    "a negative scale": ("sign_packed", {}, {"scale": -torch.ones(40)}, "a scale is negative"),
    "infinity": (
        "float_packed",
        {"shape": [1]},
        {"codes": torch.tensor([0x7F, 0x80], dtype=torch.uint8)},
        "NaN or infinite",
    ),
}


@pytest.mark.parametrize("case", BAD_STREAMS)
def test_a_damaged_low_bit_weight_is_refused(case: str) -> None:
    encoding, entry, tensors, words = BAD_STREAMS[case]
    streams = WEIGHTS[encoding].streams
    found = {name: t for name, t in (streams.tensors | tensors).items() if t is not None}
    with pytest.raises(ValueError, match=words):
        decode_streams({**streams.header, **entry}, found)


def test_a_kept_negative_zero_stays_negative() -> None:
    weight = pruned(0.9)
    weight[0, 0] = -0.0
    streams = StoredWeight(Profile(weight)).streams
    decoded = decode_streams(streams.header, streams.tensors).values
    assert np.signbit(decoded[0, 0].item())


def test_symmetric_codes_store_no_zero_points() -> None:
    assert set(WEIGHTS["adaptive"].streams.tensors) == {"codes", "scale"}


@pytest.mark.parametrize(
    "shape", [[], [0, 4], [-1, -2000], [2**16, 2**16], [3, 3], [40.0, 50], [2000, True], "40"]
)
def test_a_header_of_another_shape_is_refused(shape: list[int]) -> None:
    streams = WEIGHTS["bitmask"].streams
    with pytest.raises((StreamError, ValueError)):
        decode_streams({**streams.header, "shape": shape}, streams.tensors)


def test_an_unknown_encoding_is_refused() -> None:
    streams = Streams({"encoding": "zip", "shape": [1]}, {})
    with pytest.raises(ValueError, match=r"encoding='zip' is not one of dense, bitmask"):
        decode_streams(streams.header, streams.tensors)


def test_a_group_wider_than_the_weight_is_read_as_one_group() -> None:
    weight = quantized(normal(4, 9), bits=4, granularity="group", group_size=9)
    streams = weight.streams
    decoded = decode_streams({**streams.header, "group_size": 2**31 - 1}, streams.tensors)
    assert torch.equal(decoded.values, weight.values)


@dataclass(frozen=True, eq=False)
class Halves:
    """Codes of another type: float16, as a new row of both tables would store them."""

    halves: Tensor
    bits: int = 16

    def dequantize(self) -> Tensor:
        return self.halves.float()


def half_form(codes: Halves) -> CodedForm:
    header = {"shape": list(codes.halves.shape)}
    return CodedForm("half_", symbols_of(codes.halves.view(torch.uint16)), 2**16, {}, header)


def decode_half(header: Header, tensors: Tensors, _shape: Shape) -> Halves:
    codes = read_codes(header, tensors, "half_", 2**16)
    return Halves(codes.to(torch.uint16).view(torch.float16))


def test_another_type_of_codes_takes_a_row_in_each_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(streams_module.CODED_FORMS, Halves, half_form)
    monkeypatch.setitem(streams_module.DECODERS, "half_packed", decode_half)
    weight = weight_of(Halves(normal(40, 50).half()))
    assert torch.equal(weight.values, normal(40, 50).half().float())
    assert weight.streams.byte_count == 2 * 2000
    decoded = decode_streams(weight.streams.header, weight.streams.tensors)
    assert isinstance(decoded.codes, Halves)
    assert torch.equal(decoded.values, weight.values)


def test_codes_that_stand_for_nan_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(streams_module.DECODERS, "half_packed", decode_half)
    half = half_form(Halves(torch.tensor([torch.nan]).half())).smallest()
    with pytest.raises(StreamError, match="NaN or infinite"):
        decode_streams(half.header, half.tensors)
