"""Reads a stored file of Compress Explorer with Python (3.9 or newer) and numpy alone.

    python lone_decoder.py model.cx                    lists the tensors
    python lone_decoder.py model.cx out.safetensors    writes them, dense; or out.npz

    from lone_decoder import decode
    weights = decode(open("model.cx", "rb").read())    # {key: numpy array}

This file stands alone: copy it beside your models. It was written from the section "The stored
file" of the project's README; numbers in brackets, such as [14], are the points there. It reads
both forms: the compact one (.cx, version 2) and the readable one (safetensors, version 1).

A damaged file is refused with a ValueError that says why. Weights come back bit for bit as they
were measured, as float32; of the other tensors bfloat16, float16 and the 8-bit floats become
float32. A layer in factors has the keys L.0.weight, L.1.weight, …, to be applied in this order. A
weight of several names stands under each of them in the file that is written.
"""

import hashlib
import json
import math
import sys
import zipfile
import zlib
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]
Coder = Callable[[Array, int, Shape], Array]  # stream, alphabet, (rows, columns) → symbols
Entry = dict[str, Any]  # of a weight: its encoding, shape and settings [4]
Streams = dict[str, Array]  # of a weight, by their names there

MAX_WEIGHTS = 2**28  # [3]: a few bytes can stand for a constant weight of any size
MAX_DIMENSIONS = 64
MAX_TEXT = 2**26  # bytes of names: a few deflated ones could stand for any number


class DecodeError(ValueError):
    """The file is no stored file, of another version, truncated or damaged."""


class Content(NamedTuple):
    """What a file holds. Each tensor stands once; `tied` are further keys of it, `inputs` the bits
    that inputs of layers are rounded to [15], `stored_as` the encoding or type in the file."""

    model: str
    recipe: Any
    tensors: dict[str, Array]
    tied: dict[str, list[str]]
    inputs: dict[str, int]
    stored_as: dict[str, str]


def decode(raw: bytes) -> dict[str, Array]:
    """The tensors of a stored file by key, dense. Raises ValueError for any other bytes."""
    return read(raw).tensors


def read(raw: bytes) -> Content:
    """All that a stored file holds. Raises ValueError for any other bytes."""
    try:
        with np.errstate(all="ignore"):
            return read_compact(raw) if raw[:2] == b"cx" else read_readable(raw)
    except DecodeError:
        raise
    except (ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError) as error:
        raise DecodeError(f"the file contradicts itself: {error!r}") from error
    except (TypeError, ValueError, zlib.error) as error:
        raise DecodeError(f"the file contradicts itself: {error}") from error


def check(is_true: bool, message: str) -> None:
    """Raise DecodeError with this message, unless it is true."""
    if not is_true:
        raise DecodeError(message)


def is_whole(number: Any) -> bool:
    return type(number) is int and number > 0


# Tensors as they are. Their types: name in safetensors, name in torch, numpy's type of the bytes;
# in the order of the numbers in [20].
TYPES = {
    "BOOL": ("bool", "?"),
    "U8": ("uint8", "u1"),
    "I8": ("int8", "i1"),
    "U16": ("uint16", "<u2"),
    "I16": ("int16", "<i2"),
    "U32": ("uint32", "<u4"),
    "I32": ("int32", "<i4"),
    "U64": ("uint64", "<u8"),
    "I64": ("int64", "<i8"),
    "F16": ("float16", "<u2"),
    "BF16": ("bfloat16", "<u2"),
    "F32": ("float32", "<f4"),
    "F64": ("float64", "<f8"),
    "C64": ("complex64", "<c8"),
    "F8_E4M3": ("float8_e4m3fn", "u1"),
    "F8_E5M2": ("float8_e5m2", "u1"),
}
FLOAT_TYPES = "F32", "BF16", "F16"  # of a weight's floats, by the numbers in [21]


def tensor_of(raw: bytes, kind: str, shape: Shape) -> Array:
    """Bytes of a type of TYPES as an array, row-major."""
    bits = np.frombuffer(raw, TYPES[kind][1])
    return widen(bits.astype(bits.dtype.newbyteorder("=")), kind).reshape(shape)


def widen(bits: Array, kind: str) -> Array:
    """Bit patterns of the small floats as float32; of other types the values as they are."""
    if kind == "BF16":  # the upper half of a float32
        return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)
    if kind == "F8_E5M2":  # the upper half of a float16
        kind, bits = "F16", bits.astype(np.uint16) << np.uint16(8)
    if kind == "F16":
        return bits.view(np.float16).astype(np.float32)
    return e4m3_values()[bits] if kind == "F8_E4M3" else bits


def e4m3_values() -> Array:
    """The 256 numbers of F8_E4M3: a sign, 4 bits of exponent (bias 7), 3 of fraction. It has no
    infinity; all bits but the sign set is NaN."""
    exponent, fraction = np.arange(128) // 8, np.arange(128) % 8 / 8
    normal = (1 + fraction) * 2.0 ** (exponent - 7)
    positive = np.where(exponent > 0, normal, fraction * 2.0**-6)
    positive[127] = np.nan
    return np.concatenate([positive, -positive]).astype(np.float32)


def byte_count(kind: str, shape: Shape) -> int:
    check(len(shape) <= MAX_DIMENSIONS, f"{len(shape)} dimensions are more than {MAX_DIMENSIONS}")
    return math.prod(shape) * np.dtype(TYPES[kind][1]).itemsize


# The coders. Each turns bytes into symbols in [0, alphabet), the rows of a matrix one after the
# other, and refuses bytes that are not exactly those of so many symbols.


