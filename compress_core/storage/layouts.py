"""The layouts that people store weights in, each a real file that decodes to the same weights.

dense               the weights as they are, F32
dense_fp16          rounded to F16: the only layout that does not give the weights back bit for bit
bitmask             one bit a weight, 1 = kept; the kept weights, F32
csr                 compressed sparse rows as SciPy writes them: values F32, columns and row
                    pointers int32, of the weight as a matrix (out, in)
codebook            the different values of the weight, F32, and indices of as few bits as do
masked_codes        one bit a weight, 1 = another code than the most frequent; those codes packed
packed, ans, ...    codes in each of CODERS

A file is safetensors. Layouts other than the dense ones have what decoding needs (shape, bits) as
JSON in its metadata. A weight that a layout does not fit stays dense in its file.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor

from compress_core.methods.quantization import Quantized, code_range
from compress_core.storage.entropy_coding import (
    CODERS,
    Bytes,
    MatrixCoder,
    StreamError,
    Symbols,
    bits_for,
    pack,
    unpack,
)
from compress_core.storage.streams import StoredWeight, Streams, decode_streams
from compress_core.weights import as_matrix

METADATA_KEY = "layouts"
MAX_CODEBOOK = 2**16
Header = Mapping[str, Any]


@dataclass(frozen=True)
class Layout:
    """`encode` gives the streams of a weight, or None where the layout does not fit it; `decode`
    gives the weight back from header and tensors; `needs` says in words which weights it fits."""

    encode: Callable[[StoredWeight], Streams | None]
    decode: Callable[[Header, Mapping[str, Tensor]], Tensor]
    needs: str = "nothing"


@dataclass(frozen=True, eq=False)
class LayoutFile:
    """A file, the bytes of each weight's tensors in it, and the weights that stayed dense."""

    raw: bytes
    weight_bytes: dict[str, int]
    unfit: tuple[str, ...]


def encode_file(
    layout: str, weights: Mapping[str, StoredWeight], rest: Mapping[str, Tensor]
) -> LayoutFile:
    """The file of a model in one layout; `rest` (biases, norms) is stored as it is."""
    fitting = {key: LAYOUTS[layout].encode(weight) for key, weight in weights.items()}
    streams = {key: found or _dense(weights[key]) for key, found in fitting.items()}
    headers = {key: {"layout": layout, **s.header} for key, s in streams.items() if s.header}
    tensors = {key: tensor.contiguous() for key, tensor in rest.items()}
    for key, found in streams.items():
        tensors |= {f"{key}:{name}".rstrip(":"): t for name, t in found.tensors.items()}
    metadata = {METADATA_KEY: json.dumps(headers, separators=(",", ":"))} if headers else None
    return LayoutFile(
        raw=save(tensors, metadata),
        weight_bytes={key: found.byte_count for key, found in streams.items()},
        unfit=tuple(key for key, found in fitting.items() if found is None),
    )


def decode_file(raw: bytes) -> dict[str, Tensor]:
    """The dense tensors of a file of `encode_file`, by key; fp16 comes back as float32."""
    tensors = load(raw)
    size = int.from_bytes(raw[:8], "little")
    metadata = json.loads(raw[8 : 8 + size]).get("__metadata__", {})
    dense = {}
    for key, header in json.loads(metadata.get(METADATA_KEY, "{}")).items():
        names = [name for name in tensors if name.rpartition(":")[0] == key]
        streams = {name.rpartition(":")[2]: tensors.pop(name) for name in names}
        dense[key] = LAYOUTS[header["layout"]].decode(header, streams)
    halves = {key: t.float() if t.dtype == torch.float16 else t for key, t in tensors.items()}
    return dense | halves


def _dense(weight: StoredWeight) -> Streams:
    return Streams({}, {"": weight.values.contiguous()})


def _dense_fp16(weight: StoredWeight) -> Streams | None:
    halves = weight.values.contiguous().half()
    return Streams({}, {"": halves}) if halves.isfinite().all() else None


def _no_header(_header: Header, _tensors: Mapping[str, Tensor]) -> Tensor:
    raise StreamError("a dense weight has no header; read its tensor as it is")


def _kept(weight: StoredWeight) -> Tensor:
    """Which weights are stored, (n,) bool; compared as bits, so that a kept -0.0 stays one."""
    return weight.values.contiguous().view(-1).view(torch.int32).ne(0)


def _bitmask(weight: StoredWeight) -> Streams:
    kept = _kept(weight)
    mask = torch.from_numpy(pack(kept.numpy().astype(np.int32), 1))
    values = weight.values.contiguous().view(-1)[kept]
    header = {"encoding": "bitmask", "shape": list(weight.values.shape)}
    return Streams(header, {"mask": mask, "kept": values})


def _stored_values(header: Header, tensors: Mapping[str, Tensor]) -> Tensor:
    return decode_streams(header, tensors).values


def _csr(weight: StoredWeight) -> Streams:
    matrix = as_matrix(weight.values.contiguous())
    kept = _kept(weight).view(matrix.shape)
    pointers = torch.nn.functional.pad(kept.sum(1).cumsum(0), (1, 0))  # (out + 1,)
    tensors = {
        "values": matrix[kept],
        "columns": kept.nonzero()[:, 1].int(),
        "rows": pointers.int(),
    }
    return Streams({"shape": list(weight.values.shape)}, tensors)


