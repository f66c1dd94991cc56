"""Streams of small whole numbers: packed at fixed width, or coded by how often they occur.

packing   k bits a symbol, and the types of all streams
ans       the histogram as a model, and as near to its entropy as counts
huffman   whole bits a symbol, canonical, with its table; its tree, to be drawn
gap       Deep Compression's distances between kept weights
masked    a bit a symbol for the usual one, the others packed
context   ANS with a model for each class of rows and columns
adaptive  a range coder whose model is what it has coded so far
survey    histograms that several of them look at
coders    the table of them all
"""

from compress_core.storage.entropy_coding.adaptive import decode_adaptive, encode_adaptive
from compress_core.storage.entropy_coding.ans import (
    ANS,
    MAX_ALPHABET,
    decode_symbols,
    encode_symbols,
    entropy_bits,
    frequencies,
)
from compress_core.storage.entropy_coding.coders import (
    CODERS,
    MatrixCoder,
    encode_all,
    encode_smallest,
)
from compress_core.storage.entropy_coding.context import decode_context, encode_context
from compress_core.storage.entropy_coding.gap import decode_gap, encode_gap, relative_index
from compress_core.storage.entropy_coding.huffman import (
    HUFFMAN,
    HuffmanNode,
    canonical_codes,
    code_lengths,
    decode_huffman,
    encode_huffman,
    huffman_tree,
)
from compress_core.storage.entropy_coding.masked import decode_masked, encode_masked
from compress_core.storage.entropy_coding.packing import (
    Bytes,
    StreamError,
    SymbolCoder,
    Symbols,
    bits_for,
    pack,
    unpack,
)

__all__ = [
    "ANS",
    "CODERS",
    "HUFFMAN",
    "MAX_ALPHABET",
    "Bytes",
    "HuffmanNode",
    "MatrixCoder",
    "StreamError",
    "SymbolCoder",
    "Symbols",
    "bits_for",
    "canonical_codes",
    "code_lengths",
    "decode_adaptive",
    "decode_context",
    "decode_gap",
    "decode_huffman",
    "decode_masked",
    "decode_symbols",
    "encode_adaptive",
    "encode_all",
    "encode_context",
    "encode_gap",
    "encode_huffman",
    "encode_masked",
    "encode_smallest",
    "encode_symbols",
    "entropy_bits",
    "frequencies",
    "huffman_tree",
    "pack",
    "relative_index",
    "unpack",
]