def unpack(stream: Array, bits: int, count: int) -> Array:
    """`count` numbers of so many bits each, the most significant bit first [9]."""
    check(stream.size == -(-count * bits // 8), f"{stream.size} bytes for {count} x {bits} bits")
    digits = np.unpackbits(stream, count=count * bits).reshape(count, bits)
    numbers = np.zeros(count, np.int32)
    for place in range(bits):
        numbers = numbers * np.int32(2) + digits[:, place]
    return numbers


def bits_for(alphabet: int) -> int:
    return max(1, (alphabet - 1).bit_length())


def decode_packed(stream: Array, alphabet: int, shape: Shape) -> Array:
    return unpack(stream, bits_for(alphabet), math.prod(shape))


def bounds_of(weights: Array) -> Array:
    """The whole numbers, n + 1 in 0 … 2²⁴, between which each of n symbols lies [25].

    That is `Categorical(p, perfect=False)` of constriction 0.5. weights: (…, n), n at least 2.
    """
    p = weights / weights.sum(-1, keepdims=True, dtype=np.float64)
    n = p.shape[-1]
    sums = np.zeros((*p.shape[:-1], n + 1))
    np.cumsum(p, -1, out=sums[..., 1:])
    bounds = np.arange(n + 1) + np.floor(sums * ((2**24 - n) / sums[..., -1:])).astype(np.int64)
    bounds[..., -1] = 2**24
    return np.asarray(bounds)


class AnsReader:
    """ANS words, read from the last to the first, as the AnsCoder of constriction 0.5 does [10].

    The state begins as the last two words, the last one higher. Its lowest 24 bits lie between the
    bounds of the next symbol.
    """

    def __init__(self, stream: Array) -> None:
        check(stream.size % 4 == 0, f"{stream.size} bytes are no words of 32 bits")
        self.words: list[int] = stream.view("<u4").tolist()
        check(not self.words or self.words[-1] > 0, "the last word of an ANS stream is 0")
        self.state = 0
        while self.words and self.state < 2**32:
            self.state = self.state << 32 | self.words.pop()

    def symbols(self, weights: Array, count: int) -> Array:
        """`count` symbols of n with these weights (n,), n at least 2."""
        bounds: list[int] = bounds_of(weights).tolist()
        found, state, words = np.empty(count, np.int32), self.state, self.words
        for i in range(count):
            quantile = state & 0xFFFFFF
            symbol = bisect_right(bounds, quantile) - 1
            low = bounds[symbol]
            state = (state >> 24) * (bounds[symbol + 1] - low) + quantile - low
            if state < 2**32 and words:
                state = state << 32 | words.pop()
            found[i] = symbol
        self.state = state
        return found

    def finish(self) -> None:
        check(self.state == 0 and not self.words, "an ANS stream holds more symbols than it should")


def decode_ans(stream: Array, alphabet: int, shape: Shape) -> Array:
    """[10]"""
    count = math.prod(shape)
    check(stream.size >= 2 * alphabet, f"{stream.size} bytes are no table of {alphabet} symbols")
    frequencies, reader = stream[: 2 * alphabet].view("<u2"), AnsReader(stream[2 * alphabet :])
    used = np.flatnonzero(frequencies).astype(np.int32)
    check(used.size > 0, "no symbol has a frequency")
    several = used.size > 1
    found = used[reader.symbols(frequencies[used], count)] if several else used.repeat(count)
    reader.finish()
    return found


def decode_huffman(stream: Array, alphabet: int, shape: Shape) -> Array:
    """[11]"""
    count, table = math.prod(shape), -(-alphabet // 2)
    lengths = unpack(stream[:table], 4, alphabet)
    used = np.flatnonzero(lengths).astype(np.int32)
    if used.size < 2:
        check(stream.size == table and used.size > 0, "no code, or codes of one symbol alone")
        return used.repeat(count)
    longest = int(lengths.max())
    order = used[np.argsort(lengths[used], kind="stable")]
    spans = 1 << (longest - lengths[order])  # how many of the next `longest` bits begin with it
    check(spans.sum() == 1 << longest, "the code lengths make no complete code")
    symbols, widths = order.repeat(spans).tolist(), lengths.tolist()
    codes, found, at = stream[table:].tobytes(), np.empty(count, np.int32), 0
    padded = codes + bytes(3)
    for i in range(count):
        window = int.from_bytes(padded[at >> 3 : (at >> 3) + 3], "big") << (at & 7) & 0xFFFFFF
        found[i] = symbol = symbols[window >> (24 - longest)]
        at += widths[symbol]
    check(-(-at // 8) == len(codes), f"the codes are not those of {count} symbols")
    return found


def split_fields(stream: Array, *types: str) -> tuple[list[int], Array]:
    """The whole numbers of these types at the beginning, and what follows."""
    layout = np.dtype([(str(i), kind) for i, kind in enumerate(types)])
    check(stream.size >= layout.itemsize, f"{stream.size} bytes end before their header does")
    head = stream[: layout.itemsize].view(layout)[0]
    return [int(number) for number in head], stream[layout.itemsize :]


def decode_gaps(stream: Array, alphabet: int, shape: Shape, *, coder: Coder) -> Array:
    """[12]"""
    (bits, usual, entries, gap_bytes), body = split_fields(stream, "u1", "<u2", "<u4", "<u4")
    count = math.prod(shape)
    check(2 <= bits <= 8 and entries <= count, "a header of gaps that cannot be")
    found = np.full(count, usual, np.int32)
    if entries == 0:
        check(body.size == 0, "bytes follow a stream of one symbol alone")
        return found
    gaps = coder(body[:gap_bytes], 2**bits, (1, entries))
    places = np.cumsum(gaps.astype(np.int64) + 1) - 1
    check(int(places[-1]) < count, f"an entry stands at {places[-1]} of {count} symbols")
    found[places] = coder(body[gap_bytes:], alphabet, (1, entries))
    return found


def decode_masked(stream: Array, alphabet: int, shape: Shape, *, coder: Coder) -> Array:
    """[13]"""
    (usual, mask_bytes), body = split_fields(stream, "<u2", "<u4")
    others = coder(body[:mask_bytes], 2, shape) == 1
    found = np.full(math.prod(shape), usual, np.int32)
    found[others] = unpack(body[mask_bytes:], bits_for(alphabet), int(others.sum()))
    return found


def decode_context(stream: Array, alphabet: int, shape: Shape) -> Array:
    """[14]"""
    ((classes,), _), (rows, columns) = split_fields(stream, "u1"), shape
    row_bits, column_bits = divmod(classes, 16)
    check(max(row_bits, column_bits) <= 3, "more than 8 classes of rows or columns")
    rows_end = 1 + -(-rows * row_bits // 8)
    columns_end = rows_end + -(-columns * column_bits // 8)
    row_classes = unpack(stream[1:rows_end], row_bits, rows)
    column_classes = unpack(stream[rows_end:columns_end], column_bits, columns)
    contexts = 1 << (row_bits + column_bits)
    tables_end = columns_end + contexts * alphabet
    levels = stream[columns_end:tables_end].reshape(contexts, alphabet).astype(np.int64)
    tables = np.where(levels > 0, (16 + levels % 16) << (levels // 16), 0)
    context = ((row_classes << column_bits)[:, None] + column_classes).astype(np.uint8).ravel()
    found, reader = np.empty(rows * columns, np.int32), AnsReader(stream[tables_end:])
    for number, table in enumerate(tables):
        places, used = np.flatnonzero(context == number), np.flatnonzero(table)
        check(used.size > 0 or places.size == 0, f"the table of context {number} is empty")
        if used.size > 1:
            found[places] = used[reader.symbols(table[used], places.size)]
        elif places.size:
            found[places] = used[0]
    reader.finish()
    return found


class RangeReader:
    """The words of a range coder [25]: `offset` is P − L there, `width` is R."""

    def __init__(self, body: bytes) -> None:
        self.words = np.frombuffer(body + bytes(-len(body) % 4), ">u4").tolist()[::-1]
        self.width = 2**64 - 1
        self.offset = self.next_word() << 32 | self.next_word()

    def next_word(self) -> int:
        return int(self.words.pop()) if self.words else 0

    def symbol(self, bounds: list[int]) -> int:
        """The next symbol of n, which lie between these bounds (n + 1)."""
        unit = self.width >> 24
        quantile = self.offset // unit
        check(quantile < 2**24, "the bytes are none of a range coder")
        found = bisect_right(bounds, quantile) - 1
        self.offset -= unit * bounds[found]
        self.width = unit * (bounds[found + 1] - bounds[found])
        if self.width < 2**32:
            self.width, self.offset = self.width << 32, self.offset << 32 | self.next_word()
        return found


class Factor:
    """How many flags of each class were 1, over how many were expected to be; in 65536ths [28]."""

    def __init__(self, classes: int) -> None:
        self.ones, self.expected = np.full((2, classes), 6.0 * 65536)

    def apply(self, chances: Array, classes: Array) -> Array:
        scaled = (chances * (self.ones[classes] / self.expected[classes])).astype(np.int64)
        return np.asarray(np.clip(scaled, 16, 63488))

    def learn(self, chances: Array, classes: Array, flags: Array) -> None:
        self.ones += np.bincount(classes, 65536.0 * flags, self.ones.size)
        self.expected += np.bincount(classes, chances, self.ones.size)


STEPS = np.array([(4 + i % 4) << (i // 4) for i in range(60)], np.int64)  # [28]


class AdaptiveReader:
    """What the adaptive coder has seen so far, and what it reads by that."""

    def __init__(self, body: bytes, alphabet: int, usual: int, outputs: int) -> None:
        self.reader, self.ones, self.seen = RangeReader(body), 0, 0
        self.by_output, self.by_near, self.by_chance = Factor(outputs), Factor(16), Factor(61)
        self.histogram = 512 // (2 * np.abs(np.arange(alphabet) - usual) + 1)
        self.histogram[usual] = 1
        self.beside = np.zeros((alphabet, alphabet), np.int64)

    def live_lines(self, count: int) -> Array:
        """Which inputs, or outputs, have a symbol other than the usual one [26]."""
        times, before, live = np.ones((4, 2)), 0, list[int]()
        for _ in range(count):
            flag = self.reader.symbol(bounds_of(times[before]).tolist())
            times[before, flag] += 2
            before = (2 * before + flag) % 4
            live.append(flag)
        return np.flatnonzero(live)

    def flags(self, outputs: Array, by_input: Factor, near: Array) -> Array:
        """Which symbols of a block are kept [28]; `near` (n,) tells which neighbours are."""
        chances = np.full(outputs.size, 65536 * (2 * self.ones + 1) // (2 * self.seen + 4))
        factors = (self.by_output, outputs), (by_input, np.zeros_like(near)), (self.by_near, near)
        uses = []
        for factor, classes in factors:
            uses.append((factor, chances, classes))
            chances = factor.apply(chances, classes)
        classes = np.searchsorted(STEPS, chances, side="right")
        uses.append((self.by_chance, chances, classes))
        chances = self.by_chance.apply(chances, classes)
        bounds = bounds_of(np.stack([65536 - chances, chances], -1)).tolist()
        found = np.array([self.reader.symbol(bound) for bound in bounds], bool)
        for factor, before, classes in uses:
            factor.learn(before, classes, found)
        self.ones, self.seen = self.ones + int(found.sum()), self.seen + found.size
        return found

    def kept(self, neighbours: Array) -> Array:
        """The kept symbols of a block, which have these neighbours (n,) [29]."""
        shared = 1 + 2048 * self.histogram // self.histogram.sum()
        bounds = bounds_of(shared + self.beside[neighbours])
        found = np.array([self.reader.symbol(bound.tolist()) for bound in bounds], np.int64)
        np.add.at(self.histogram, found, 256)
        np.add.at(self.beside, (neighbours, found), 256)
        return found


def look_around(live: Array, i: int, usual: int, width: int) -> tuple[Array, Array]:
    """Which neighbours before input i are kept, a bit each, and the symbol of the first of them."""
    near, nearest = np.zeros(live.shape[1], np.int64), np.full(live.shape[1], usual)
    for bit, distance in ((3, width - 1), (2, width + 1), (1, width), (0, 1)):
        row = live[i - distance] if distance <= i else nearest * 0 + usual
        near += (row != usual) << np.int64(bit)
        nearest = np.where(row != usual, row, nearest)
    return near, nearest


def decode_adaptive(stream: Array, alphabet: int, shape: Shape) -> Array:
    """[25] to [27]"""
    (usual, width), body = split_fields(stream, "u1", "u1")
    check(usual < alphabet and width >= 2, "it does not begin with a symbol and a width")
    check(sum(shape) <= 2**14, f"{shape[0]} x {shape[1]} symbols have too many lines")
    model = AdaptiveReader(body.tobytes(), alphabet, usual, shape[0])
    inputs = model.live_lines(shape[1])
    outputs = model.live_lines(shape[0])
    model.by_output = Factor(outputs.size)
    block = 16
    while block < outputs.size and inputs.size * -(-outputs.size // block) > 1024:
        block *= 2
    live = np.full((shape[1], outputs.size), usual, np.int32)  # (inputs, live outputs)
    for i in inputs.tolist():
        (near, nearest), by_input = look_around(live, i, usual, width), Factor(1)
        for start in range(0, outputs.size, block):
            part = np.arange(start, min(start + block, outputs.size))
            kept = part[model.flags(part, by_input, near[part])]
            live[i, kept] = model.kept(nearest[kept])
    check(not model.reader.words, "an adaptive stream holds more symbols than it should")
    found = np.full(shape, usual, np.int32)
    found[outputs] = live.T
    return found.ravel()


# The name of a coder: the coder, and its largest alphabet. In the order of the numbers in [21].
CODERS: dict[str, tuple[Coder, int]] = {
    "packed": (decode_packed, 2**16),
    "ans": (decode_ans, 4096),
    "context": (decode_context, 256),
    "huffman": (decode_huffman, 4096),
    "gap_ans": (partial(decode_gaps, coder=decode_ans), 4096),
    "gap_huffman": (partial(decode_gaps, coder=decode_huffman), 4096),
    "masked": (partial(decode_masked, coder=decode_packed), 2**16),
    "masked_ans": (partial(decode_masked, coder=decode_ans), 2**16),
    "adaptive": (decode_adaptive, 256),
}


def read_symbols(stream: Array, coder: str, alphabet: int, shape: Shape) -> Array:
    """The symbols of a weight as a matrix (shape[0], all others) [6]."""
    decode_stream, largest = CODERS[coder]
    check(1 <= alphabet <= largest, f"{coder} takes no alphabet of {alphabet} symbols")
    check(stream.dtype == np.uint8 and stream.ndim == 1, "the codes are no list of bytes")
    matrix = shape[0], math.prod(shape[1:])
    found = decode_stream(stream, alphabet, matrix)
    check(int(found.max()) < alphabet, f"a symbol lies beyond the {alphabet} of the alphabet")
    return found.reshape(matrix)


# Weights: from an entry and its streams to float32.

# [8]: formats that are types of TYPES, and those that are tables
FORMATS = {"fp16": "F16", "bf16": "BF16", "fp8_e4m3": "F8_E4M3", "fp8_e5m2": "F8_E5M2"}
E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], np.float32)
NF4 = [-1, -0.6961928, -0.52507305, -0.3949175, -0.28444138, -0.18477343, -0.091050036, 0]
NF4 += [0.0795803, 0.1609302, 0.2461123, 0.33791524, 0.44070983, 0.562617, 0.72295684, 1]
TABLES = {"fp4_e2m1": np.concatenate([E2M1, -E2M1]), "nf4": np.array(NF4, np.float32)}
# [8], `mx_`: bits of a code, of its fraction, bias, how many numbers, weights of a block
BLOCKS = {
    "mxfp8_e4m3": (8, 3, 7, 127, 32),
    "mxfp8_e5m2": (8, 2, 15, 124, 32),
    "mxfp6_e2m3": (6, 3, 1, 32, 32),
    "mxfp6_e3m2": (6, 2, 3, 32, 32),
    "mxfp4": (4, 1, 1, 8, 32),
    "mxint8": (8, 7, 0, 128, 32),
    "nvfp4": (4, 1, 1, 8, 16),
}
STREAMS = {
    "dense": {"weight"},
    "mask": {"mask", "kept"},
    "affine": {"codes", "scale"},
    "float": {"codes", "scale"},
    "mx": {"codes", "scale"},
    "sign": {"codes", "scale"},
    "shared": {"codes", "codebook"},
}


def read_weight(entry: Entry, streams: Streams) -> Array:
    """The weight in the layout that the network reads. Raises ValueError for what is none."""
    shape, (family, coder) = check_shape(entry["shape"]), family_of(entry["encoding"])
    needed = STREAMS[family] | ({"zero_point"} if entry.get("scheme") == "asymmetric" else set())
    needed = needed - ({"scale"} if entry.get("format") in ("fp16", "bf16") else set())
    needed = needed | ({"tensor_scale"} if entry.get("format") == "nvfp4" else set())
    check(streams.keys() == needed, f"the streams are {sorted(streams)}, not {sorted(needed)}")
    floats = needed - ({"codes", "mask", "zero_point"} | ({"scale"} if family == "mx" else set()))
    are_floats = all(streams[name].dtype == np.float32 for name in floats)
    check(are_floats, "a stream of floats holds none")
    weight = values_of(entry, streams, family, coder, shape).reshape(shape)
    check(bool(np.isfinite(weight).all()), "the weights hold NaN or infinite values")
    groups = entry.get("transposed")
    if groups is None:
        return weight
    is_fitting = is_whole(groups) and len(shape) > 1 and shape[0] % groups == 0
    check(is_fitting, f"transposed={groups!r} groups do not fit a weight of {shape}")
    outputs = shape[0] // groups
    parts = weight.reshape(groups, outputs, *shape[1:]).swapaxes(1, 2)
    return np.ascontiguousarray(parts).reshape(groups * shape[1], outputs, *shape[2:])


def check_shape(shape: Any) -> Shape:
    """The shape of a weight: sizes of at least 1, and not more weights than a file may have."""
    sizes = tuple(shape)
    check(0 < len(sizes) <= MAX_DIMENSIONS, f"{len(sizes)} dimensions, but 1 to {MAX_DIMENSIONS}")
    check(all(map(is_whole, sizes)), f"{list(sizes)} is no shape of a weight")
    check(math.prod(sizes) <= MAX_WEIGHTS, f"more than {MAX_WEIGHTS} weights")
    return sizes


def family_of(encoding: str) -> tuple[str, str]:
    """The family of an encoding and its coder, as in shared_ans [5] [6]."""
    if encoding in ("dense", "bitmask"):
        return ("dense", "") if encoding == "dense" else ("mask", "packed")
    if encoding.endswith("_mask"):
        return "mask", encoding[: -len("_mask")]
    prefix, _, coder = encoding.partition("_")
    return (prefix, coder) if prefix in ("float", "mx", "sign", "shared") else ("affine", encoding)


def values_of(entry: Entry, streams: Streams, family: str, coder: str, shape: Shape) -> Array:
    """The values as a matrix (shape[0], all others), or of the weight's own shape."""
    if family == "dense":
        return streams["weight"].reshape(shape)
    if family == "mask":  # [5]
        kept = read_symbols(streams["mask"], coder, 2, shape) == 1
        check(streams["kept"].shape == (int(kept.sum()),), "`kept` does not fit the mask")
        values = np.zeros(kept.shape, np.float32)
        values[kept] = streams["kept"]
        return values
    codes = streams["codes"]
    if family == "shared":
        check(streams["codebook"].ndim == 1, "the codebook is no list")
        return streams["codebook"][read_symbols(codes, coder, streams["codebook"].size, shape)]
    if family == "sign":
        check(streams["scale"].shape == shape[:1], "signs need a scale for each output")
        signs = read_symbols(codes, coder, 2, shape).astype(np.float32) * 2 - 1
        return signs * spread(streams["scale"], entry, shape) + np.float32(0)  # no −0
    if family == "float":
        return float_values(entry, streams, coder, shape)
    if family == "mx":
        return block_values(entry["format"], streams, coder, shape)
    return affine_values(entry, streams, coder, shape)


def float_values(entry: Entry, streams: Streams, coder: str, shape: Shape) -> Array:
    """[8], `float_`"""
    name = entry["format"]
    if name in TABLES:
        return TABLES[name][read_symbols(streams["codes"], coder, 16, shape)] * spread(
            streams["scale"], entry, shape
        )
    bits = 16 if name in ("fp16", "bf16") else 8
    codes = read_symbols(streams["codes"], coder, 2**bits, shape)
    values = widen(codes.astype(np.uint16 if bits == 16 else np.uint8), FORMATS[name])
    return values if bits == 16 else values * spread(streams["scale"], entry, shape)


def block_values(name: str, streams: Streams, coder: str, shape: Shape) -> Array:
    """[8], `mx_`"""
    bits, *_, block = BLOCKS[name]
    codes, scale, inputs = streams["codes"], streams["scale"], math.prod(shape[1:])
    is_fitting = scale.dtype == np.uint8 and scale.shape == (shape[0], -(-inputs // block))
    check(is_fitting, "the scales are not a byte for each block")
    if name == "nvfp4":
        check(streams["tensor_scale"].shape == (), "the scale of the tensor is no single number")
        scales = widen(scale, "F8_E4M3") * streams["tensor_scale"]
    else:
        check(int(scale.max()) < 255, "a scale is no number")
        scales = np.where(scale > 0, scale.astype(np.uint32) << np.uint32(23), np.uint32(1 << 22))
        scales = scales.astype(np.uint32).view(np.float32)
    check(float(scales.min()) > 0, "a scale is not positive, or no number")
    values = element_values(name)[read_symbols(codes, coder, 2**bits, shape)]
    return np.asarray(values * scales.repeat(block, 1)[:, :inputs])


def element_values(name: str) -> Array:
    """The number of each code of an element, NaN for those that are none."""
    bits, mantissa, bias, finite, _ = BLOCKS[name]
    exponent, fraction = np.divmod(np.arange(2 ** (bits - 1)), 2**mantissa)
    whole = fraction / 2**mantissa + (exponent > 0)
    positive = (whole * 2.0 ** (np.maximum(exponent, 1) - bias)).astype(np.float32)
    positive[finite:] = np.nan
    negative = np.append(-positive[1:], np.float32(-2))[::-1] if name == "mxint8" else -positive
    return np.concatenate([positive, negative])


def affine_values(entry: Entry, streams: Streams, coder: str, shape: Shape) -> Array:
    """[7]"""
    bits, scheme = entry["bits"], entry["scheme"]
    check(bits in (*range(1, 9), 16), f"bits={bits!r}")
    check(scheme in ("symmetric", "asymmetric"), f"scheme={scheme!r}")
    q_max = 2**bits - 1 if scheme == "asymmetric" else 2 ** (bits - 1) - 1
    q_min = 0 if scheme == "asymmetric" else min(-q_max, -1)
    codes = read_symbols(streams["codes"], coder, q_max - q_min + 1, shape) + np.int32(q_min)
    if scheme == "asymmetric":
        zero_point = streams["zero_point"].astype(np.int32)
        check(zero_point.shape == streams["scale"].shape, "zero_point does not fit scale")
        check(int(zero_point.max()) <= q_max, "a zero_point is beyond q_max")
        codes = codes - spread(zero_point, entry, shape)
    return codes.astype(np.float32) * spread(streams["scale"], entry, shape)


def spread(parameter: Array, entry: Entry, shape: Shape) -> Array:
    """A scale or zero point of (), (out,) or (out, groups), beside a matrix (out, in) [7]."""
    check(float(parameter.min()) >= 0, "a scale is negative, or no number")
    if "group_size" not in entry:
        check(parameter.shape in ((), shape[:1]), f"a scale has the shape {parameter.shape}")
        return parameter.reshape(-1, 1)
    inputs = math.prod(shape[1:])
    check(is_whole(entry["group_size"]), f"group_size={entry['group_size']!r}")
    size = min(entry["group_size"], inputs)
    check(parameter.shape == (shape[0], -(-inputs // size)), "a scale does not fit the groups")
    return parameter.repeat(size, 1)[:, :inputs]


def check_names(keys: list[Any], tied: dict[str, list[str]], inputs: dict[str, int]) -> None:
    """Each key stands for one tensor, a tied one for a stored one; inputs have 1 to 16 bits."""
    check(all(isinstance(twins, list) for twins in tied.values()), "`tied` holds no lists")
    names = [*keys, *(twin for twins in tied.values() for twin in twins)]
    check(all(isinstance(name, str) for name in names), "a key is no text")
    check(len(names) == len(set(names)), "a key stands for two tensors")
    check(tied.keys() <= set(keys), "`tied` names a tensor that is not there")
    check(all(is_whole(bits) and bits <= 16 for bits in inputs.values()), "impossible `inputs`")


def read_readable(raw: bytes) -> Content:
    """The readable form [1] to [16]."""
    start = 8 + int.from_bytes(raw[:8], "little")
    check(8 < start <= len(raw), "it is no stored file, or a truncated one; copy it anew")
    places = json.loads(raw[8:start])
    metadata = places.pop("__metadata__", {})
    check("compress_core" in metadata, "a safetensors file, but no stored file of this project")
    found = split_tensors(places, raw[start:])
    digest = hashlib.sha256(metadata["compress_core"].encode())  # [16]
    for name, (kind, shape, chunk) in sorted(found.items()):
        digest.update(f"\n{name} torch.{TYPES[kind][0]} {list(shape)}\n".encode() + chunk)
    check(digest.hexdigest() == metadata.get("sha256"), "it is damaged: its checksum differs")
    header = json.loads(metadata["compress_core"])
    check(header["version"] == 1, f"version {header['version']!r}; this decoder reads 1")
    same = header.get("same", {})
    check(not same.keys() & found.keys(), "`same` names a tensor that is there")
    found.update({name: found[first] for name, first in same.items()})
    entries, tied, inputs = header["weights"], header.get("tied", {}), header.get("inputs", {})
    content = Content(header["model"], header["recipe"], {}, tied, inputs, {})
    streams: dict[str, Streams] = {key: {} for key in entries}
    for name, (kind, shape, chunk) in found.items():
        key, _, stream = name.rpartition(":")  # [3]
        tensor = tensor_of(chunk, kind, shape)
        if key in streams:
            streams[key][stream] = tensor
        else:
            content.tensors[name], content.stored_as[name] = tensor, kind
    check_names([*content.tensors, *entries], tied, inputs)
    counts = [math.prod(check_shape(entry["shape"])) for entry in entries.values()]
    check(sum(counts) <= MAX_WEIGHTS, f"more than {MAX_WEIGHTS} weights")
    for key, entry in entries.items():
        content.tensors[key] = read_weight(entry, streams[key])
        content.stored_as[key] = entry["encoding"]
    return content


def split_tensors(places: Any, body: bytes) -> dict[str, tuple[str, Shape, bytes]]:
    """Type, shape and bytes of each tensor of a safetensors file, without gap or overlap."""
    found, at = {}, 0
    for name, place in sorted(places.items(), key=lambda item: item[1]["data_offsets"]):
        kind, shape, (start, end) = place["dtype"], tuple(place["shape"]), place["data_offsets"]
        check(all(type(size) is int and size >= 0 for size in shape), f"{name}: no shape")
        check(start == at and end - start == byte_count(kind, shape), f"{name}: another length")
        check(end <= len(body), f"it is truncated: {name} ends at {end} of {len(body)} bytes")
        found[name], at = (kind, shape, body[start:end]), end
    check(at == len(body), "bytes follow the last tensor")
    return found


WORDS = (  # [18]
    "digits-mlp digits-transformer fashion-cnn cifar-resnet-20 mnist-lenet-300-100;"
    "binarize;ternarize;fold;correct_bias;recalibrate_norms;random_prune:sparsity=0."
    "prune_nm:n=2,m=4;prune_taylor:prune_wanda:samples=,threshold=,sigmas=,importance="
    "factorize:energy=0.,form=tucker,whiten=True;rewind:start=random,l1_prune:strength=0.0"
    "quantize_float:format=fp8_e4m3;quantize_gptq:damping=;quantize_activations:mode=dynamic,"
    "schedule=linear,scheme=asymmetric,granularity=group,group_size=32,clipping=percentile,"
    "percentile=,distil:alpha=0.,temperature=;qat:epochs=,learning_rate=0.00;finetune:epochs=;"
    'share:clusters=16,scope=all,scope=global,scope=layer,layers=fc*|conv*,"],{},{"'
    '["digits-cnn","prune:sparsity=0.9;quantize:bits=4,granularity=channel;"fc3.bias","fc3.weight"'
    ";prune_structured:pruning_ratio=0.5,layers=conv1;prune_structured:pruning_ratio=0.5,"
    "layers=conv2;prune_structured:pruning_ratio=0.5,layers=fc1;"
    '["conv1.bias","conv1.weight","conv2.bias","conv2.weight",'
    '"fc1.bias","fc1.weight","fc2.bias","fc2.weight"]]'
    '["mnist-lenet-5","gradual_prune:sparsity=0.9,epochs=10,seed=1;'
    "quantize:bits=3,granularity=tensor,clipping=mse;"
    'rate_train:strength=0.1,epochs=10,seed=1;quantize_rest:bits=4,scales=fp16"]'
)
# [18]: the tensors of the networks whose keys and shapes a file leaves out. A module and the shape
# of its weight; b: it has a bias, n: it is a batch norm, p: a parameter of the network itself.
NETWORKS = """
digits-cnn:
conv1 16x1x3x3 b, conv2 32x16x3x3 b, fc1 64x512 b, fc2 10x64 b

digits-mlp:
fc1 300x64 b, fc2 100x300 b, fc3 10x100 b

digits-transformer:
blocks.0.attention.proj 48x48 b, blocks.0.attention.qkv 144x48 b, blocks.0.fc1 96x48 b,
blocks.0.fc2 48x96 b, blocks.0.norm1 48 b, blocks.0.norm2 48 b, blocks.1.attention.proj 48x48 b,
blocks.1.attention.qkv 144x48 b, blocks.1.fc1 96x48 b, blocks.1.fc2 48x96 b, blocks.1.norm1 48 b,
blocks.1.norm2 48 b, head 10x48 b, norm 48 b, patches 48x1x2x2 b, positions 1x16x48 p

mnist-lenet-300-100:
fc1 300x784 b, fc2 100x300 b, fc3 10x100 b

mnist-lenet-5:
conv1 20x1x5x5 b, conv2 50x20x5x5 b, fc1 500x800 b, fc2 10x500 b

fashion-cnn:
bn1 32 n, bn2 32 n, bn3 64 n, bn4 64 n, bn5 128 n, conv1 32x1x3x3, conv2 32x32x3x3,
conv3 64x32x3x3, conv4 64x64x3x3, conv5 128x64x3x3, fc1 128x1152 b, fc2 10x128 b

cifar-resnet-20:
bn1 16 n, conv1 16x3x3x3, fc 10x64 b, stage1.0.bn1 16 n, stage1.0.bn2 16 n,
stage1.0.conv1 16x16x3x3, stage1.0.conv2 16x16x3x3, stage1.1.bn1 16 n, stage1.1.bn2 16 n,
stage1.1.conv1 16x16x3x3, stage1.1.conv2 16x16x3x3, stage1.2.bn1 16 n, stage1.2.bn2 16 n,
stage1.2.conv1 16x16x3x3, stage1.2.conv2 16x16x3x3, stage2.0.bn1 32 n, stage2.0.bn2 32 n,
stage2.0.conv1 32x16x3x3, stage2.0.conv2 32x32x3x3, stage2.0.shortcut.0 32x16x1x1,
stage2.0.shortcut.1 32 n, stage2.1.bn1 32 n, stage2.1.bn2 32 n, stage2.1.conv1 32x32x3x3,
stage2.1.conv2 32x32x3x3, stage2.2.bn1 32 n, stage2.2.bn2 32 n, stage2.2.conv1 32x32x3x3,
stage2.2.conv2 32x32x3x3, stage3.0.bn1 64 n, stage3.0.bn2 64 n, stage3.0.conv1 64x32x3x3,
stage3.0.conv2 64x64x3x3, stage3.0.shortcut.0 64x32x1x1, stage3.0.shortcut.1 64 n,
stage3.1.bn1 64 n, stage3.1.bn2 64 n, stage3.1.conv1 64x64x3x3, stage3.1.conv2 64x64x3x3,
stage3.2.bn1 64 n, stage3.2.bn2 64 n, stage3.2.conv1 64x64x3x3, stage3.2.conv2 64x64x3x3
"""


def network_shapes(model: str) -> dict[str, Shape]:
    """Keys and shapes of a reference network, by key. Raises DecodeError for any other."""
    networks = dict(text.split(":") for text in NETWORKS.strip().split("\n\n"))
    check(model in networks, f"it names no tensors, and {model!r} is no reference network")
    shapes: dict[str, Shape] = {}
    for module in networks[model].split(","):
        name, sizes, *kinds = module.split()
        kind = "".join(kinds)
        shape = tuple(map(int, sizes.split("x")))
        shapes[name if kind == "p" else f"{name}.weight"] = shape
        more = {"b": ["bias"], "n": ["bias", "running_mean", "running_var"]}.get(kind, [])
        shapes.update({f"{name}.{part}": shape[:1] for part in more})
        if kind == "n":
            shapes[f"{name}.num_batches_tracked"] = ()
    return dict(sorted(shapes.items()))


class Reader:
    """Reads on from byte `at`, never beyond the last."""

    def __init__(self, raw: bytes, at: int) -> None:
        self.raw, self.at = raw, at

    def take(self, count: int) -> bytes:
        check(count <= len(self.raw) - self.at, f"{count} bytes at {self.at}, where fewer are left")
        self.at += count
        return self.raw[self.at - count : self.at]

    def number(self) -> int:
        """A varint: 7 bits a byte, the lowest first."""
        number, shift, more = 0, 0, True
        while more:
            digit = self.take(1)[0]
            more, number, shift = digit > 127, number | (digit & 127) << shift, shift + 7
            check(number < 2**63, "a number is above 2⁶³")
        return number

    def shape(self) -> Shape:
        dimensions = self.number()
        check(dimensions <= MAX_DIMENSIONS, f"{dimensions} dimensions, more than {MAX_DIMENSIONS}")
        return tuple(self.number() for _ in range(dimensions))

    def tensor(self, kind: str, shape: Shape) -> Array:
        return tensor_of(self.take(byte_count(kind, shape)), kind, shape)


def read_compact(raw: bytes) -> Content:
    """The compact form [17] to [24]."""
    check(
        len(raw) > 7 and raw[2] == 2, "it is truncated, or no version 2, which this decoder reads"
    )
    checksum = zlib.crc32(raw[7:]).to_bytes(4, "little")
    check(checksum == raw[3:7], "it is truncated or damaged: its checksum differs")
    reader = Reader(raw, 7)
    given = read_names(reader)
    check(isinstance(given, list) and 1 <= len(given) <= 5, "the names are no list of one to five")
    model, recipe, keys, tied, inputs = given + [None, "", None, {}, {}][len(given) :]
    check(isinstance(model, str) and isinstance(recipe, str), "model or recipe is no text")
    shapes = network_shapes(model) if keys is None else {}
    keys = list(shapes or keys)
    check_names(keys, tied, inputs)
    content = Content(model, recipe, {}, tied, inputs, {})
    codebooks, left = list[Array](), MAX_WEIGHTS
    for key in keys:
        shape = shapes[key] if shapes else reader.shape()
        entry, streams = read_entry(reader, shape, codebooks)
        if entry["encoding"] in TYPES:  # a tensor as it is
            content.tensors[key] = streams["weight"]
        else:
            left -= math.prod(check_shape(shape))
            check(left >= 0, f"more than {MAX_WEIGHTS} weights")
            content.tensors[key] = read_weight(entry, streams)
        content.stored_as[key] = entry["encoding"]
    check(reader.at == len(raw), "bytes follow the last tensor")
    return content


def read_names(reader: Reader) -> Any:
    """[18]"""
    size, is_deflated = divmod(reader.number(), 2)
    text = reader.take(size)
    if is_deflated or text[:1] == b"\0":
        squeezed = zlib.decompressobj(-15, zdict=b"" if is_deflated else WORDS.encode())
        text = squeezed.decompress(text if is_deflated else text[1:], MAX_TEXT)
        check(squeezed.eof and not squeezed.unused_data, "the names are cut off, or too long")
    return json.loads(text)


def read_entry(reader: Reader, shape: Shape, codebooks: list[Array]) -> tuple[Entry, Streams]:
    """An entry as the readable form has it, and its streams. The encoding of a tensor as it is is
    its type, and its stream `weight`."""
    is_transposed, kind = divmod(reader.take(1)[0], 128)  # [19]
    family, number = divmod(kind, 16)
    if family == 0:  # [20]
        name = list(TYPES)[number]
        return {"encoding": name}, {"weight": reader.tensor(name, shape)}
    second = reader.take(1)[0]  # [21]
    value, sharing, floats = second >> 4, second >> 2 & 3, FLOAT_TYPES[second & 3]
    entry: Entry = {"shape": check_shape(shape)}
    if is_transposed:
        entry["transposed"] = reader.number()
    if family == 1 and number == 15:  # [22]
        return entry | {"encoding": "dense"}, {"weight": reader.tensor(floats, shape)}
    coder = list(CODERS)[number]
    if family == 1:
        entry["encoding"], kept = f"{coder}_mask", reader.number()
        mask = reader.tensor("U8", (reader.number(),))
        return entry, {"mask": mask, "kept": reader.tensor(floats, (kept,))}
    prefixes = {4: "float_", 5: "sign_", 6: "shared_", 7: "mx_"}
    entry["encoding"] = prefixes.get(family, "") + coder
    if family == 6:  # [24]
        which = reader.number()
        streams = {"codes": reader.tensor("U8", (reader.number(),))}
        if sharing == 0:
            codebooks.append(reader.tensor(floats, (which,)))
        return entry, streams | {"codebook": codebooks[-1 if sharing == 0 else which]}
    if family == 4:
        entry["format"] = [*FORMATS, *TABLES][value]
    elif family == 7:
        entry["format"] = list(BLOCKS)[value]
        return entry, read_blocks(reader, entry, floats)
    elif family in (2, 3):
        entry |= {"bits": value + 1, "scheme": "symmetric" if family == 2 else "asymmetric"}
    return entry, read_scaled(reader, entry, sharing, floats)


def read_blocks(reader: Reader, entry: Entry, floats: str) -> Streams:
    """Codes, for nvfp4 the scale of the tensor, and a byte for each block [24]."""
    streams = {"codes": reader.tensor("U8", (reader.number(),))}
    if entry["format"] == "nvfp4":
        streams["tensor_scale"] = reader.tensor(floats, ())
    outputs, *others = entry["shape"]
    blocks = -(-math.prod(others) // BLOCKS[entry["format"]][-1])
    return streams | {"scale": reader.tensor("U8", (outputs, blocks))}


def read_scaled(reader: Reader, entry: Entry, sharing: int, floats: str) -> Streams:
    """Codes, scales and zero points [23]; a group's size goes into the entry."""
    if sharing == 2:
        entry["group_size"] = reader.number()
    streams = {"codes": reader.tensor("U8", (reader.number(),))}
    if entry.get("format") in ("fp16", "bf16"):
        return streams
    outputs, *others = entry["shape"]
    inputs = math.prod(others)
    groups = -(-inputs // max(1, min(entry.get("group_size", inputs), inputs)))
    shape: Shape = ((), (outputs,), (outputs, groups))[sharing]
    streams["scale"] = reader.tensor(floats, shape)
    if entry.get("scheme") == "asymmetric":
        streams["zero_point"] = reader.tensor("U8" if entry["bits"] <= 8 else "U16", shape)
    return streams


def write_npz(path: Path, tensors: dict[str, Array]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for key, tensor in tensors.items():
            with archive.open(f"{key}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, tensor, allow_pickle=False)


def write_safetensors(path: Path, tensors: dict[str, Array]) -> None:
    small_floats = ("F16", "BF16", "F8_E4M3", "F8_E5M2")  # they have become float32
    kinds = {np.dtype(code): kind for kind, (_, code) in TYPES.items() if kind not in small_floats}
    chunks = {key: t.astype(t.dtype.newbyteorder("<")) for key, t in tensors.items()}
    places, at = {}, 0
    for key, chunk in chunks.items():
        span = at, at + chunk.nbytes
        places[key] = {"dtype": kinds[chunk.dtype], "shape": chunk.shape, "data_offsets": span}
        at = span[1]
    header = json.dumps(places).encode()
    header += b" " * (-len(header) % 8)
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.writelines(chunk.tobytes() for chunk in chunks.values())


def shown(text: str) -> str:
    """The text without what would steer a terminal."""
    return text if text.isprintable() else ascii(text)


def main(arguments: Sequence[str]) -> int:
    writers = {".npz": write_npz, ".safetensors": write_safetensors}
    is_usable = 1 <= len(arguments) <= 2 and not arguments[0].startswith("-")
    if not is_usable or (len(arguments) == 2 and Path(arguments[1]).suffix not in writers):
        print("usage: lone_decoder.py FILE [OUT.npz or OUT.safetensors]", file=sys.stderr)
        return 2
    try:
        content = read(Path(arguments[0]).read_bytes())
        for key, tensor in content.tensors.items():
            also = "".join(f" = {shown(twin)}" for twin in content.tied.get(key, []))
            print(f"{shown(key)}{also}  {tensor.dtype} {tensor.shape}  {content.stored_as[key]}")
        for layer, bits in content.inputs.items():
            print(f"inputs of {shown(layer)} are rounded to {bits} bits: see point 15")
        twins = {twin: content.tensors[key] for key in content.tied for twin in content.tied[key]}
        if len(arguments) == 2:
            out = Path(arguments[1])
            writers[out.suffix](out, content.tensors | twins)
    except (OSError, ValueError) as error:
        print(f"{arguments[0]}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
