"""Huffman: the textbook's code lengths in canonical order, its table counted, its tree drawn."""

import heapq
import itertools
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from compress_core.storage.entropy_coding import (
    HUFFMAN,
    HuffmanNode,
    StreamError,
    Symbols,
    canonical_codes,
    code_lengths,
    decode_huffman,
    encode_huffman,
    entropy_bits,
    huffman,
    huffman_tree,
)

Counts = NDArray[np.int64]
COUNTS = st.lists(st.integers(0, 500), min_size=2, max_size=40).map(np.array)


def several(counts: Counts) -> bool:
    return int(np.count_nonzero(counts)) >= 2


def textbook_bits(counts: Counts) -> int:
    """The length of the coded text: the sum of all merged weights (Huffman 1952)."""
    heap = [int(count) for count in counts if count]
    heapq.heapify(heap)
    total = 0
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        total += merged
        heapq.heappush(heap, merged)
    return total


def symbols_of(counts: Counts) -> Symbols:
    symbols = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    return np.random.default_rng(0).permutation(symbols)


@given(COUNTS.filter(several))
def test_no_code_is_shorter_than_the_textbooks(counts: Counts) -> None:
    assert int(counts @ code_lengths(counts)) == textbook_bits(counts)


@given(COUNTS.filter(several))
def test_the_lengths_fill_krafts_sum_exactly(counts: Counts) -> None:
    lengths = code_lengths(counts)
    assert (2.0 ** -lengths[lengths > 0]).sum() == 1
    assert ((lengths > 0) == (counts > 0)).all()


@given(COUNTS.filter(several))
def test_a_symbol_costs_its_entropy_and_less_than_a_bit_more(counts: Counts) -> None:
    mean_bits = counts @ code_lengths(counts) / counts.sum()
    entropy = entropy_bits(symbols_of(counts))
    assert entropy - 1e-9 <= mean_bits < entropy + 1


def test_halving_probabilities_cost_exactly_their_entropy() -> None:
    assert code_lengths(np.array([8, 4, 2, 1, 1])).tolist() == [1, 2, 3, 4, 4]


def test_lengths_stop_at_fifteen_bits() -> None:
    fibonacci = [1, 1]
    while len(fibonacci) < 40:  # the counts of the deepest tree: 39 bits without the bound
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    lengths = code_lengths(np.array(fibonacci))
    assert lengths.max() == 15
    assert (2.0**-lengths).sum() == 1


@pytest.mark.parametrize("counts", [[1, 1, 2, 3, 5, 8], [1, 2, 4, 8, 16, 32, 64], [9, 1, 1, 1, 1]])
def test_bounded_lengths_are_the_best_of_all(
    counts: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huffman, "MAX_LENGTH", 3)
    every = itertools.product((1, 2, 3), repeat=len(counts))
    codes = [lengths for lengths in every if sum(2.0**-bits for bits in lengths) <= 1]
    best = min(sum(c * n for c, n in zip(counts, lengths, strict=True)) for lengths in codes)
    assert np.array(counts) @ code_lengths(np.array(counts)) == best


def test_canonical_codes_are_those_of_rfc_1951() -> None:
    lengths = np.array([3, 3, 3, 3, 3, 2, 4, 4], np.int32)  # A … H, section 3.2.2
    codes = [f"{c:0{n}b}" for c, n in zip(canonical_codes(lengths), lengths, strict=True)]
    assert codes == ["010", "011", "100", "101", "110", "00", "1110", "1111"]


@given(st.sampled_from([1, 2, 3, 31, 255, 4096]), st.data())
def test_what_is_encoded_comes_back(alphabet: int, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.integers(0, alphabet - 1), max_size=60))
    stream = encode_huffman(np.array(values, np.int32), alphabet)
    assert decode_huffman(stream, alphabet, len(values)).tolist() == values
    assert stream.size == HUFFMAN.size(np.bincount(values, minlength=alphabet))


def test_coded_bytes_are_pinned() -> None:
    stream = encode_huffman(np.array([0, 0, 0, 1, 0, 2, 0, 0], np.int32), 3)
    assert stream.tobytes().hex() == "1220" + "1300"  # lengths 1 2 2 (0); 0001 0011 00
    # codes: 0 → 0, 1 → 10, 2 → 11


def test_a_constant_stream_costs_its_table_alone() -> None:
    stream = encode_huffman(np.full(10_000, 3, np.int32), 4)
    assert stream.tobytes().hex() == "0001"
    assert (decode_huffman(stream, 4, 10_000) == 3).all()


@pytest.mark.parametrize("sparsity", [0.0, 0.9])
def test_a_large_layer_is_coded_and_decoded_within_a_second(sparsity: float) -> None:
    rng = np.random.default_rng(0)
    symbols = np.clip(rng.normal(127, 20, 400_000), 0, 254).astype(np.int32)
    symbols[rng.random(symbols.size) < sparsity] = 127
    began = time.perf_counter()
    stream = encode_huffman(symbols, 255)
    decoded = decode_huffman(stream, 255, symbols.size)
    assert time.perf_counter() - began < 1
    assert np.array_equal(decoded, symbols)


def test_a_sparse_stream_cannot_cost_less_than_a_bit_a_symbol() -> None:
    symbols = np.zeros(80_000, np.int32)
    symbols[::100] = 1
    assert entropy_bits(symbols) < 0.081
    assert encode_huffman(symbols, 2).size == 10_000 + 1


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        ("", "0 bytes for 4 codes of 4 bits"),
        ("0000", "without two codes do not hold 8 symbols"),
        ("100000", "without two codes do not hold 8 symbols"),
        ("222000", "no complete prefix code"),
        ("1110", "no complete prefix code"),
        ("1220", "do not hold 8 symbols"),
        ("12200000", "do not hold 8 symbols"),
    ],
)
def test_bytes_that_are_no_code_are_refused(stream: str, words: str) -> None:
    with pytest.raises(StreamError, match=words):
        decode_huffman(np.frombuffer(bytes.fromhex(stream), np.uint8), 4, 8)


def test_more_symbols_than_codes_of_fifteen_bits_are_refused() -> None:
    with pytest.raises(ValueError, match=r"32769 symbols do not fit codes of 15 bits; pack them"):
        code_lengths(np.ones(2**15 + 1, np.int64))


def test_the_tree_has_the_canonical_codes_and_adds_up() -> None:
    assert huffman_tree(np.array([5, 0, 2, 1])) == HuffmanNode(
        "",
        8,
        branches=(
            HuffmanNode("0", 5, symbol=0),
            HuffmanNode(
                "1",
                3,
                branches=(HuffmanNode("10", 2, symbol=2), HuffmanNode("11", 1, symbol=3)),
            ),
        ),
    )


def test_the_tree_of_one_symbol_is_one_branch() -> None:
    assert huffman_tree(np.array([0, 7])).branches == (HuffmanNode("0", 7, symbol=1),)


def test_a_tree_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no symbol occurs.*count at least one"):
        huffman_tree(np.zeros(3, np.int64))
