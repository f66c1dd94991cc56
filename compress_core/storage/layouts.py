"""The layouts that people store weights in, each a real file that decodes to the same weights.

dense               the weights as they are, F32
dense_fp16          rounded to F16: the only layout that does not give the weights back bit for bit
bitmask             one bit a weight, 1 = kept; the kept weights, F32
csr                 compressed sparse rows as SciPy writes them: values F32, columns and row
                    pointers int32, of the weight as a matrix (out, in)
codebook            the different values of the weight, F32, and indices of as few bits as do
packed, ans, ...    codes in each of CODERS

A file is safetensors. Layouts other than the dense ones have what decoding needs (shape, bits) as
JSON in its metadata. A weight that a layout does not fit stays dense in its file.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor

from compress_core.storage.entropy_coding import CODERS, StreamError, bits_for, pack, unpack
from compress_core.storage.streams import StoredWeight, decode_streams
from compress_core.storage.streams.floats import kept_mask, masked
from compress_core.storage.streams.stream import Header, Streams
from compress_core.weights import Profile, as_matrix

METADATA_KEY = "layouts"
MAX_CODEBOOK = 2**16


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
    headers = {
        key: {"layout": layout, **found.header, **weights[key].layout_header}
        for key, found in streams.items()
        if found.header
    }
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
        values = LAYOUTS[header["layout"]].decode(header, streams)
        dense[key] = StoredWeight(Profile(values), None, header.get("transposed")).network_values
    halves = {key: t.float() if t.dtype == torch.float16 else t for key, t in tensors.items()}
    return dense | halves


def _dense(weight: StoredWeight) -> Streams:
    return Streams({}, {"": weight.network_values.contiguous()})


def _dense_fp16(weight: StoredWeight) -> Streams | None:
    halves = weight.network_values.contiguous().half()
    return Streams({}, {"": halves}) if halves.isfinite().all() else None


def _no_header(_header: Header, _tensors: Mapping[str, Tensor]) -> Tensor:
    raise StreamError("a dense weight has no header; read its tensor as it is")


def _bitmask(weight: StoredWeight) -> Streams:
    return masked(weight.values, "packed", CODERS["packed"].encode(kept_mask(weight.values), 2))


def _stored_values(header: Header, tensors: Mapping[str, Tensor]) -> Tensor:
    return decode_streams(header, tensors).values


def _csr(weight: StoredWeight) -> Streams:
    matrix = as_matrix(weight.values.contiguous())
    kept = torch.from_numpy(kept_mask(weight.values)).bool()
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


def _coded(name: str) -> Layout:
    """The layout of a weight's codes in one of CODERS."""
    coder = CODERS[name]

    def encode(weight: StoredWeight) -> Streams | None:
        form = weight.coded
        if form is None or not coder.takes(form.alphabet, form.symbols.shape):
            return None
        streams = form.streams(name, coder.encode(form.symbols, form.alphabet))
        # cloned: weights may have a codebook in common, and a file holds no shared memory
        return replace(streams, tensors={key: t.clone() for key, t in streams.tensors.items()})

    return Layout(encode, _stored_values, f"codes of at most {coder.max_alphabet:,} levels")


LAYOUTS: dict[str, Layout] = {
    "dense": Layout(_dense, _no_header),
    "dense_fp16": Layout(_dense_fp16, _no_header, "weights up to ±65,504"),
    "bitmask": Layout(_bitmask, _stored_values),
    "csr": Layout(_csr, _decode_csr),
    "codebook": Layout(
        _codebook, _decode_codebook, f"weights of at most {MAX_CODEBOOK:,} different values"
    ),
    **{name: _coded(name) for name in CODERS},
}
