"""One weight as stored: the smallest encoding is taken, and each comes back bit for bit."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save
from torch import Tensor

from compress_core.methods.quantization import Quantize, Quantized, quantize
from compress_core.storage import streams as streams_module
from compress_core.storage.entropy_coding import StreamError
from compress_core.storage.streams import (
    StoredWeight,
    decode_streams,
    weight_of,
)
from compress_core.storage.streams.stream import Header, Shape, Streams, Tensors, expect
from compress_core.storage.streams.symbols import CODERS, bits_for, code_symbols
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
    "ans_mask": StoredWeight(Profile(pruned(0.95))),
    "packed": quantized(normal(40, 50).sign() * 3 + 4, bits=1, scheme="asymmetric"),
    "ans": quantized(pruned(0.9), bits=4),
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


def test_packed_codes_cost_their_bits_and_scales() -> None:
    weight = quantized(normal(40, 50), bits=5, scheme="asymmetric")
    packed = next(s for s in weight.candidates if s.header["encoding"] == "packed")
    assert packed.byte_count == 2000 * 5 / 8 + 40 * 4 + 40 * 2  # codes, F32 scales, U16 zero points
    assert weight.streams.byte_count <= packed.byte_count


def test_a_kept_negative_zero_stays_negative() -> None:
    weight = pruned(0.9)
    weight[0, 0] = -0.0
    streams = StoredWeight(Profile(weight)).streams
    decoded = decode_streams(streams.header, streams.tensors).values
    assert np.signbit(decoded[0, 0].item())


def test_symmetric_codes_store_no_zero_points() -> None:
    assert set(WEIGHTS["ans"].streams.tensors) == {"codes", "scale"}


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


def half_encodings(codes: Halves) -> list[Streams]:
    header = {"encoding": "half", "shape": list(codes.halves.shape)}
    return [Streams(header, {"half": codes.halves})]


def decode_half(_header: Header, tensors: Tensors, shape: Shape) -> Halves:
    return Halves(expect(tensors, "half", torch.float16, shape))


def test_another_type_of_codes_takes_a_row_in_each_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(streams_module.ENCODINGS, Halves, half_encodings)
    monkeypatch.setitem(streams_module.DECODERS, "half", decode_half)
    weight = weight_of(Halves(normal(40, 50).half()))
    assert torch.equal(weight.values, normal(40, 50).half().float())
    assert weight.streams.byte_count == 2 * 2000
    decoded = decode_streams(weight.streams.header, weight.streams.tensors)
    assert isinstance(decoded.codes, Halves)
    assert torch.equal(decoded.values, weight.values)


def test_codes_that_stand_for_nan_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(streams_module.DECODERS, "half", decode_half)
    half = Streams({"encoding": "half", "shape": [1]}, {"half": torch.tensor([torch.nan]).half()})
    with pytest.raises(StreamError, match="NaN or infinite"):
        decode_streams(half.header, half.tensors)


@pytest.mark.parametrize(
    ("alphabet", "bits"), [(1, 1), (2, 1), (3, 2), (4, 2), (7, 3), (255, 8), (256, 8), (65535, 16)]
)
def test_the_bits_of_an_alphabet(alphabet: int, bits: int) -> None:
    assert bits_for(alphabet) == bits


@pytest.mark.parametrize("alphabet", [2, 7, 200])
def test_every_coder_brings_the_symbols_back(alphabet: int) -> None:
    symbols = (normal(6, 5, 3, 3).abs() * alphabet / 5).int().clamp(max=alphabet - 1).flatten()
    coded = code_symbols(symbols.numpy(), alphabet, (6, 5, 3, 3))
    assert coded.keys() == CODERS.keys()
    for name, stream in coded.items():
        decoded = CODERS[name].decode(stream, alphabet, (6, 5, 3, 3))
        assert np.array_equal(decoded, symbols.numpy())


def test_a_coder_is_not_asked_for_a_larger_alphabet_than_it_takes() -> None:
    assert code_symbols(np.zeros(4, np.int32), 2**16, (4,)).keys() == {"packed"}
