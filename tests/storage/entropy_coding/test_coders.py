"""The table of codes: each gives every matrix back, and the smallest is never above packed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress_core.storage.entropy_coding import (
    CODERS,
    Symbols,
    bits_for,
    encode_all,
    encode_smallest,
)
from compress_core.storage.entropy_coding.survey import Survey

MATRICES = st.builds(
    lambda alphabet, shape, density, seed: (alphabet, draw(alphabet, shape, density, seed)),
    st.sampled_from([1, 2, 3, 15, 31, 256, 257, 4096, 65535]),
    st.tuples(st.integers(1, 30), st.integers(1, 30)),
    st.sampled_from([0.0, 0.01, 0.1, 0.5, 1.0]),
    st.integers(0, 9),
)


def draw(alphabet: int, shape: tuple[int, int], density: float, seed: int) -> Symbols:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, alphabet, shape)
    return np.where(rng.random(shape) < density, values, 0).astype(np.int32)


@given(MATRICES)
def test_every_code_gives_the_matrix_back(drawn: tuple[int, Symbols]) -> None:
    alphabet, symbols = drawn
    for name, stream in encode_all(symbols, alphabet).items():
        decoded = CODERS[name].decode(stream, alphabet, symbols.shape)
        assert np.array_equal(decoded, symbols), name


@given(MATRICES)
def test_packed_always_applies_and_bounds_the_smallest(drawn: tuple[int, Symbols]) -> None:
    alphabet, symbols = drawn
    streams = encode_all(symbols, alphabet)
    assert min(stream.size for stream in streams.values()) <= -(
        -symbols.size * bits_for(alphabet) // 8
    )


@given(MATRICES)
def test_the_smallest_is_found_without_trying_all(drawn: tuple[int, Symbols]) -> None:
    alphabet, symbols = drawn
    sizes = {name: stream.size for name, stream in encode_all(symbols, alphabet).items()}
    name, stream = encode_smallest(symbols, alphabet)
    assert name == min(sizes, key=sizes.__getitem__)
    assert np.array_equal(stream, CODERS[name].encode(symbols, alphabet))


@given(MATRICES)
def test_no_stream_is_below_what_its_code_needs_at_least(drawn: tuple[int, Symbols]) -> None:
    alphabet, symbols = drawn
    for name, stream in encode_all(symbols, alphabet).items():
        for bound in CODERS[name].bounds:
            assert bound(Survey(symbols, alphabet)) <= stream.size, name


@pytest.mark.parametrize(
    ("alphabet", "absent"),
    [
        (256, set()),
        (257, {"context", "adaptive"}),
        (4097, set(CODERS) - {"packed", "masked", "masked_ans"}),
    ],
)
def test_large_alphabets_are_left_to_codes_with_small_tables(
    alphabet: int, absent: set[str]
) -> None:
    assert set(CODERS) - set(encode_all(np.zeros((2, 2), np.int32), alphabet)) == absent


@pytest.mark.parametrize("name", CODERS)
@given(st.binary(max_size=40))
def test_no_bytes_make_a_decoder_return_a_symbol_outside_its_alphabet(
    name: str, raw: bytes
) -> None:
    try:
        symbols = CODERS[name].decode(np.frombuffer(raw, np.uint8), 4, (3, 4))
    except ValueError:  # StreamError, or the coder's own
        return
    assert symbols.shape == (3, 4)
    assert symbols.min() >= 0
    assert symbols.max() < 4