def _decode_csr(header: Header, tensors: Mapping[str, Tensor]) -> Tensor:
    shape = header["shape"]
    counts = tensors["rows"].diff()
    dense = torch.zeros(len(counts), math.prod(shape) // len(counts))
    rows = torch.arange(len(counts)).repeat_interleave(counts)
    dense[rows, tensors["columns"].long()] = tensors["values"]
    return dense.view(shape)


def _codebook(weight: StoredWeight) -> Streams | None:
    bits = weight.values.contiguous().view(-1).view(torch.int32)
    codebook, indices = bits.unique(return_inverse=True)
    if len(codebook) > MAX_CODEBOOK:
        return None
    stream = pack(indices.numpy().astype(np.int32), bits_for(len(codebook)))
    tensors = {"codebook": codebook.view(torch.float32), "indices": torch.from_numpy(stream)}
    return Streams({"shape": list(weight.values.shape)}, tensors)


def _decode_codebook(header: Header, tensors: Mapping[str, Tensor]) -> Tensor:
    codebook, count = tensors["codebook"], math.prod(header["shape"])
    indices = unpack(tensors["indices"].numpy(), bits_for(len(codebook)), count)
    return codebook[torch.from_numpy(indices).long()].view(header["shape"])


@dataclass(frozen=True, eq=False)
class CodedForm:
    """What is coded of a weight: `symbols` (out, in) in [0, alphabet), and beside them the
    `parameters` and the `header` that turn symbols back into weights."""

    symbols: Symbols
    alphabet: int
    parameters: dict[str, Tensor]
    header: dict[str, Any]


def coded_form(weight: StoredWeight) -> CodedForm | None:
    """The symbols of a weight that has codes, None for one of floats."""
    return None if weight.quantized is None else _affine_form(weight.quantized)


def _affine_form(quantized: Quantized) -> CodedForm:
    q_min, q_max = code_range(quantized.bits, quantized.scheme)
    parameters = {"scale": quantized.scale}
    if quantized.scheme == "asymmetric":
        parameters["zero_point"] = quantized.zero_point.to(torch.uint16)
    header = {
        "encoding": "packed",
        "shape": list(quantized.codes.shape),
        "bits": quantized.bits,
        "scheme": quantized.scheme,
    }
    if quantized.group_size:
        header["group_size"] = quantized.group_size
    symbols = (as_matrix(quantized.codes.contiguous()) - q_min).numpy()
    return CodedForm(symbols, q_max - q_min + 1, parameters, header)


def _coded(coder: MatrixCoder) -> Layout:
    """The layout of a weight's codes in one of CODERS: they are decoded, packed, and read as any
    packed weight is."""

    def encode(weight: StoredWeight) -> Streams | None:
        form = coded_form(weight)
        if form is None or form.alphabet > coder.max_alphabet:
            return None
        stream = torch.from_numpy(coder.encode(form.symbols, form.alphabet))
        header = {"alphabet": form.alphabet, **form.header}
        return Streams(header, {"codes": stream, **form.parameters})

    def decode(header: Header, tensors: Mapping[str, Tensor]) -> Tensor:
        alphabet, rows = header["alphabet"], header["shape"][0]
        shape = (rows, math.prod(header["shape"]) // rows)
        symbols = coder.decode(tensors["codes"].numpy(), alphabet, shape)
        packed = torch.from_numpy(pack(symbols.ravel(), bits_for(alphabet)))
        return decode_streams(header, {**tensors, "codes": packed}).values

    return Layout(encode, decode, f"codes of at most {coder.max_alphabet:,} levels")


def mask_symbols(symbols: Symbols, alphabet: int) -> Bytes:
    """The most frequent symbol (u16), a bit for each symbol (1 = another), the others packed."""
    flat = symbols.ravel()
    usual = np.bincount(flat, minlength=alphabet).argmax()
    others = flat != usual
    return np.concatenate(
        [
            np.array([usual], "<u2").view(np.uint8),
            pack(others.astype(np.int32), 1),
            pack(flat[others], bits_for(alphabet)),
        ]
    )


def unmask_symbols(stream: Bytes, alphabet: int, shape: tuple[int, int]) -> Symbols:
    """The symbols that `mask_symbols` was given."""
    mask_end = 2 + -(-shape[0] * shape[1] // 8)
    others = unpack(stream[2:mask_end], 1, shape[0] * shape[1]).astype(bool)
    symbols = np.full(others.size, stream[:2].view("<u2")[0], np.int32)
    symbols[others] = unpack(stream[mask_end:], bits_for(alphabet), int(others.sum()))
    return symbols.reshape(shape)


LAYOUTS: dict[str, Layout] = {
    "dense": Layout(_dense, _no_header),
    "dense_fp16": Layout(_dense_fp16, _no_header, "weights up to ±65,504"),
    "bitmask": Layout(_bitmask, _stored_values),
    "csr": Layout(_csr, _decode_csr),
    "codebook": Layout(
        _codebook, _decode_codebook, f"weights of at most {MAX_CODEBOOK:,} different values"
    ),
    "masked_codes": _coded(MatrixCoder(mask_symbols, unmask_symbols, 2**16)),
    **{name: _coded(coder) for name, coder in CODERS.items()},
}
