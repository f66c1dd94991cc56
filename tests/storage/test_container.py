"""The container: its bytes, what comes back of it, and what it refuses."""

import hashlib
import json
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load, save
from torch import nn

from compress_core.compressed import Compressed, compress
from compress_core.methods.low_rank import Factorize
from compress_core.methods.pruning import Prune
from compress_core.methods.quantization import Quantize
from compress_core.original import Original
from compress_core.storage.container import ContainerError, decode

ROOT = Path(__file__).parents[2]
HEADER = (
    '{"version":1,"model":"tiny",'
    '"recipe":{"version":1,"steps":[{"step":"quantize","bits":3,"granularity":"tensor"}]},'
    '"weights":{"fc.weight":'
    '{"encoding":"packed","shape":[2,2],"bits":3,"scheme":"symmetric"}}}'
)


def tiny() -> Compressed:
    fc = nn.Linear(2, 2)
    fc.weight.data = torch.tensor([[3.0, 0.0], [1.0, -3.0]])
    fc.bias.data = torch.tensor([0.5, 0.0])
    original = Original(nn.Sequential(OrderedDict(fc=fc)).eval(), (2,), name="tiny")
    return compress(original, (Quantize(bits=3, granularity="tensor"),))


TINY = tiny().container


def signed(text: str) -> bytes:
    """A safetensors file without tensors whose header text carries its right checksum."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    return save({}, {"compress_core": text, "sha256": digest})


def test_the_bytes_are_those_of_the_format() -> None:
    checksum = hashlib.sha256(HEADER.encode())
    checksum.update(b"\nfc.bias torch.float32 [2]\n" + bytes.fromhex("0000003f00000000"))
    checksum.update(b"\nfc.weight:codes torch.uint8 [2]\n" + bytes.fromhex("ce00"))
    checksum.update(b"\nfc.weight:scale torch.float32 []\n" + bytes.fromhex("0000803f"))
    tensors = {
        "__metadata__": {"compress_core": HEADER, "sha256": checksum.hexdigest()},
        "fc.bias": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
        "fc.weight:scale": {"dtype": "F32", "shape": [], "data_offsets": [8, 12]},
        "fc.weight:codes": {"dtype": "U8", "shape": [2], "data_offsets": [12, 14]},
    }
    text = json.dumps(tensors, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    # bias 0.5, 0; scale 1; codes 3 0 1 -3 less q_min = -3: 110 011 100 000
    data = bytes.fromhex("0000003f000000000000803fce00")
    assert len(text).to_bytes(8, "little") + text + data == TINY


def test_another_process_writes_the_same_bytes(digits_mlp: Original) -> None:
    code = (
        "import hashlib; from compress_core import Quantize, compress, load_model;"
        "raw = compress(load_model('digits-mlp'), (Quantize(bits=4),)).container;"
        "print(hashlib.sha256(raw).hexdigest())"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    here = compress(digits_mlp, (Quantize(bits=4),)).container
    assert out.stdout.strip() == hashlib.sha256(here).hexdigest()


def test_a_foreign_reader_finds_plain_safetensors() -> None:
    assert set(load(TINY)) == {"fc.bias", "fc.weight:codes", "fc.weight:scale"}


def test_model_and_recipe_come_back() -> None:
    decoded = decode(TINY)
    assert decoded.model == "tiny"
    assert decoded.recipe == json.loads(HEADER)["recipe"]


def test_weights_and_the_rest_come_back() -> None:
    tensors = decode(TINY).dense_tensors
    assert tensors["fc.weight"].tolist() == [[3, 0], [1, -3]]
    assert tensors["fc.bias"].tolist() == [0.5, 0]


def test_a_factor_pair_has_a_key_for_each_factor(digits_cnn: Original) -> None:
    raw = compress(digits_cnn, (Factorize(rank=4, layers=("fc1",)),)).container
    tensors = decode(raw).dense_tensors
    assert tensors["fc1.0.weight"].shape == (4, 512)
    assert tensors["fc1.1.weight"].shape == (64, 4)


def test_a_tied_weight_comes_back_under_all_its_keys(
    animal: Callable[[str], Original],
) -> None:
    decoded = decode(compress(animal("tied"), (Quantize(),)).container)
    assert decoded.tied == {"a.weight": ("b.weight",), "a.bias": ("b.bias",)}
    assert decoded.state_dict["b.weight"] is decoded.state_dict["a.weight"]


def test_norms_and_counters_are_stored_as_they_are(animal: Callable[[str], Original]) -> None:
    original = animal("norm")
    rest = decode(compress(original, (Prune(sparsity=0.5),)).container).rest
    assert set(rest) == {key for key in original.module.state_dict() if key != "conv.weight"}
    assert rest["norm.num_batches_tracked"].dtype == torch.int64


@pytest.mark.parametrize("length", range(0, len(TINY), 7))
def test_a_truncated_file_is_refused(length: int) -> None:
    with pytest.raises(ContainerError):
        decode(TINY[:length])


@given(st.integers(0, len(TINY) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_means_nothing(position: int, change: int) -> None:
    damaged = bytearray(TINY)
    damaged[position] ^= change
    try:
        found = decode(bytes(damaged)).dense_tensors
    except ContainerError:
        return
    # blanks behind the JSON are the only bytes that may differ
    assert TINY[position : position + 1] == b" "
    assert found["fc.weight"].tolist() == [[3, 0], [1, -3]]


@pytest.mark.parametrize("position", range(len(TINY) - 14, len(TINY)))
def test_every_byte_of_the_tensors_is_guarded(position: int) -> None:
    damaged = bytearray(TINY)
    damaged[position] ^= 1
    with pytest.raises(ContainerError, match="damaged: its checksum does not match; copy it anew"):
        decode(bytes(damaged))


@given(st.binary(max_size=80))
def test_arbitrary_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(ContainerError):
        decode(raw)


@given(st.text(max_size=60))
def test_an_arbitrary_header_is_refused(text: str) -> None:
    raw = text.encode()
    with pytest.raises(ContainerError):
        decode(len(raw).to_bytes(8, "little") + raw)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", r"no safetensors file, or a truncated one \(0 bytes\); choose a file"),
        (b"PK\x03\x04" + b"\0" * 40, "no safetensors file, or a truncated one"),
        (b"\x10\x27\0\0\0\0\0\0" + b"[" * 10_000, "no safetensors file"),
        (save({"w": torch.ones(2)}), "no container of ours.*make one with"),
        (save({"w": torch.ones(2)}, {"format": "pt"}), "no container of ours.*make one with"),
        (b'\x16\0\0\0\0\0\0\0{"__metadata__": null}', "no container of ours"),
        (save({}, {"compress_core": HEADER}), "checksum does not match"),
        (save({}, {"compress_core": HEADER, "sha256": "0" * 64}), "checksum does not match"),
        (TINY + b"\0", "truncated or damaged"),
    ],
    ids=[
        "empty",
        "zip",
        "deep",
        "foreign",
        "foreign metadata",
        "null metadata",
        "unsigned",
        "wrong sum",
        "longer",
    ],
)
def test_a_file_that_is_none_of_ours_is_told_so(raw: bytes, words: str) -> None:
    with pytest.raises(ContainerError, match=words):
        decode(raw)


@pytest.mark.parametrize("version", ["0", "2", '"1"', "null"])
def test_another_version_is_refused_by_number(version: str) -> None:
    header = HEADER.replace('"version":1', f'"version":{version}', 1)
    with pytest.raises(ContainerError, match=r"container version .* is not 1; decode it with"):
        decode(signed(header))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "1",
        "{}",
        '{"version":1}',
        '{"version":1,"model":"m","recipe":{},"weights":[]}',
        '{"version":1,"model":"m","recipe":{},"weights":{},"tied":[]}',
        '{"version":1,"model":"m","recipe":{},"weights":{"w":1}}',
        '{"version":1,"model":"m","recipe":{},"weights":{"w":{"shape":[1e999]}}}',
        '{"version":1,"model":"m","recipe":{},"weights":{"w":{"shape":[2],"encoding":"zip"}}}',
        "[" * 10_000,
        HEADER,  # without the tensors that it names
    ],
)
def test_a_well_signed_contradiction_is_refused(text: str) -> None:
    with pytest.raises(ContainerError, match="contradict each other"):
        decode(signed(text))
