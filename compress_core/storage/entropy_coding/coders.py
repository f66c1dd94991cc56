"""The one table of the codes that a stored weight may use, and the choice of the smallest."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from compress_core.storage.entropy_coding.adaptive import (
    MAX_LINES,
    decode_adaptive,
    encode_adaptive,
)
from compress_core.storage.entropy_coding.ans import ANS, MAX_ALPHABET
from compress_core.storage.entropy_coding.context import decode_context, encode_context
from compress_core.storage.entropy_coding.gap import (
    decode_gap,
    encode_gap,
    gap_size,
    least_gap_size,
)
from compress_core.storage.entropy_coding.huffman import HUFFMAN
from compress_core.storage.entropy_coding.masked import decode_masked, encode_masked, masked_size
from compress_core.storage.entropy_coding.packing import (
    BIT,
    Bytes,
    Decode,
    Encode,
    SymbolCoder,
    Symbols,
    bits_for,
    pack,
    unpack,
)
from compress_core.storage.entropy_coding.survey import Survey

Shape = tuple[int, int]
Bound = Callable[[Survey], int]  # bytes that a stream has at least

MAX_KEPT = 2**13  # symbols other than the usual one that the adaptive code is tried on unasked


@dataclass(frozen=True)
class MatrixCoder:
    """A code for matrices of symbols in [0, alphabet), for alphabets up to `max_alphabet` and for
    matrices of up to `max_lines` rows and columns together.

    encode(symbols (rows, columns), alphabet) → stream; decode(stream, alphabet, shape) → symbols,
    or a StreamError. `bounds` are lower bounds on the stream's bytes, much faster than encoding,
    the fastest first. `max_kept`: with more symbols other than the most frequent one encoding takes
    too long to be tried in search of the smallest stream.
    """

    encode: Encode
    decode: Callable[[Bytes, int, Shape], Symbols]
    max_alphabet: int
    bounds: tuple[Bound, ...] = ()
    max_lines: int | None = None
    max_kept: int | None = None

    def takes(self, alphabet: int, shape: Shape) -> bool:
        """Whether it codes matrices of this alphabet and shape."""
        is_short = self.max_lines is None or sum(shape) <= self.max_lines
        return alphabet <= self.max_alphabet and is_short

    def is_worth_trying(self, survey: Survey) -> bool:
        """Whether it is tried in search of the smallest stream."""
        return self.max_kept is None or survey.kept <= self.max_kept

    def may_reach(self, size: int, survey: Survey) -> bool:
        """Whether its stream may be as small as this."""
        return all(bound(survey) <= size for bound in self.bounds)


def _row_major(
    encode: Encode, decode: Decode, *bounds: Bound, max_alphabet: int = MAX_ALPHABET
) -> MatrixCoder:
    """A code of symbols one after the other."""

    def encode_rows(symbols: Symbols, alphabet: int) -> Bytes:
        return encode(symbols.ravel(), alphabet)

    def decode_rows(stream: Bytes, alphabet: int, shape: Shape) -> Symbols:
        return decode(stream, alphabet, shape[0] * shape[1]).reshape(shape)

    return MatrixCoder(encode_rows, decode_rows, max_alphabet, bounds)


def _of_histogram(coder: SymbolCoder) -> MatrixCoder:
    return _row_major(
        coder.encode,
        coder.decode,
        lambda survey: coder.least(survey.counts),
        lambda survey: coder.size(survey.counts) - coder.slack,
    )


def _of_gaps(coder: SymbolCoder) -> MatrixCoder:
    return _row_major(
        partial(encode_gap, coder=coder),
        partial(decode_gap, coder=coder),
        lambda survey: least_gap_size(survey, coder),
        lambda survey: gap_size(survey, coder) - 2 * coder.slack,  # two streams
    )


def _of_masks(coder: SymbolCoder) -> MatrixCoder:
    return _row_major(
        partial(encode_masked, coder=coder),
        partial(decode_masked, coder=coder),
        lambda survey: masked_size(survey, coder=coder) - coder.slack,
        max_alphabet=2**16,
    )


def _pack(symbols: Symbols, alphabet: int) -> Bytes:
    return pack(symbols, bits_for(alphabet))


def _unpack(stream: Bytes, alphabet: int, count: int) -> Symbols:
    return unpack(stream, bits_for(alphabet), count)


def _packed_size(survey: Survey) -> int:
    return -(-survey.symbols.size * bits_for(survey.alphabet) // 8)


CODERS: dict[str, MatrixCoder] = {
    "packed": _row_major(_pack, _unpack, _packed_size, max_alphabet=2**16),
    "ans": _of_histogram(ANS),
    # its tables, one for each pair of classes, cost larger alphabets more than they save
    "context": MatrixCoder(encode_context, decode_context, 256),
    "huffman": _of_histogram(HUFFMAN),
    "gap_ans": _of_gaps(ANS),
    "gap_huffman": _of_gaps(HUFFMAN),
    "masked": _of_masks(BIT),
    "masked_ans": _of_masks(ANS),
    # two histograms of the alphabet for each kept symbol that is coded
    "adaptive": MatrixCoder(
        encode_adaptive, decode_adaptive, 256, max_lines=MAX_LINES, max_kept=MAX_KEPT
    ),
}


Coders = Mapping[str, MatrixCoder]


def fitting_coders(alphabet: int, shape: Shape, coders: Coders = CODERS) -> Coders:
    """The codes that take symbols of this alphabet and shape; "packed" takes all of up to 2¹⁶."""
    return {name: coder for name, coder in coders.items() if coder.takes(alphabet, shape)}


def encode_all(symbols: Symbols, alphabet: int, coders: Coders = CODERS) -> dict[str, Bytes]:
    """The streams of a matrix of symbols (rows, columns) in every code that takes it."""
    fitting = fitting_coders(alphabet, symbols.shape, coders)
    return {name: coder.encode(symbols, alphabet) for name, coder in fitting.items()}


def encode_smallest(symbols: Symbols, alphabet: int, coders: Coders = CODERS) -> tuple[str, Bytes]:
    """The smallest of `encode_all`, of equal ones the first, and the name of its code.

    Those of which nothing is known beforehand come first: they are the most often the smallest.
    Then a code that cannot be as small as the best so far is not tried; nor is any that takes too
    long.
    """
    survey = Survey(symbols, alphabet)
    fitting = list(fitting_coders(alphabet, symbols.shape, coders).items())
    best: tuple[int, int, Bytes] | None = None
    for place, (_, coder) in sorted(enumerate(fitting), key=lambda entry: bool(entry[1][1].bounds)):
        if not coder.is_worth_trying(survey):
            continue
        if best is None or coder.may_reach(best[0], survey):
            stream = coder.encode(symbols, alphabet)
            if best is None or (stream.size, place) < best[:2]:
                best = stream.size, place, stream
    assert best is not None, "packed takes every alphabet"
    return fitting[best[1]][0], best[2]
