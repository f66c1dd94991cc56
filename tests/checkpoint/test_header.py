"""Headers: what safetensors writes is read alike; what lies is refused before it is believed."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from compress_core.checkpoint import Checkpoint, CheckpointError, Limits
from compress_core.checkpoint.header import read_header
from compress_core.checkpoint.reading import read_rows
from tests.checkpoint.conftest import normal


def file_of(path: Path, header: Any, data: bytes = b"", *, claim: int | None = None) -> Path:
    """A file with any header; `claim` is the length that it says it has."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    length = len(text) if claim is None else claim
    path.write_bytes(length.to_bytes(8, "little") + text + data)
    return path


def claim(shape: Any = (2,), offsets: Any = (0, 8), dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def test_names_shapes_types_and_numbers_are_those_of_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    tensors = {"b": normal(3, 5), "a": normal(4, 2).bfloat16(), "n": torch.arange(6)}
    save_file(tensors, path, metadata={"format": "pt"})
    entries = {entry.name: entry for entry in read_header(path, Limits()).entries}
    with safe_open(path, "pt") as theirs:
        assert entries.keys() == set(theirs.keys())
        for name, entry in entries.items():
            assert list(entry.shape) == theirs.get_slice(name).get_shape()
            assert entry.dtype == theirs.get_slice(name).get_dtype()
    assert torch.equal(read_rows(entries["b"], range(3)), tensors["b"])
    assert torch.equal(read_rows(entries["a"], [0, 1, 3]), tensors["a"].float()[[0, 1, 3]])


REFUSED = {
    "a length beyond the file": ({"a": claim()}, 10**15, "does not fit"),
    "no JSON": (b"{" * 20, None, "damaged"),
    "a list": ([1, 2], None, "no JSON object"),
    "nested a thousand times": (b"[" * 100_000, None, "damaged"),
    "one name twice": (b'{"a": {}, "a": {}}', None, "twice"),
    "no offsets": ({"a": {"dtype": "F32", "shape": [2]}}, None, "lacks"),
    "an unknown type": ({"a": claim(dtype="F7")}, None, "not read"),
    "a type that is a list": ({"a": claim(dtype=["F32"])}, None, "not read"),
    "a negative size": ({"a": claim(shape=[-2])}, None, "no size"),
    "a size of True": ({"a": claim(shape=[True])}, None, "no size"),
    "too many bytes for the shape": ({"a": claim(offsets=[0, 12])}, None, "12 bytes"),
    "a huge shape": ({"a": claim(shape=[10**9, 10**9])}, None, "bytes for"),
    "nine dimensions": ({"a": claim(shape=[1] * 8 + [2])}, None, "dimensions"),
    "beyond the end": ({"a": claim(offsets=[96, 104])}, None, "truncated"),
    "two in one place": ({"a": claim(), "b": claim(offsets=[4, 12])}, None, "overlaps"),
    "a name of 2,000 letters": ({"a" * 2000: claim()}, None, "not read"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_header_that_lies_is_refused(what: str, tmp_path: Path) -> None:
    header, length, said = REFUSED[what]
    path = file_of(tmp_path / "a.safetensors", header, bytes(16), claim=length)
    with pytest.raises(CheckpointError, match=said):
        read_header(path, Limits())


@pytest.mark.parametrize("size", [0, 3, 8, 9])
def test_a_file_that_is_cut_short_is_refused(size: int, tmp_path: Path) -> None:
    path = file_of(tmp_path / "a.safetensors", {"a": claim()}, bytes(8))
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(CheckpointError):
        Checkpoint.open(path)


def test_a_header_above_the_limit_is_not_read(tmp_path: Path) -> None:
    path = file_of(tmp_path / "a.safetensors", {"a": claim()}, bytes(8))
    with pytest.raises(CheckpointError, match="larger than the 10 allowed"):
        read_header(path, Limits(header_bytes=10))


def test_more_tensors_than_allowed_are_refused(tmp_path: Path) -> None:
    names = {f"t{i}": claim(shape=[0], offsets=[0, 0]) for i in range(11)}
    path = file_of(tmp_path / "a.safetensors", names)
    with pytest.raises(CheckpointError, match="11 tensors are more than the 10"):
        Checkpoint.open(path, Limits(tensors=10))
