"""The readable form, version 1: its bytes, what comes back of it, and what it refuses."""

import hashlib
import json
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load, save
from torch import Tensor, nn

from compress_core.compressed import Compressed, compress
from compress_core.methods.low_rank import Factorize
from compress_core.methods.pruning import Prune
from compress_core.methods.quantization import Quantize, QuantizeActivations
from compress_core.methods.quantization.floats import NF4
from compress_core.methods.step import Step
from compress_core.original import Original
from compress_core.storage.container import ContainerError, decode
from compress_core.storage.content import STORED_TYPES
from compress_core.storage.readable import _checksum, encode_readable
from tests.storage.readme_examples import example_in_the_readme

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


TINY = tiny().readable.raw


def signed(text: str) -> bytes:
    """A safetensors file without tensors whose header text carries its right checksum."""
    return sign(text, {})


def sign(text: str, tensors: dict[str, Tensor]) -> bytes:
    return save(tensors, {"compress_core": text, "sha256": _checksum(text, tensors)})


def one_layer(*recipe: Step) -> bytes:
    """The file of one layer `fc`, (4, 64), with a bias."""
    fc = nn.Linear(64, 4)
    fc.weight.data = torch.randn(4, 64, generator=torch.Generator().manual_seed(0))
    original = Original(nn.Sequential(OrderedDict(fc=fc)).eval(), (64,))
    return compress(original, recipe).readable.raw


FILES = {
    "dense": one_layer(),
    "masked": one_layer(Prune(sparsity=0.5)),
    "symmetric": one_layer(Quantize(bits=3)),
    "groups": one_layer(Quantize(bits=4, scheme="asymmetric", granularity="group")),
}


def forged(
    file: str,
    entry: dict[str, Any],
    tensors: dict[str, Tensor | None],
    header: dict[str, Any] | None = None,
) -> bytes:
    """The file with other fields of the weight's entry, the tensors and the header, signed anew."""
    raw = FILES[file]
    text = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])["__metadata__"]
    changed = json.loads(text["compress_core"]) | (header or {})
    changed["weights"]["fc.weight"] |= entry
    kept = {key: tensor for key, tensor in (load(raw) | tensors).items() if tensor is not None}
    return sign(json.dumps(changed), kept)


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
        "raw = compress(load_model('digits-mlp'), (Quantize(bits=4),)).readable.raw;"
        "print(hashlib.sha256(raw).hexdigest())"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    here = compress(digits_mlp, (Quantize(bits=4),)).readable.raw
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
    raw = compress(digits_cnn, (Factorize(rank=4, layers=("fc1",)),)).readable.raw
    tensors = decode(raw).dense_tensors
    assert tensors["fc1.0.weight"].shape == (4, 512)
    assert tensors["fc1.1.weight"].shape == (64, 4)


def test_a_tied_weight_comes_back_under_all_its_keys(
    animal: Callable[[str], Original],
) -> None:
    decoded = decode(compress(animal("tied"), (Quantize(),)).readable.raw)
    assert decoded.tied == {"a.weight": ("b.weight",), "a.bias": ("b.bias",)}
    assert decoded.state_dict["b.weight"] is decoded.state_dict["a.weight"]


def test_norms_and_counters_are_stored_as_they_are(animal: Callable[[str], Original]) -> None:
    original = animal("norm")
    rest = decode(compress(original, (Prune(sparsity=0.5),)).readable.raw).rest
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


W, CODES, SCALE, ZERO = (
    "fc.weight:weight",
    "fc.weight:codes",
    "fc.weight:scale",
    "fc.weight:zero_point",
)
MASK, KEPT = "fc.weight:mask", "fc.weight:kept"
ONES = torch.ones(4)
PACKED = {"encoding": "packed"}
FULL = torch.full((96,), 255, dtype=torch.uint8)  # 256 codes of 3 bits, each one too high
CONSTANT = torch.tensor([255, 255] + [0] * 12, dtype=torch.uint8)  # a table of 7 symbols, no words


@pytest.mark.parametrize("file", FILES)
def test_a_file_signed_anew_but_unchanged_is_read(file: str) -> None:
    expected, found = decode(FILES[file]).state_dict, decode(forged(file, {}, {})).state_dict
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)


