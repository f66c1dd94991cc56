"""Adaptive coding: no table, and it learns which outputs, inputs and neighbours keep symbols."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compress_core.storage.entropy_coding import (
    StreamError,
    Symbols,
    adaptive,
    decode_adaptive,
    encode_adaptive,
    encode_smallest,
    entropy_bits,
)
from compress_core.storage.entropy_coding.adaptive import (
    BLOCK,
    BLOCKS,
    MAX_LINES,
    ONE,
    PRIOR,
    Factor,
    blocks,
    choose_width,
)
from compress_core.storage.entropy_coding.coders import MAX_KEPT
from tests.storage.entropy_coding import adaptive_oracle
from tests.storage.readme_examples import example_in_the_readme

EXAMPLE = np.array([[1, 1, 1, 1], [1, 1, 1, 1], [2, 2, 1, 0]], np.int32)
SHAPES = {"one row": (1, 50), "one dimension": (50, 1), "one weight": (1, 1), "conv": (6, 4 * 25)}


def sparse(shape: tuple[int, int], density: float, alphabet: int, seed: int = 0) -> Symbols:
    """Symbols around the middle one, each another one with the same probability."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, alphabet, shape)
    return np.where(rng.random(shape) < density, values, alphabet // 2).astype(np.int32)


def uneven(shape: tuple[int, int] = (60, 120)) -> Symbols:
    """A quarter of the outputs and a third of the inputs keep most of their weights."""
    drawn = sparse(shape, 0.7, 7)
    drawn[np.arange(shape[0]) % 4 > 0] = 3
    drawn[:, np.arange(shape[1]) % 3 > 0] = 3
    return drawn


MATRICES = st.builds(
    lambda shape, density, alphabet, seed: (alphabet, sparse(shape, density, alphabet, seed)),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.sampled_from([0.0, 0.02, 0.2, 1.0]),
    st.sampled_from([1, 2, 3, 7, 16, 256]),
    st.integers(0, 9),
)


@given(MATRICES)
def test_what_is_encoded_comes_back(drawn: tuple[int, Symbols]) -> None:
    alphabet, symbols = drawn
    stream = encode_adaptive(symbols, alphabet)
    assert np.array_equal(decode_adaptive(stream, alphabet, symbols.shape), symbols)


@given(MATRICES)
@settings(max_examples=30)
def test_a_decoder_made_from_the_readme_alone_reads_it(drawn: tuple[int, Symbols]) -> None:
    alphabet, symbols = drawn
    stream = encode_adaptive(symbols, alphabet).tobytes()
    assert adaptive_oracle.decode(stream, alphabet, *symbols.shape) == symbols.tolist()


def test_that_decoder_reads_many_blocks_of_uneven_rows_and_columns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    symbols = uneven((200, 90))
    stream = encode_adaptive(symbols, 7)
    assert adaptive_oracle.decode(stream.tobytes(), 7, 200, 90) == symbols.tolist()
    monkeypatch.setattr(adaptive, "BLOCKS", 40)
    assert not np.array_equal(encode_adaptive(symbols, 7), stream)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("density", [0, 0.1, 1])
def test_every_shape_comes_back(shape: tuple[int, int], density: float) -> None:
    symbols = sparse(shape, density, 5)
    assert np.array_equal(decode_adaptive(encode_adaptive(symbols, 5), 5, shape), symbols)


def test_the_bytes_of_the_readme() -> None:
    expected = example_in_the_readme("in an alphabet of 3, byte by byte:", "## Honest limits")
    assert encode_adaptive(EXAMPLE, 3).tobytes()[:2] == expected[:2] == bytes([1, 2])
    assert encode_adaptive(EXAMPLE, 3).tobytes() == expected


def test_one_symbol_alone_takes_two_bytes() -> None:
    assert encode_adaptive(np.full((30, 40), 4, np.int32), 9).tolist() == [4, 2]


def test_uneven_rows_and_columns_take_far_less_than_their_entropy() -> None:
    symbols = uneven()
    assert encode_adaptive(symbols, 7).size < 0.7 * symbols.size * entropy_bits(symbols) / 8


def test_random_symbols_take_little_more_than_their_entropy() -> None:
    symbols = sparse((80, 100), 0.1, 7)
    assert encode_adaptive(symbols, 7).size < 1.05 * symbols.size * entropy_bits(symbols) / 8 + 40


def test_neighbours_in_an_image_are_found_by_its_width() -> None:
    image = np.zeros((10, 12, 12), np.int32)
    image[:, 3:8, 4:9] = 1
    noise = np.random.default_rng(0).random(image.shape) < 0.05
    flat = np.where(noise, 1 - image, image).reshape(10, 144)
    assert choose_width(flat.astype(bool)) == 12


def test_a_factor_is_what_was_set_over_what_was_expected() -> None:
    factor, classes = Factor(2), np.array([0, 0, 1])
    half = np.full(3, ONE // 2)
    assert factor.applied(half, classes).tolist() == [ONE // 2] * 3
    factor.count(half, classes, np.array([True, True, False]))
    # class 0: 2 set where 1 was expected; class 1: none, where a half was
    expected = [ONE / 2 * (PRIOR + 2) / (PRIOR + 1)] * 2 + [ONE / 2 * PRIOR / (PRIOR + 0.5)]
    assert factor.applied(half, classes).tolist() == [math.floor(chance) for chance in expected]


@pytest.mark.parametrize(("inputs", "outputs", "size"), [(10, 100, 16), (800, 500, 512), (4, 9, 9)])
def test_blocks_grow_with_the_matrix(inputs: int, outputs: int, size: int) -> None:
    parts = list(blocks(inputs, outputs))
    assert len(parts[0]) == min(size, outputs)
    assert len(parts[0]) >= min(BLOCK, outputs)
    assert np.concatenate(parts).tolist() == list(range(outputs))
    assert inputs * len(parts) <= BLOCKS


@pytest.mark.parametrize(
    "raw", [b"", b"\1", b"\7\2", b"\1\1", b"\1\0"], ids=["empty", "cut", "u", "w = 1", "w = 0"]
)
def test_a_stream_without_its_first_two_bytes_is_refused(raw: bytes) -> None:
    with pytest.raises(StreamError, match="symbol and a width"):
        decode_adaptive(np.frombuffer(raw, np.uint8), 7, (3, 4))


def test_bytes_behind_the_last_symbol_are_refused() -> None:
    stream = np.append(encode_adaptive(uneven(), 7), np.ones(5, np.uint8))
    with pytest.raises(StreamError, match="more than 60 x 120"):
        decode_adaptive(stream, 7, (60, 120))


def test_words_of_no_range_coder_are_refused() -> None:
    raw = np.array([1, 2, *[255] * 12], np.uint8)
    with pytest.raises(StreamError, match="none of a range coder"):
        decode_adaptive(raw, 7, (60, 120))


def test_a_damaged_bit_gives_an_error_or_symbols_of_the_alphabet() -> None:
    stream = encode_adaptive(sparse((12, 30), 0.2, 7), 7)
    for bit in range(8 * stream.size):
        damaged = stream.copy()
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            symbols = decode_adaptive(damaged, 7, (12, 30))
        except StreamError:
            continue
        assert 0 <= symbols.min() <= symbols.max() < 7


def test_a_matrix_of_too_many_lines_is_left_to_other_coders() -> None:
    symbols = np.zeros((MAX_LINES, 1), np.int32)
    symbols[:40] = 1
    assert encode_smallest(symbols, 2)[0] != "adaptive"
    assert encode_smallest(symbols[:-1], 2)[0] == "adaptive"
    with pytest.raises(StreamError, match="lines"):
        decode_adaptive(np.array([0, 2], np.uint8), 2, (MAX_LINES, 1))


def test_the_smallest_is_not_sought_where_too_many_symbols_are_kept() -> None:
    large, small = uneven((400, 600)), uneven((200, 300))
    assert np.count_nonzero(large != 3) > MAX_KEPT > np.count_nonzero(small != 3)
    assert encode_smallest(large, 7)[0] != "adaptive"
    assert encode_smallest(small, 7)[0] == "adaptive"
