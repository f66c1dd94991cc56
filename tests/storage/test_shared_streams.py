"""Shared weights as streams: bit for bit, counted to the byte, and damage is refused."""

import math
import re

import numpy as np
import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor

from compress_core.methods.weight_sharing import Shared, ShareWeights, share, share_across
from compress_core.storage.entropy_coding import StreamError, entropy_bits
from compress_core.storage.shared_streams import decode_shared, shared_bytes, shared_encodings


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def pruned(weight: Tensor, threshold: float = 1.5) -> Tensor:
    return torch.where(weight.abs() > threshold, weight, 0.0)


SHARED = {
    "two": share(normal(40, 50), ShareWeights(2)),
    "sixteen": share(normal(40, 50), ShareWeights(16)),
    "five": share(normal(6, 4, 3, 3), ShareWeights(5, init="optimal")),
    "pruned": share(pruned(normal(40, 50)), ShareWeights(16)),
    "three_hundred": share(normal(40, 50), ShareWeights(300)),
    "largest": share(normal(100, 50), ShareWeights(4096)),
    "one_weight": share(torch.tensor([[0.5]]), ShareWeights(16)),
    "constant": share(torch.full((3, 4), 0.25), ShareWeights(16)),
    "all_zero": share(torch.zeros(7), ShareWeights(16)),
}


@pytest.mark.parametrize("shared", SHARED.values(), ids=SHARED)
def test_every_encoding_comes_back_bit_for_bit_from_a_file(shared: Shared) -> None:
    for header, tensors in shared_encodings(shared):
        decoded = decode_shared(header, load(save(tensors)), tuple(header["shape"]))
        assert torch.equal(decoded.indices, shared.indices)
        assert decoded.indices.dtype == torch.int32
        values = decoded.dequantize().numpy().tobytes()
        assert values == shared.dequantize().numpy().tobytes()


def test_packed_indices_cost_their_bits_and_the_codebook() -> None:
    header, tensors = shared_encodings(SHARED["sixteen"])[0]
    assert header == {"encoding": "shared_packed", "shape": [40, 50]}
    assert tensors["codes"].nbytes == 2000 * 4 / 8
    assert tensors["codebook"].nbytes == 16 * 4


def test_coded_indices_cost_their_entropy_and_a_table() -> None:
    shared = SHARED["pruned"]
    _, tensors = shared_encodings(shared)[1]
    bound = entropy_bits(shared.indices.view(-1).numpy()) * 2000 / 8
    assert bound <= tensors["codes"].nbytes - 2 * 16 <= bound * 1.001 + 64


def test_a_shared_codebook_is_counted_once() -> None:
    weights = [normal(40, 50), normal(30, 20, seed=1)]
    together = share_across(weights, ShareWeights(16, scope="all"))
    apart = [Shared(part.codebook.clone(), part.indices) for part in together]
    assert shared_bytes(apart) - shared_bytes(together) == 16 * 4


def test_the_count_of_one_weight_is_that_of_its_smallest_encoding() -> None:
    shared = SHARED["pruned"]
    sizes = [sum(t.nbytes for t in tensors.values()) for _, tensors in shared_encodings(shared)]
    assert shared_bytes([shared]) == min(sizes)


REFUSALS = {
    "no codebook": ({"codebook": None}, "the streams are ['codes']"),
    "empty codebook": ({"codebook": torch.zeros(0)}, "codebook is torch.float32 [0]"),
    "codebook of halves": ({"codebook": torch.zeros(16).half()}, "codebook is torch.float16"),
    "codebook in two dimensions": ({"codebook": torch.zeros(4, 4)}, "[4, 4]"),
    "codebook too long": ({"codebook": torch.zeros(4097)}, "1 <= k <= 4096"),
    "codes of integers": ({"codes": torch.zeros(1000, dtype=torch.int32)}, "codes is torch.int32"),
    "codes too short": ({"codes": torch.zeros(999, dtype=torch.uint8)}, "999 bytes"),
    "index too large": ({"codebook": torch.zeros(9)}, "lies beyond the 9"),
    "a stream more": ({"scale": torch.ones(1)}, "['codebook', 'codes', 'scale']"),
}


@pytest.mark.parametrize(("change", "words"), REFUSALS.values(), ids=REFUSALS)
def test_damage_is_refused(change: dict[str, Tensor | None], words: str) -> None:
    header, tensors = shared_encodings(SHARED["sixteen"])[0]
    damaged = {key: t for key, t in (tensors | change).items() if t is not None}
    with pytest.raises(StreamError, match=re.escape(words)):
        decode_shared(header, damaged, (40, 50))


def test_a_codebook_of_a_single_entry_needs_only_a_table() -> None:
    header, tensors = shared_encodings(SHARED["constant"])[1]
    assert header["encoding"] == "shared_ans"
    assert tensors["codes"].nbytes == 2
    assert math.prod(header["shape"]) == 12


def test_indices_of_any_layout_are_coded_in_the_order_of_the_shape() -> None:
    shared = SHARED["five"]
    laid_out = shared.indices.contiguous(memory_format=torch.channels_last)
    for ours, theirs in zip(
        shared_encodings(Shared(shared.codebook, laid_out)), shared_encodings(shared), strict=True
    ):
        np.testing.assert_array_equal(ours[1]["codes"].numpy(), theirs[1]["codes"].numpy())