@pytest.mark.parametrize(
    ("file", "entry", "tensors", "words"),
    [
        ("symmetric", {"bits": 10**11}, {}, "bits=100000000000 is not one of 1, 2, 3"),
        ("symmetric", {"bits": 3.7}, {}, r"bits=3\.7 is not one of"),
        ("symmetric", {"bits": 3.0}, {}, r"bits=3\.0 is not one of"),
        ("symmetric", {"bits": "3"}, {}, "bits='3' is not one of"),
        ("symmetric", {"bits": None}, {}, "bits=None is not one of"),
        (
            "symmetric",
            PACKED | {"bits": 4},
            {CODES: FULL},
            "96 bytes for 256 codes of 4 bits, not 128",
        ),
        ("symmetric", {"scheme": "foo"}, {}, "scheme='foo' is not one of symmetric, asymmetric"),
        ("symmetric", {"scheme": "asymmetric"}, {}, "the streams are .* not .*'zero_point'"),
        ("symmetric", {"encoding": []}, {}, r"encoding=\[\] is not one of"),
        ("symmetric", {"shape": [4.0, 64]}, {}, r"shape=\[4.0, 64\] must be a list of whole"),
        ("symmetric", {"shape": [8, 32]}, {}, r"scale is torch.float32 \[4\], not .* \[8\]"),
        ("symmetric", {}, {SCALE: ONES * torch.nan}, "the weights hold NaN or infinite values"),
        ("symmetric", {}, {SCALE: ONES * torch.inf}, "the weights hold NaN or infinite values"),
        ("symmetric", {}, {SCALE: ONES * 3e38}, "the weights hold NaN or infinite values"),
        ("symmetric", {}, {SCALE: ONES * 0}, "a scale is not positive"),
        (
            "symmetric",
            {},
            {SCALE: ONES.double()},
            r"scale is torch.float64 \[4\], not torch.float32",
        ),
        ("symmetric", {}, {SCALE: ONES.long()}, r"scale is torch.int64 \[4\]"),
        ("symmetric", {}, {SCALE: ONES[:1]}, r"scale is .* \[1\], not torch.float32 \[\] or \[4\]"),
        ("symmetric", {}, {SCALE: None}, "the streams are"),
        ("symmetric", {}, {ZERO: ONES.to(torch.uint16)}, "the streams are .*'zero_point'"),
        ("symmetric", {}, {"fc.weight:more": ONES}, "the streams are .*'more'"),
        ("symmetric", {}, {"fc.weight": ONES}, r"keys of two tensors.*\['fc.weight'\]"),
        ("symmetric", PACKED, {CODES: FULL}, "lies beyond the 7"),
        ("symmetric", {}, {CODES: torch.zeros(96)}, "codes is torch.float32"),
        ("symmetric", {}, {CODES: torch.zeros(8, 12, dtype=torch.uint8)}, r"codes is .* \[8, 12\]"),
        ("groups", {"group_size": 64}, {}, r"scale is torch.float32 \[4, 2\], not .* \[4, 1\]"),
        ("groups", {"group_size": 0}, {}, "group_size=0 must be at least 1"),
        ("groups", {"group_size": 32.0}, {}, "group_size=32.0 must be a whole number"),
        ("groups", {"group_size": None}, {}, "group_size=None is no number"),
        ("groups", {"scheme": "symmetric"}, {}, "the streams are .*'zero_point'"),
        ("groups", {}, {ZERO: None}, "the streams are .* not .*'zero_point'"),
        ("groups", {}, {ZERO: torch.full((4, 2), 0.5)}, "zero_point is torch.float32"),
        ("groups", {}, {ZERO: torch.full((4, 2), 16).to(torch.uint16)}, "zero_point lies above 15"),
        ("groups", {}, {ZERO: torch.zeros(4, dtype=torch.uint16)}, r"\[4\], not .* \[4, 2\]"),
        ("dense", {}, {W: torch.ones(4, 64).double()}, "weight is torch.float64"),
        ("dense", {}, {W: torch.ones(4, 64).int()}, "weight is torch.int32"),
        ("dense", {}, {W: torch.ones(64, 4)}, r"\[64, 4\], not torch.float32 \[4, 64\]"),
        (
            "dense",
            {},
            {W: torch.full((4, 64), torch.nan)},
            "the weights hold NaN or infinite values",
        ),
        ("masked", {}, {KEPT: ONES[:1]}, r"kept is .* \[1\], not torch.float32 \[128\]"),
        (
            "masked",
            {},
            {KEPT: torch.full((128,), torch.inf)},
            "the weights hold NaN or infinite values",
        ),
        ("masked", {}, {MASK: None}, "the streams are"),
    ],
)
def test_a_forged_weight_is_refused(
    file: str, entry: dict[str, Any], tensors: dict[str, Tensor | None], words: str
) -> None:
    with pytest.raises(ContainerError, match=f"contradict each other: .*{words}"):
        decode(forged(file, entry, tensors))


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"tied": {"nope": ["fc2.weight"]}}, r"of no tensor: \['nope'\]"),
        ({"tied": {"fc.weight": ["fc.bias"]}}, r"keys of two tensors.*\['fc.bias'\]"),
        ({"tied": {"fc.bias": ["fc.weight"]}}, r"keys of two tensors.*\['fc.weight'\]"),
        ({"tied": {"fc.bias": ["a", "a"]}}, r"keys of two tensors.*\['a'\]"),
        ({"tied": {"fc.bias": [1]}}, r"no names: \[1\]"),
        ({"tied": {"fc.bias": "ab"}}, "tied must be an object of lists"),
        ({"inputs": {"fc": 0}}, "inputs of fc: bits=0 must be at least 1 and below 17"),
        ({"inputs": {"fc": "8"}}, "inputs of fc: bits='8' is no number"),
        ({"inputs": [8]}, "contradict each other"),
        ({"model": 5}, "model must be a name"),
        ({"recipe": []}, "recipe an object"),
    ],
)
def test_a_forged_header_is_refused(header: dict[str, Any], words: str) -> None:
    with pytest.raises(ContainerError, match=words):
        decode(forged("symmetric", {}, {}, header))


