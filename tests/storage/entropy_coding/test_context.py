"""Context coding: classes pay where rows or columns differ, and cost nothing elsewhere."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from compress_core.storage.entropy_coding import (
    StreamError,
    Symbols,
    context,
    decode_context,
    encode_context,
    encode_symbols,
    entropy_bits,
)
from compress_core.storage.entropy_coding.context import (
    LEVELS,
    _histograms,
    choose_contexts,
    model_bits,
    to_levels,
)


def matrix(densities: NDArray[np.float64], alphabet: int = 15) -> Symbols:
    """Symbols that differ from the middle one with the given probabilities (rows, columns)."""
    rng = np.random.default_rng(0)
    values = rng.integers(0, alphabet, densities.shape)
    return np.where(rng.random(densities.shape) < densities, values, alphabet // 2).astype(np.int32)


def uneven(rows: int = 200, columns: int = 300) -> Symbols:
    """A quarter of the rows and half of the columns keep most of their weights."""
    row, column = np.arange(rows) % 4 == 0, np.arange(columns) % 2 == 0
    return matrix(np.where(row[:, None] & column, 0.8, 0.02))


@given(
    st.sampled_from([1, 2, 3, 31, 256]),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.floats(0, 1),
)
def test_what_is_encoded_comes_back(alphabet: int, shape: tuple[int, int], density: float) -> None:
    symbols = matrix(np.full(shape, density), alphabet)
    stream = encode_context(symbols, alphabet)
    assert np.array_equal(decode_context(stream, alphabet, shape), symbols)


def test_uneven_matrices_come_back() -> None:
    symbols = uneven()
    assert np.array_equal(decode_context(encode_context(symbols, 15), 15, symbols.shape), symbols)


def test_classes_are_found_where_rows_and_columns_differ() -> None:
    contexts = choose_contexts(uneven(), 15)
    dense_rows = np.arange(200) % 4 == 0
    assert set(contexts.rows[dense_rows]).isdisjoint(contexts.rows[~dense_rows])
    dense_columns = np.arange(300) % 2 == 0
    assert set(contexts.columns[dense_columns]).isdisjoint(contexts.columns[~dense_columns])


def test_too_large_layers_keep_the_classes_of_their_spread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(context, "MAX_CELLS", 0)
    assert choose_contexts(uneven(), 15).count > 1
    stream = encode_context(uneven(), 15)
    assert np.array_equal(decode_context(stream, 15, (200, 300)), uneven())


def test_uneven_matrices_cost_the_entropy_of_their_parts() -> None:
    symbols = uneven()
    dense = (np.arange(200) % 4 == 0)[:, None] & (np.arange(300) % 2 == 0)
    parts = [symbols[dense], symbols[~dense]]
    conditional = sum(part.size * entropy_bits(part) for part in parts) / 8
    size = encode_context(symbols, 15).size
    assert size < 1.001 * conditional + 64 + (200 + 300) / 8 + 4 * 15  # classes and four tables
    assert size < 0.8 * symbols.size * entropy_bits(symbols) / 8


def test_even_matrices_get_one_class_and_a_smaller_table_than_ans() -> None:
    symbols = matrix(np.full((100, 80), 0.1), 31)
    contexts = choose_contexts(symbols, 31)
    assert contexts.count == 1
    assert encode_context(symbols, 31).size <= encode_symbols(symbols.ravel(), 31).size - 31 + 8


@pytest.mark.parametrize("symbols", [uneven(), matrix(np.full((300, 400), 0.3))])
def test_a_stream_is_as_long_as_the_entropy_of_its_model(symbols: Symbols) -> None:
    contexts = choose_contexts(symbols, 15)
    counts = _histograms(symbols, 15, contexts)
    words = encode_context(symbols, 15).size - contexts.side_bytes - counts.size
    entropy = model_bits(counts, to_levels(counts)) / 8
    assert entropy - 1 <= words <= 1.001 * entropy + 64


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=30).filter(any))
def test_a_byte_a_frequency_is_within_three_percent(values: list[int]) -> None:
    counts = np.array([values], np.int64)
    frequency = LEVELS[to_levels(counts)]
    exact = counts / counts.max()
    rounded = frequency / LEVELS[-1]
    common = exact > 2e-5  # rarer ones get the smallest level
    assert np.allclose(rounded[common], exact[common], rtol=1 / 32)
    assert ((frequency > 0) == (counts > 0)).all()


def test_the_levels_are_small_floats() -> None:
    assert LEVELS[[0, 1, 15, 16, 17, 255]].tolist() == [0, 17, 31, 32, 34, 31 << 15]
    assert (np.diff(LEVELS[1:]) > 0).all()


def test_coded_bytes_are_pinned() -> None:
    symbols = np.array([[0, 0, 0, 1], [0, 2, 0, 0]], np.int32)
    stream = encode_context(symbols, 3)
    assert stream[:4].tobytes().hex() == "00ffd5d5"  # one class each; counts 6, 1, 1
    assert stream.size == 8


def test_a_constant_matrix_costs_its_table_alone() -> None:
    stream = encode_context(np.full((30, 40), 3, np.int32), 4)
    assert stream.tobytes().hex() == "00" + "000000ff"


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        ("", "does not begin with its classes"),
        ("40ff0000", "does not begin with its classes"),
        ("10", "0 bytes for 2 codes of 1 bits"),
        ("00ff", "no 1 tables and a stream"),
        ("00ffff0001", "no 1 tables and a stream"),
        ("00000000", "table of a context of 4 symbols is empty"),
        ("00ff000001000000", "more than 2 x 2 symbols"),
    ],
)
def test_bytes_that_are_no_contexts_are_refused(stream: str, words: str) -> None:
    with pytest.raises(StreamError, match=words):
        decode_context(np.frombuffer(bytes.fromhex(stream), np.uint8), 3, (2, 2))
