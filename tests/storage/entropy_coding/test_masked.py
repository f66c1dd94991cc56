"""Masks beside packed symbols: bytes by hand, round trips, and damage that is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress_core.storage.entropy_coding import ANS, StreamError, decode_masked, encode_masked
from compress_core.storage.entropy_coding.masked import masked_size
from compress_core.storage.entropy_coding.packing import BIT, SymbolCoder
from compress_core.storage.entropy_coding.survey import Survey

CODERS = pytest.mark.parametrize("coder", [BIT, ANS], ids=["packed", "ans"])


def test_a_stream_by_hand() -> None:
    symbols = np.array([9, 9, 3, 9, 15, 9, 9, 9, 9], np.int32)
    # usual 9, 2 bytes of mask, others 3 and 15 in 4 bits each
    assert encode_masked(symbols, 16).tolist() == [9, 0, 2, 0, 0, 0, 0b00101000, 0, 0x3F]


@CODERS
@given(values=st.lists(st.sampled_from([0, 0, 0, 7, 300, 65535]), min_size=1, max_size=60))
def test_symbols_of_sixteen_bits_come_back(coder: SymbolCoder, values: list[int]) -> None:
    symbols = np.array(values, np.int32)
    stream = encode_masked(symbols, 2**16, coder=coder)
    assert np.array_equal(decode_masked(stream, 2**16, len(values), coder=coder), symbols)
    assert abs(masked_size(Survey(symbols, 2**16), coder=coder) - stream.size) <= 8


def test_the_size_of_a_packed_mask_is_exact() -> None:
    symbols = np.arange(100, dtype=np.int32) // 60
    assert masked_size(Survey(symbols, 5)) == encode_masked(symbols, 5).size


STREAM = encode_masked(np.array([2, 2, 0, 1], np.int32), 3)


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (STREAM[:5], "5 bytes are less than the 6 of a header"),
        (STREAM[:-1], "0 bytes for 2 codes of 2 bits"),
        (np.append(STREAM, np.uint8(0)), "2 bytes for 2 codes"),
        (np.array([3, *STREAM[1:]], np.uint8), "a symbol 3 is none of the 3"),
    ],
)
def test_damage_is_refused(stream: np.ndarray, words: str) -> None:
    with pytest.raises(StreamError, match=words):
        decode_masked(stream, 3, 4)