def test_a_constant_weight_without_end_is_refused_before_it_is_made() -> None:
    raw = forged("symmetric", {"encoding": "ans", "shape": [4, 2**26 + 1]}, {CODES: CONSTANT})
    with pytest.raises(ContainerError, match="268435460 weights are more than the 268435456"):
        decode(raw)


def test_the_bound_is_on_all_weights_together() -> None:
    part = {"encoding": "ans", "shape": [4, 2**25], "bits": 3, "scheme": "symmetric"}
    header = {"weights": {"fc.weight": part, "a": part, "b": part}}
    with pytest.raises(ContainerError, match="402653184 weights are more than"):
        decode(forged("symmetric", {}, {CODES: CONSTANT}, header))


def test_memory_that_runs_out_is_told_as_a_damaged_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def run_out(*_: object) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr("compress_core.storage.readable.decode_streams", run_out)
    with pytest.raises(ContainerError, match="no room"):
        decode(TINY)


def test_keys_may_hold_colons() -> None:
    module = nn.Sequential(OrderedDict(part=nn.ModuleDict({"a:b": nn.Linear(4, 3)})))
    module.forward = lambda x: module[0]["a:b"](x)  # type: ignore[method-assign]
    compressed = compress(Original(module.eval(), (4,)), (Quantize(bits=4),))
    found = decode(compressed.readable.raw).state_dict
    assert set(found) == {"part.a:b.weight", "part.a:b.bias"}
    assert torch.equal(found["part.a:b.weight"], compressed.module.state_dict()["part.a:b.weight"])


def test_a_key_that_reads_as_a_stream_is_refused_when_written() -> None:
    weights = decode(TINY).weights
    with pytest.raises(ContainerError, match=r"fc\.weight:codes would be read as a stream"):
        encode_readable(weights, {"fc.weight:codes": ONES}, tied={}, model="tiny", recipe={})


@pytest.mark.parametrize(
    ("name", "tensor", "words"),
    [
        ("__metadata__", ONES, "__metadata__ is no name for a tensor in safetensors; rename it"),
        ("b", ONES.to_sparse(), r"b is torch.float32 \(torch.sparse_coo\), which .* not store"),
        ("b", ONES.to(torch.complex128), r"b is torch.complex128 .*persistent=False"),
    ],
)
def test_a_tensor_that_safetensors_does_not_know_is_refused_when_written(
    name: str, tensor: Tensor, words: str
) -> None:
    with pytest.raises(ContainerError, match=words):
        encode_readable(decode(TINY).weights, {name: tensor}, tied={}, model="tiny", recipe={})


