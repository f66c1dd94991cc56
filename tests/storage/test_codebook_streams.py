"""Shared weights as streams: bit for bit, counted to the byte, and damage is refused."""

import re

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor

from compress_core.methods.weight_sharing import ShareWeights, share
from compress_core.storage.entropy_coding import StreamError, entropy_bits
from compress_core.storage.streams import StoredWeight, Streams, decode_streams, weight_of


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def pruned(weight: Tensor, threshold: float = 1.5) -> Tensor:
    return torch.where(weight.abs() > threshold, weight, 0.0)


def candidate(weight: StoredWeight, encoding: str) -> Streams:
    return next(s for s in weight.candidates if s.header["encoding"] == encoding)


SHARED = {
    "two": weight_of(share(normal(40, 50), ShareWeights(2))),
    "sixteen": weight_of(share(normal(40, 50), ShareWeights(16))),
    "five": weight_of(share(normal(6, 4, 3, 3), ShareWeights(5, init="optimal"))),
    "pruned": weight_of(share(pruned(normal(40, 50)), ShareWeights(16))),
    "three_hundred": weight_of(share(normal(40, 50), ShareWeights(300))),
    "largest": weight_of(share(normal(100, 50), ShareWeights(4096))),
    "one_weight": weight_of(share(torch.tensor([[0.5]]), ShareWeights(16))),
    "constant": weight_of(share(torch.full((3, 4), 0.25), ShareWeights(16))),
    "all_zero": weight_of(share(torch.zeros(7), ShareWeights(16))),
}


@pytest.mark.parametrize("weight", SHARED.values(), ids=SHARED)
def test_every_encoding_comes_back_bit_for_bit_from_a_file(weight: StoredWeight) -> None:
    for streams in weight.candidates:
        decoded = decode_streams(streams.header, load(save(streams.tensors)))
        assert decoded.values.numpy().tobytes() == weight.values.numpy().tobytes()
        assert decoded.codes.indices.dtype == torch.int32  # type: ignore[union-attr]


def test_packed_indices_cost_their_bits_and_the_codebook() -> None:
    streams = candidate(SHARED["sixteen"], "shared_packed")
    assert streams.header == {"encoding": "shared_packed", "shape": [40, 50]}
    assert streams.tensors["codes"].nbytes == 2000 * 4 / 8
    assert streams.tensors["codebook"].nbytes == 16 * 4


def test_coded_indices_cost_their_entropy_and_a_table() -> None:
    weight = SHARED["pruned"]
    codes = candidate(weight, "shared_ans").tensors["codes"]
    indices = weight.codes.indices  # type: ignore[union-attr]
    bound = entropy_bits(indices.view(-1).numpy()) * 2000 / 8
    assert bound <= codes.nbytes - 2 * 16 <= bound * 1.001 + 64


REFUSALS = {
    "no codebook": ({"codebook": None}, "the streams are ['codes']"),
    "empty codebook": ({"codebook": torch.zeros(0)}, "a codebook of 0 entries"),
    "codebook of halves": ({"codebook": torch.zeros(16).half()}, "codebook is torch.float16"),
    "codebook in two dimensions": ({"codebook": torch.zeros(4, 4)}, "[4, 4]"),
    "codebook too long": ({"codebook": torch.zeros(4097)}, "1 to 4096"),
    "codebook of NaN": ({"codebook": torch.full((16,), torch.nan)}, "NaN or infinite"),
    "codes of integers": ({"codes": torch.zeros(1000, dtype=torch.int32)}, "codes is torch.int32"),
    "codes too short": ({"codes": torch.zeros(999, dtype=torch.uint8)}, "999 bytes"),
    "index too large": ({"codebook": torch.zeros(9)}, "lies beyond the 9"),
    "a stream more": ({"scale": torch.ones(1)}, "['codebook', 'codes', 'scale']"),
}


@pytest.mark.parametrize(("change", "words"), REFUSALS.values(), ids=REFUSALS)
def test_damage_is_refused(change: dict[str, Tensor | None], words: str) -> None:
    streams = candidate(SHARED["sixteen"], "shared_packed")
    damaged = {key: t for key, t in (streams.tensors | change).items() if t is not None}
    with pytest.raises(StreamError, match=re.escape(words)):
        decode_streams(streams.header, damaged)
