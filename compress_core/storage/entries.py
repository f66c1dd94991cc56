"""The entry of one tensor in the compact form: what it is, in two or more bytes, then its bytes.

The first byte is coder + 16 · family, + 128 for a transposed convolution. A tensor as it is has the
number of its type in place of the coder, and no second byte. The second byte is the type of the
floats + 4 · granularity + 16 · value.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from compress_core.entering.tensors import HALVES
from compress_core.methods.quantization import FORMAT_BITS, MX_FORMATS
from compress_core.storage.bytewise import Reader, tensor_bytes, varint
from compress_core.storage.entropy_coding import CODERS
from compress_core.storage.streams import StoredWeight
from compress_core.storage.streams.floats import MASKS, exact_type
from compress_core.storage.streams.microscaled import FAMILY, block_shape
from compress_core.storage.streams.stream import Shape, Streams, weight_shape

# Their places are the numbers in the files: new ones come last.
CODER_NUMBERS = (
    *("packed", "ans", "context", "huffman", "gap_ans", "gap_huffman", "masked", "masked_ans"),
    "adaptive",
)
DENSE = 15  # in the place of a coder: floats without a mask
AS_IS, FLOATS, SYMMETRIC, ASYMMETRIC, LOW_BIT, SIGNS, SHARED, BLOCKS = range(8)
PREFIXES = {
    SYMMETRIC: "",
    ASYMMETRIC: "",
    LOW_BIT: "float_",
    SIGNS: "sign_",
    SHARED: "shared_",
    BLOCKS: FAMILY,
}
FLOAT_TYPES = (torch.float32, torch.bfloat16, torch.float16)
PER_TENSOR, PER_CHANNEL, PER_GROUP = range(3)
OWN_CODEBOOK, EARLIER_CODEBOOK = range(2)
FORMATS = ("fp16", "bf16", "fp8_e4m3", "fp8_e5m2", "fp4_e2m1", "nf4")
BLOCK_FORMATS = (
    *("mxfp8_e4m3", "mxfp8_e5m2", "mxfp6_e2m3", "mxfp6_e3m2", "mxfp4", "mxint8", "nvfp4"),
)
TYPES = (
    *(torch.bool, torch.uint8, torch.int8, torch.uint16, torch.int16, torch.uint32, torch.int32),
    *(torch.uint64, torch.int64, torch.float16, torch.bfloat16, torch.float32, torch.float64),
    *(torch.complex64, torch.float8_e4m3fn, torch.float8_e5m2),
)
assert CODERS.keys() == set(CODER_NUMBERS), "a coder has no number, or the reverse"
assert FORMAT_BITS.keys() == set(FORMATS), "a format has no number, or the reverse"
assert MX_FORMATS.keys() == set(BLOCK_FORMATS), "a format has no number, or the reverse"


@dataclass(frozen=True)
class Entry:
    """Bytes that say what a tensor is, and bytes that are its values."""

    head: bytes
    body: bytes


def write_tensor(tensor: Tensor) -> Entry:
    """A tensor as it is."""
    return Entry(bytes([TYPES.index(tensor.dtype)]), tensor_bytes(tensor))


def write_weight(weight: StoredWeight, codebooks: list[Tensor]) -> Entry:
    """A weight in its smallest encoding; `codebooks` are those before it, and get its own."""
    streams = weight.streams
    family = _family(streams.header)
    floats = next((t for t in streams.tensors.values() if t.is_floating_point()), None)
    granularity, fields = _granularity(family, streams, codebooks)
    if family == SHARED and granularity == EARLIER_CODEBOOK:
        floats = None
    narrow = torch.zeros(0) if floats is None else _narrow(floats)
    first = 16 * family + _coder(family, streams.header["encoding"])
    second = FLOAT_TYPES.index(narrow.dtype) + 4 * granularity + 16 * _value(streams.header)
    head = bytes([first + 128 * bool(weight.transposed), second])
    head += varint(weight.transposed) if weight.transposed else b""
    codes = streams.tensors.get("codes", streams.tensors.get("mask"))
    head += fields + (b"" if codes is None else varint(codes.numel()))
    parts = [codes, narrow, _zero_points(streams), _block_scales(family, streams)]
    return Entry(head, b"".join(tensor_bytes(part) for part in parts if part is not None))


def _family(header: dict[str, Any]) -> int:
    if "scheme" in header:
        return SYMMETRIC if header["scheme"] == "symmetric" else ASYMMETRIC
    if "format" in header:
        return BLOCKS if header["encoding"].startswith(FAMILY) else LOW_BIT
    prefixes = {PREFIXES[family]: family for family in (SIGNS, SHARED)}
    return next((f for p, f in prefixes.items() if header["encoding"].startswith(p)), FLOATS)


def _coder(family: int, encoding: str) -> int:
    if encoding == "dense":
        return DENSE
    name = MASKS[encoding] if family == FLOATS else encoding.removeprefix(PREFIXES[family])
    return CODER_NUMBERS.index(name)


def _value(header: dict[str, Any]) -> int:
    if "bits" in header:
        return int(header["bits"]) - 1
    formats = BLOCK_FORMATS if _family(header) == BLOCKS else FORMATS
    return formats.index(header["format"]) if "format" in header else 0


def _granularity(family: int, streams: Streams, codebooks: list[Tensor]) -> tuple[int, bytes]:
    """What shares a float, and the numbers that say more."""
    if family == SHARED:
        return _codebook(streams.tensors["codebook"], codebooks)
    if "group_size" in streams.header:
        return PER_GROUP, varint(streams.header["group_size"])
    if "kept" in streams.tensors:
        return PER_TENSOR, varint(streams.tensors["kept"].numel())
    scale = None if family == BLOCKS else streams.tensors.get("scale")
    return (PER_TENSOR if scale is None or scale.dim() == 0 else PER_CHANNEL), b""


def _codebook(codebook: Tensor, codebooks: list[Tensor]) -> tuple[int, bytes]:
    """Its number of entries; of one that stands in the file already, its place there."""
    earlier = next((i for i, other in enumerate(codebooks) if other is codebook), None)
    if earlier is not None:
        return EARLIER_CODEBOOK, varint(earlier)
    codebooks.append(codebook)
    return OWN_CODEBOOK, varint(codebook.numel())


def _narrow(floats: Tensor) -> Tensor:
    """The floats in the first of BF16, F16 and F32 that holds each of them exactly."""
    return floats if floats.dtype in HALVES else floats.to(exact_type(floats))


def _zero_points(streams: Streams) -> Tensor | None:
    found = streams.tensors.get("zero_point")
    return found.to(torch.uint8) if found is not None and streams.header["bits"] <= 8 else found


def _block_scales(family: int, streams: Streams) -> Tensor | None:
    return streams.tensors["scale"] if family == BLOCKS else None


def read_entry(reader: Reader, shape: Shape, codebooks: list[Tensor]) -> Tensor | Streams:
    """What `write_tensor` or `write_weight` has written: a tensor, or the streams of a weight.

    Raises StreamError, LookupError or ValueError for what they cannot have written.
    """
    transposed, kind = divmod(reader.byte(), 128)
    family, coder = divmod(kind, 16)
    if family == AS_IS:
        return reader.tensor(TYPES[coder], shape)
    second = reader.byte()
    value, granularity, width = second // 16, second // 4 % 4, second % 4
    header: dict[str, Any] = {"shape": list(shape)}
    weight_shape(header)
    header |= {"transposed": reader.number()} if transposed else {}
    if family == FLOATS:
        return _read_floats(reader, header, coder, FLOAT_TYPES[width])
    header["encoding"] = f"{PREFIXES[family]}{CODER_NUMBERS[coder]}"
    if family == SHARED:
        return _read_shared(reader, header, granularity, FLOAT_TYPES[width], codebooks)
    header |= _settings(family, value)
    if family == BLOCKS:
        return _read_blocks(reader, header, FLOAT_TYPES[width])
    if granularity == PER_GROUP:
        header["group_size"] = reader.number()
    return _read_scaled(reader, header, granularity, FLOAT_TYPES[width])


def _settings(family: int, value: int) -> dict[str, Any]:
    if family == LOW_BIT:
        return {"format": FORMATS[value]}
    if family == BLOCKS:
        return {"format": BLOCK_FORMATS[value]}
    schemes = {SYMMETRIC: "symmetric", ASYMMETRIC: "asymmetric"}
    return {"bits": value + 1, "scheme": schemes[family]} if family in schemes else {}


def _read_floats(reader: Reader, header: dict[str, Any], coder: int, dtype: torch.dtype) -> Streams:
    shape = tuple(header["shape"])
    if coder == DENSE:
        return Streams(header | {"encoding": "dense"}, {"weight": reader.tensor(dtype, shape)})
    mask = CODER_NUMBERS[coder]
    header["encoding"] = next(name for name, its_coder in MASKS.items() if its_coder == mask)
    kept, size = reader.number(), reader.number()
    tensors = {"mask": reader.tensor(torch.uint8, (size,)), "kept": reader.tensor(dtype, (kept,))}
    return Streams(header, tensors)


def _read_shared(
    reader: Reader,
    header: dict[str, Any],
    granularity: int,
    dtype: torch.dtype,
    codebooks: list[Tensor],
) -> Streams:
    count, size = reader.number(), reader.number()
    codes = reader.tensor(torch.uint8, (size,))
    if granularity == OWN_CODEBOOK:
        codebooks.append(reader.tensor(dtype, (count,)).float())
        count = len(codebooks) - 1
    return Streams(header, {"codes": codes, "codebook": codebooks[count]})


def _read_scaled(
    reader: Reader, header: dict[str, Any], granularity: int, dtype: torch.dtype
) -> Streams:
    tensors = {"codes": reader.tensor(torch.uint8, (reader.number(),))}
    if FORMAT_BITS.get(header.get("format", "")) == 16:  # they have no scale
        return Streams(header, tensors)
    shape = _scale_shape(header, granularity)
    tensors["scale"] = reader.tensor(dtype, shape).float()
    if header.get("scheme") == "asymmetric":
        narrow = torch.uint8 if header["bits"] <= 8 else torch.uint16
        tensors["zero_point"] = reader.tensor(narrow, shape).to(torch.uint16)
    return Streams(header, tensors)


def _read_blocks(reader: Reader, header: dict[str, Any], dtype: torch.dtype) -> Streams:
    tensors = {"codes": reader.tensor(torch.uint8, (reader.number(),))}
    if header["format"] == "nvfp4":
        tensors["tensor_scale"] = reader.tensor(dtype, ()).float()
    shape = block_shape(header["format"], tuple(header["shape"]))
    tensors["scale"] = reader.tensor(torch.uint8, shape)
    return Streams(header, tensors)


def _scale_shape(header: dict[str, Any], granularity: int) -> Shape:
    rows, *others = header["shape"]
    if granularity == PER_GROUP:
        inputs = math.prod(others)
        return rows, -(-inputs // max(1, min(header["group_size"], inputs)))
    return (rows,) if granularity == PER_CHANNEL else ()
