"""Symbols at a fixed width: every byte by hand, and all of them come back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress_core.storage.entropy_coding import StreamError, Symbols, bits_for, pack, unpack

WIDTHS = range(1, 17)


def symbols_of(*values: int) -> Symbols:
    return np.array(values, np.int32)


@pytest.mark.parametrize(
    ("symbols", "bits", "expected"),
    [
        ([1, 0, 1, 1], 1, "b0"),  # 1011 0000
        ([5, 3], 3, "ac"),  # 101 011 00
        ([1, 2, 3], 4, "1230"),
        ([31, 0, 1], 5, "f802"),  # 11111 000 00 00001 0
        ([255, 1], 8, "ff01"),
        ([2047, 1], 11, "ffe004"),  # 11111111 111 00000 000001 00
        ([1, 65535], 16, "0001ffff"),
    ],
)
def test_packed_bytes_by_hand(symbols: list[int], bits: int, expected: str) -> None:
    assert pack(symbols_of(*symbols), bits).tobytes().hex() == expected


@given(st.sampled_from(WIDTHS), st.data())
def test_what_is_packed_comes_back(bits: int, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.integers(0, 2**bits - 1), max_size=40))
    stream = pack(symbols_of(*values), bits)
    assert stream.size == -(-len(values) * bits // 8)
    assert unpack(stream, bits, len(values)).tolist() == values


@pytest.mark.parametrize("bits", WIDTHS)
def test_a_packed_stream_of_another_length_is_refused(bits: int) -> None:
    stream = pack(np.zeros(16, np.int32), bits)
    with pytest.raises(StreamError, match=f"bytes for 32 codes of {bits} bits, not {4 * bits}"):
        unpack(stream, bits, 32)


@pytest.mark.parametrize(
    ("alphabet", "bits"), [(1, 1), (2, 1), (3, 2), (4, 2), (31, 5), (32, 5), (33, 6), (2**16, 16)]
)
def test_an_alphabet_needs_its_logarithm_in_bits(alphabet: int, bits: int) -> None:
    assert bits_for(alphabet) == bits
