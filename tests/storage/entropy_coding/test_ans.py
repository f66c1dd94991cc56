"""ANS: symbols come back, and cost the entropy of the model that they are coded with."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress_core.storage.entropy_coding import (
    ANS,
    StreamError,
    Symbols,
    decode_symbols,
    encode_symbols,
    entropy_bits,
    frequencies,
)


def symbols_of(*values: int) -> Symbols:
    return np.array(values, np.int32)


def draw(probabilities: list[float], count: int) -> Symbols:
    rng = np.random.default_rng(0)
    return rng.choice(len(probabilities), count, p=probabilities).astype(np.int32)


@pytest.mark.parametrize(
    ("symbols", "entropy"),
    [([7, 7, 7], 0.0), ([0, 1, 2, 3], 2.0), ([0, 0, 1, 2], 1.5), ([0] * 9 + [1], 0.4690)],
)
def test_entropy_by_hand(symbols: list[int], entropy: float) -> None:
    assert entropy_bits(symbols_of(*symbols)) == pytest.approx(entropy, abs=1e-4)


@given(st.sampled_from([2, 3, 16, 255, 4096]), st.data())
def test_what_is_entropy_coded_comes_back(alphabet: int, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.integers(0, alphabet - 1), min_size=1, max_size=60))
    stream = encode_symbols(symbols_of(*values), alphabet)
    assert decode_symbols(stream, alphabet, len(values)).tolist() == values


@pytest.mark.parametrize(
    "probabilities",
    [
        [0.5, 0.5],
        [0.99, 0.01],
        [0.9999, 0.0001],
        [1 / 16] * 16,
        [0.8, *[0.2 / 15] * 15],
        (
            np.exp(-np.abs(np.arange(255) - 127) / 9)
            / np.exp(-np.abs(np.arange(255) - 127) / 9).sum()
        ),
    ],
    ids=["coin", "1 %", "0.01 %", "uniform", "80 % zeros", "laplace"],
)
def test_a_coded_stream_is_as_long_as_its_entropy(probabilities: list[float]) -> None:
    alphabet, count = len(probabilities), 200_000
    symbols = draw(probabilities, count)
    stream = encode_symbols(symbols, alphabet)
    table, entropy = 2 * alphabet, count * entropy_bits(symbols) / 8
    assert entropy - 1 <= stream.size - table <= 1.001 * entropy + 64
    assert np.array_equal(decode_symbols(stream, alphabet, count), symbols)


@pytest.mark.parametrize("count", [1, 7, 1000, 50_000])
def test_the_size_is_foretold_from_the_histogram_within_eight_bytes(count: int) -> None:
    symbols = draw([0.7, 0.1, 0.1, 0.06, 0.04], count)
    size = ANS.size(np.bincount(symbols, minlength=5))
    assert abs(size - encode_symbols(symbols, 5).size) <= 8


def test_a_constant_stream_costs_its_table_alone() -> None:
    stream = encode_symbols(np.full(10_000, 3, np.int32), 4)
    assert stream.tobytes().hex() == "000000000000ffff"
    assert (decode_symbols(stream, 4, 10_000) == 3).all()


def test_a_constant_stream_with_words_is_refused() -> None:
    stream = np.append(encode_symbols(np.full(9, 3, np.int32), 4), np.zeros(4, np.uint8))
    with pytest.raises(StreamError, match="one symbol alone has no words, not 1"):
        decode_symbols(stream, 4, 9)


def test_coded_bytes_are_pinned() -> None:
    stream = encode_symbols(symbols_of(0, 0, 0, 1, 0, 2, 0, 0), 3)
    table, words = "ffffaa2aaa2a", "0ae73f16"  # 65535, 10922, 10922 of 6, 1, 1
    assert stream.tobytes().hex() == table + words


def test_a_rare_symbol_keeps_a_frequency() -> None:
    symbols = np.zeros(1_000_000, np.int32)
    symbols[5] = 1
    assert frequencies(symbols, 3).tolist() == [65535, 1, 0]


@pytest.mark.parametrize(
    "stream",
    [b"", b"\x01\x00\x01", b"\x00\x00\x00\x00", b"\x01\x00\x01\x00\x05\x06"],
    ids=["nothing", "half a table", "an empty table", "half a word"],
)
def test_bytes_that_are_no_table_and_stream_are_refused(stream: bytes) -> None:
    with pytest.raises(StreamError, match="are no table of 2 symbols and a stream"):
        decode_symbols(np.frombuffer(stream, np.uint8), 2, 4)


def test_a_stream_with_symbols_left_over_is_refused() -> None:
    stream = encode_symbols(draw([0.5, 0.5], 1000), 2)
    with pytest.raises(StreamError, match="more than 500 symbols"):
        decode_symbols(stream, 2, 500)
