"""Gap coding: the published examples, the best index width, and everything comes back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress_core.storage.entropy_coding import (
    ANS,
    HUFFMAN,
    StreamError,
    SymbolCoder,
    Symbols,
    decode_gap,
    encode_gap,
    entropy_bits,
    gap,
    relative_index,
)
from compress_core.storage.entropy_coding.gap import HEADER, best_index_bits, positions

BOTH = pytest.mark.parametrize("coder", [HUFFMAN, ANS], ids=["huffman", "ans"])


def sparse(count: int, density: float, alphabet: int = 15) -> Symbols:
    rng = np.random.default_rng(0)
    symbols = np.full(count, alphabet // 2, np.int32)
    kept = rng.random(count) < density
    symbols[kept] = rng.integers(0, alphabet, kept.sum())
    return symbols


def kept_at(*places: int) -> np.ndarray:
    return np.isin(np.arange(places[-1] + 1), places)


def test_the_figure_of_deep_compression() -> None:
    # 1510.00149, figure 2: weights at 1, 4 and 15 of a count from 1, 3-bit differences, and a
    # filler where the span exceeds 8
    index = relative_index(kept_at(1 - 1, 4 - 1, 15 - 1), bits=3)
    assert (index.gaps + 1).tolist() == [1, 3, 8, 3]
    assert index.is_filler.tolist() == [False, False, True, False]


def test_the_example_of_eie() -> None:
    # 1602.01528, section III: 0 0 1 2 (18 zeros) 3 has the values 1 2 0 3 and z = 2 0 15 2
    index = relative_index(kept_at(2, 3, 22), bits=4)
    assert index.gaps.tolist() == [2, 0, 15, 2]
    assert index.is_filler.tolist() == [False, False, True, False]


@given(st.lists(st.booleans(), max_size=300).map(np.array), st.integers(1, 8))
def test_positions_are_those_of_the_kept_ones(kept: np.ndarray, bits: int) -> None:
    kept = kept.astype(bool)
    index = relative_index(kept, bits)
    assert positions(index.gaps)[~index.is_filler].tolist() == np.flatnonzero(kept).tolist()
    assert index.gaps.max(initial=0) < 2**bits


@BOTH
@given(st.sampled_from([1, 2, 3, 31, 255, 4096]), st.floats(0, 1), st.data())
def test_what_is_encoded_comes_back(
    coder: SymbolCoder, alphabet: int, density: float, data: st.DataObject
) -> None:
    symbols = sparse(data.draw(st.integers(0, 700)), density, alphabet)
    stream = encode_gap(symbols, alphabet, coder=coder)
    assert np.array_equal(decode_gap(stream, alphabet, symbols.size, coder=coder), symbols)


@BOTH
@pytest.mark.parametrize("density", [0.002, 0.02, 0.1, 0.5])
def test_the_index_width_is_the_best_of_two_to_eight(
    coder: SymbolCoder, density: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    symbols = sparse(20_000, density)
    size = encode_gap(symbols, 15, coder=coder).size
    sizes = []
    for bits in range(2, 9):
        monkeypatch.setattr(gap, "INDEX_BITS", range(bits, bits + 1))
        sizes.append(encode_gap(symbols, 15, coder=coder).size)
    assert size <= min(sizes) + (0 if coder is HUFFMAN else 8)  # ANS is foretold within 8 bytes


def test_sparser_layers_get_wider_indices() -> None:
    widths = [best_index_bits(sparse(50_000, density), 15) for density in (0.5, 0.1, 0.01)]
    assert widths == sorted(widths)
    assert widths[0] < widths[-1]


def test_ninety_nine_percent_zeros_cost_a_small_fraction_of_huffman_alone() -> None:
    symbols = sparse(100_000, 0.01)
    bound = symbols.size * entropy_bits(symbols) / 8
    huffman_alone = HUFFMAN.size(np.bincount(symbols, minlength=15))
    tables = HEADER.itemsize + 2**8 / 2 + 8  # of 8-bit gaps and of 15 symbols
    assert bound < encode_gap(symbols, 15).size < 1.05 * bound + tables
    assert huffman_alone > 8 * bound


def test_coded_bytes_are_pinned() -> None:
    symbols = np.array([1, 1, 0, 1, 1, 2, 0, 1], np.int32)  # 1 is the usual symbol
    stream = encode_gap(symbols, 3)
    header = "02" + "0100" + "03000000" + "03000000"  # 2 bits, symbol 1, 3 entries, 3 bytes
    gaps, values = "1010" + "c0", "1010" + "40"  # gaps 2 2 0 → 1 1 0, symbols 0 2 0 → 0 1 0
    assert stream.tobytes().hex() == header + gaps + values


def test_a_constant_stream_costs_its_header_alone() -> None:
    assert encode_gap(np.full(999, 2, np.int32), 3).size == HEADER.itemsize


def with_header(*fields: int) -> np.ndarray:
    return np.array([fields], HEADER).view(np.uint8)


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (np.zeros(3, np.uint8), "3 bytes are less than the 11 of a header"),
        (with_header(1, 0, 0, 0), "1 index bits, symbol 0, 0 entries are impossible"),
        (with_header(9, 0, 0, 0), "9 index bits"),
        (with_header(2, 3, 0, 0), "symbol 3"),
        (with_header(2, 0, 5, 0), "5 entries"),
        (np.append(with_header(2, 0, 0, 0), np.uint8(7)), "1 bytes follow"),
        (with_header(2, 0, 2, 0), "0 bytes for 4 codes of 4 bits"),
    ],
)
def test_bytes_that_are_no_gaps_are_refused(stream: np.ndarray, words: str) -> None:
    with pytest.raises(StreamError, match=words):
        decode_gap(stream, 3, 4)


def test_an_entry_behind_the_end_is_refused() -> None:
    stream = encode_gap(np.array([0, 0, 0, 1, 0, 0, 0, 2], np.int32), 3)
    with pytest.raises(StreamError, match="an entry stands at 7 of 6 symbols"):
        decode_gap(stream, 3, 6)