@pytest.mark.parametrize("dtype", sorted(STORED_TYPES, key=str), ids=str)
def test_every_other_type_comes_back_as_it_was(dtype: torch.dtype) -> None:
    values = torch.arange(6).view(2, 3).to(dtype)
    rest = {"matrix": values.T, "number": values[1, 1], "nothing": values[:0]}
    if dtype.is_complex:
        rest["view"] = (values * 1j).conj()
    raw = encode_readable(decode(TINY).weights, rest, tied={}, model="tiny", recipe={}).raw
    for key, found in decode(raw).rest.items():
        assert (found.dtype, found.shape) == (dtype, rest[key].shape)
        assert found.tolist() == rest[key].tolist()


def test_a_weight_with_another_name_is_stored_once_and_under_both() -> None:
    module = nn.Sequential(OrderedDict(fc=nn.Linear(4, 3)))
    module.register_parameter("again", module.fc.weight)  # before "fc.weight" in the state dict
    compressed = compress(Original(module.eval(), (4,)), (Quantize(bits=4),))
    decoded = decode(compressed.readable.raw)
    assert decoded.tied == {"fc.weight": ("again",)}
    assert torch.equal(decoded.state_dict["again"], compressed.module.again)


def test_the_file_tells_whose_inputs_are_rounded(digits_mlp: Original) -> None:
    step = QuantizeActivations(bits=5, mode="dynamic", layers=("fc1", "fc2"))
    assert decode(compress(digits_mlp, (step,)).readable.raw).inputs == {"fc1": 5, "fc2": 5}
    assert decode(TINY).inputs == {}


def test_more_weights_than_can_be_read_are_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = decode(TINY).weights
    monkeypatch.setattr("compress_core.storage.content.MAX_WEIGHTS", 3)
    with pytest.raises(ContainerError, match="4 weights are more than the 3 of one file"):
        encode_readable(weights, {}, tied={}, model="tiny", recipe={})


def test_the_readmes_example_is_the_file_byte_by_byte() -> None:
    fc = nn.Linear(2, 2)
    fc.weight.data = torch.tensor([[0.5, 0.0], [-0.5, 0.5]])
    fc.bias.data = torch.tensor([1.0, -2.0])
    original = Original(nn.Sequential(OrderedDict(fc=fc)).eval(), (2,), name="tiny")
    step = Quantize(bits=2, granularity="tensor")
    assert compress(original, (step,)).readable.raw == example_in_the_readme(
        "One file, byte by byte", "q_min is"
    )


def test_the_readmes_example_is_decoded_by_its_text_alone() -> None:
    raw = example_in_the_readme("One file, byte by byte", "q_min is")
    start = 8 + int.from_bytes(raw[:8], "little")
    entries = json.loads(raw[8:start])
    data = {
        name: raw[start:][slice(*entry["data_offsets"])]
        for name, entry in entries.items()
        if name != "__metadata__"
    }
    header = json.loads(entries["__metadata__"]["compress_core"])
    (shape, bits) = (header["weights"]["fc.weight"][field] for field in ("shape", "bits"))
    q_max = 2 ** (bits - 1) - 1
    digits = np.unpackbits(np.frombuffer(data["fc.weight:codes"], np.uint8)).reshape(-1, 2)
    codes = digits @ [2, 1] - q_max
    scale = np.frombuffer(data["fc.weight:scale"], "<f4")
    assert (codes * scale).reshape(shape).tolist() == [[0.5, 0.0], [-0.5, 0.5]]
    assert np.frombuffer(data["fc.bias"], "<f4").tolist() == [1, -2]


def test_the_readme_gives_the_values_of_nf4_in_their_order() -> None:
    text = (ROOT / "README.md").read_text().partition("`nf4`, as float32, ")[2]
    values = text.partition(". `sign_`")[0].replace("−", "-").split(",")
    assert torch.tensor([float(value) for value in values]).equal(NF4)
