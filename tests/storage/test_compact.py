"""The compact form, version 2: its bytes, what comes back of it, and what it refuses."""

import hashlib
import json
import zlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from compress_core.compressed import Compressed, compress
from compress_core.methods.quantization import Quantize
from compress_core.methods.weight_sharing import ShareWeights
from compress_core.models.catalog import MODELS, tensor_shapes
from compress_core.original import Original, load_model
from compress_core.recipe import parse_recipe
from compress_core.storage import entries
from compress_core.storage.bytewise import Reader, varint
from compress_core.storage.compact import encode_compact
from compress_core.storage.container import ContainerError, decode
from compress_core.storage.content import STORED_TYPES
from compress_core.storage.names import read_names, write_names
from tests.storage.readme_examples import README, example_in_the_readme

ROOT = Path(__file__).parents[2]
DATA = Path(__file__).parent / "data"
EVERY_FAMILY = (
    "quantize:bits=3",
    "quantize:bits=7,scheme=asymmetric,granularity=group;quantize_rest",
    "quantize:bits=16,scheme=asymmetric,granularity=tensor",
    "quantize_float:format=nf4,granularity=group",
    "quantize_float:format=bf16",
    "quantize_mx:format=mxint8",
    "quantize_mx:format=nvfp4",
    "binarize",
    "share:clusters=5",
    "share:clusters=9,scope=all",
    "prune:sparsity=0.7",
    "factorize:rank=3;quantize_activations",
)


def tiny() -> Compressed:
    fc = nn.Linear(2, 2)
    fc.weight.data = torch.tensor([[3.0, 0.0], [1.0, -3.0]])
    fc.bias.data = torch.tensor([0.5, 0.0])
    return compress(Original(fc.eval(), (2,), name="tiny"), (Quantize(bits=3),))


TINY = tiny().container
NAMES = b'["tiny","quantize:bits=3",["bias","weight"]]'


def sealed(body: bytes) -> bytes:
    """A file of this body, whose checksum is right."""
    return b"cx\x02" + zlib.crc32(body).to_bytes(4, "little") + body


def test_the_bytes_are_those_of_the_format() -> None:
    bias = bytes.fromhex("01 02 0b 0000003f 00000000")
    # (2, 2), symmetric and packed, 3 bits with BF16 scales of the channels, 2 bytes of codes
    weight = bytes.fromhex("02 02 02 20 25 02 ce00 803f 803f")
    assert sealed(varint(2 * len(NAMES)) + NAMES + bias + weight) == TINY


def test_its_parts_are_the_bytes_of_values_alone() -> None:
    assert tiny().file.parts == decode(TINY).parts == {"bias": 8, "weight": 6}


@pytest.mark.parametrize("text", EVERY_FAMILY)
def test_both_forms_hold_the_same(digits_cnn: Original, text: str) -> None:
    compressed = compress(digits_cnn, parse_recipe(text))
    small, large = decode(compressed.container), decode(compressed.readable.raw)
    assert small.state_dict.keys() == large.state_dict.keys()
    for key, tensor in large.state_dict.items():
        assert small.state_dict[key].dtype == tensor.dtype
        assert small.state_dict[key].numpy().tobytes() == tensor.numpy().tobytes()
    assert (small.model, small.inputs, small.recipe) == ("digits-cnn", large.inputs, text)
    assert len(compressed.container) < len(compressed.readable.raw)


@pytest.mark.parametrize("text", EVERY_FAMILY)
def test_what_was_read_is_written_again_to_the_same_bytes(digits_cnn: Original, text: str) -> None:
    raw = compress(digits_cnn, parse_recipe(text)).container
    found = decode(raw)
    assert isinstance(found.recipe, str)
    again = encode_compact(
        found.weights,
        found.rest,
        tied=found.tied,
        model=found.model,
        recipe=found.recipe,
        inputs=found.inputs,
    )
    assert (again.raw, again.parts) == (raw, found.parts)


def test_a_file_of_version_1_still_decodes_to_the_same_bits() -> None:
    card = json.loads((DATA / "version-1.json").read_text())
    raw = (DATA / "version-1.safetensors").read_bytes()
    assert len(raw) == card["bytes"]
    assert tensors_sha256(raw) == card["tensors_sha256"]
    today = compress(load_model("digits-cnn"), parse_recipe(card["recipe"])).readable.raw
    assert tensors_sha256(today) == card["tensors_sha256"]
    assert len(today) <= len(raw)  # a newer coder may have made it smaller


def tensors_sha256(raw: bytes) -> str:
    """Of all keys, types, shapes and values of a file."""
    digest = hashlib.sha256()
    for key, tensor in sorted(decode(raw).state_dict.items()):
        digest.update(f"{key} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize("name", MODELS)
def test_the_header_of_a_reference_network_is_small(name: str) -> None:
    made = compress(load_model(name), parse_recipe("prune:sparsity=0.9;quantize:bits=5"))
    header = len(made.container) - sum(made.file.parts.values())
    assert header <= 200 + 12 * len(made.layers)


def test_the_header_of_another_network_is_small_too() -> None:
    widths = (8, 16, 24, 32, 16, 8, 4)
    layers = [nn.Linear(a, b) for a, b in pairwise(widths)]
    made = compress(Original(nn.Sequential(*layers).eval(), (8,)), (Quantize(bits=4),))
    assert len(made.container) - sum(made.file.parts.values()) <= 200 + 12 * len(made.layers)


@pytest.mark.parametrize("name", MODELS)
def test_derived_keys_and_shapes_are_those_of_the_checkpoint(name: str) -> None:
    state = load_model(name).module.state_dict()
    expected = [(key, tuple(state[key].shape)) for key in sorted(state)]
    assert list(tensor_shapes(name).items()) == expected


def test_the_numbers_in_the_files_stay() -> None:
    assert entries.CODER_NUMBERS[:4] == ("packed", "ans", "context", "huffman")
    assert entries.CODER_NUMBERS[4:8] == ("gap_ans", "gap_huffman", "masked", "masked_ans")
    assert entries.CODER_NUMBERS[8:] == ("adaptive",)
    assert entries.FORMATS == ("fp16", "bf16", "fp8_e4m3", "fp8_e5m2", "fp4_e2m1", "nf4")
    assert entries.BLOCK_FORMATS[:2] == ("mxfp8_e4m3", "mxfp8_e5m2")
    assert entries.BLOCK_FORMATS[2:4] == ("mxfp6_e2m3", "mxfp6_e3m2")
    assert entries.BLOCK_FORMATS[4:] == ("mxfp4", "mxint8", "nvfp4")
    assert set(entries.TYPES) == STORED_TYPES


def test_a_common_codebook_stands_in_the_file_once(digits_cnn: Original) -> None:
    compressed = compress(digits_cnn, (ShareWeights(16, scope="all"),))
    codebook = compressed.layers["fc1"].weights[0].codes.codebook  # type: ignore[union-attr]
    assert compressed.container.count(codebook.numpy().tobytes()) == 1
    weights = decode(compressed.container).weights.values()
    assert len({id(weight.codes.codebook) for weight in weights}) == 1  # type: ignore[union-attr]


def test_a_codebook_that_half_precision_holds_takes_two_bytes_an_entry() -> None:
    weight = torch.arange(16.0).view(4, 4) / 8
    fc = nn.Linear(4, 4)
    fc.weight.data = weight
    made = compress(Original(fc.eval(), (4,)), (ShareWeights(16, keep_zeros=False),))
    assert made.file.parts["weight"] == 16 * 2 + 8
    assert torch.equal(decode(made.container).state_dict["weight"], weight)


def test_a_tied_weight_comes_back_under_all_its_keys(animal: Callable[[str], Original]) -> None:
    decoded = decode(compress(animal("tied"), (Quantize(),)).container)
    assert decoded.tied == {"a.weight": ("b.weight",), "a.bias": ("b.bias",)}


@pytest.mark.parametrize("dtype", sorted(STORED_TYPES, key=str), ids=str)
def test_every_type_comes_back_as_it_was(dtype: torch.dtype) -> None:
    values = torch.arange(6).view(2, 3).to(dtype)
    rest = {"matrix": values.T, "number": values[1, 1], "nothing": values[:0]}
    raw = encode_compact(decode(TINY).weights, rest, tied={}, model="tiny", recipe="").raw
    for key, found in decode(raw).rest.items():
        assert (found.dtype, found.shape) == (dtype, rest[key].shape)
        assert found.tolist() == rest[key].tolist()


@pytest.mark.parametrize("tensor", [torch.ones(4).to_sparse(), torch.ones(4).to(torch.complex128)])
def test_a_type_that_no_file_holds_is_refused_when_written(tensor: Tensor) -> None:
    with pytest.raises(ContainerError, match=r"b is torch.*persistent=False"):
        encode_compact({}, {"b": tensor}, tied={}, model="tiny", recipe="")


def test_more_weights_than_can_be_read_are_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = decode(TINY).weights
    monkeypatch.setattr("compress_core.storage.content.MAX_WEIGHTS", 3)
    with pytest.raises(ContainerError, match="4 weights are more than the 3 of one file"):
        encode_compact(weights, {}, tied={}, model="tiny", recipe="")


@pytest.mark.parametrize("length", range(len(TINY)))
def test_a_truncated_file_is_refused(length: int) -> None:
    with pytest.raises(ContainerError):
        decode(TINY[:length])


@pytest.mark.parametrize("position", range(len(TINY)))
def test_every_byte_is_guarded(position: int) -> None:
    for bit in range(8):
        damaged = bytearray(TINY)
        damaged[position] ^= 1 << bit
        with pytest.raises(ContainerError):
            decode(bytes(damaged))


@given(st.binary(max_size=80))
def test_arbitrary_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(ContainerError):
        decode(b"cx" + raw)


@given(st.binary(max_size=80))
def test_an_arbitrary_body_with_its_checksum_is_refused(body: bytes) -> None:
    with pytest.raises(ContainerError):
        decode(sealed(body))


@given(st.integers(7, len(TINY) - 1), st.integers(1, 255))
def test_a_forged_byte_gives_finite_weights_or_is_refused(position: int, change: int) -> None:
    forged = bytearray(TINY)
    forged[position] ^= change
    try:
        found = decode(sealed(bytes(forged[7:])))
    except ContainerError:
        return
    assert all(weight.values.isfinite().all() for weight in found.weights.values())


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"cx", "truncated or damaged: its checksum does not match; copy it anew"),
        (b"cx\x03" + TINY[3:], "container version 3 is not 2; decode it with the release"),
        (TINY + b"\0", "its checksum does not match"),
        (sealed(TINY[7:] + b"\0"), "1 bytes follow the last tensor"),
        (sealed(TINY[7:-1]), "4 bytes at .* where only 3 are left"),
        (sealed(b"\x04[]"), "the names are no list of one to five"),
        (sealed(b"\x06[1]"), "model must be a name, recipe a text"),
        (sealed(b'\x0a["m"]'), "names no tensors, and 'm' is no reference network"),
        (sealed(b"\x03\x07"), "the names cannot be inflated"),
        (sealed(b"\xff" * 20), "above 2⁶³"),
    ],
    ids=["short", "version", "long", "more", "less", "empty", "number", "m", "deflated", "varint"],
)
def test_a_file_that_cannot_be_is_told_so(raw: bytes, words: str) -> None:
    with pytest.raises(ContainerError, match=words):
        decode(raw)


def names(text: str) -> bytes:
    return varint(2 * len(text)) + text.encode()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("01 04 20 21 01 00 803f", "1 bytes for 4 codes of 3 bits, not 2"),
        ("00 20 21 00", "at least 1 each"),
        ("02 02 02 2f 21 02 ce00 803f", "index out of range"),  # no such coder
        ("02 02 02 20 91 02 ce00 803f", "bits=10 is not one of"),
        ("02 02 02 20 21 02 ffff 803f", "lies beyond the 7"),
        ("02 02 02 20 21 02 ce00 c07f", "a scale|NaN"),
        ("02 02 02 20 21 02 ce00 0000", "a scale is not positive"),
        ("02 02 02 60 04 05 02 ce00", "list index out of range"),  # an earlier codebook
        ("02 04 8080808001 21 21 02 00fe 803f", "weights are more than"),
    ],
)
def test_a_forged_entry_is_refused(body: str, words: str) -> None:
    with pytest.raises(ContainerError, match=f"contradict each other: .*({words})|more than"):
        decode(sealed(names('["m","",["w"]]') + bytes.fromhex(body)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('["m","",["w","w"]]', r"keys of two tensors.*\['w'\]"),
        ('["m","",["w"],{"v":["u"]}]', r"of no tensor: \['v'\]"),
        ('["m","",["w"],{"w":"ab"}]', "tied must be an object of lists"),
        ('["m","",["w"],{},{"fc":99}]', "inputs of fc: bits=99 must be at least 1"),
        ('["m",1,["w"]]', "recipe a text"),
    ],
)
def test_forged_names_are_refused(text: str, words: str) -> None:
    with pytest.raises(ContainerError, match=words):
        decode(sealed(names(text) + bytes.fromhex("01 02 0b 0000003f 00000000")))


def test_names_that_inflate_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compress_core.storage.names.MAX_TEXT", 1000)
    squeeze = zlib.compressobj(9, wbits=-15)
    chunk = squeeze.compress(b'["' + b"m" * 10_000 + b'"]') + squeeze.flush()
    with pytest.raises(ContainerError, match="longer than 1000 bytes"):
        decode(sealed(varint(2 * len(chunk) + 1) + chunk))


def test_names_as_older_files_deflate_them_are_read() -> None:
    text = b'["tiny","quantize:bits=2",["bias","weight"]]'
    squeeze = zlib.compressobj(9, wbits=-15)
    chunk = squeeze.compress(text) + squeeze.flush()
    found = decode(sealed(varint(2 * len(chunk) + 1) + chunk + TINY[8 + len(text) :]))
    assert (found.model, found.recipe) == ("tiny", "quantize:bits=2")


def test_long_names_are_deflated_with_the_words_that_the_readme_lists() -> None:
    block = README.read_text().partition("without line ends.")[2].partition("Empty parts")[0]
    words = "".join(line.strip() for line in block.splitlines()).encode()
    recipe = "prune:sparsity=0.95;quantize:bits=4,granularity=channel"
    written = write_names(["digits-cnn", recipe, None])
    assert len(written) < 20
    assert (written[0], written[1]) == (2 * (len(written) - 1), 0)
    text = zlib.decompressobj(-15, zdict=words).decompress(written[2:])
    assert json.loads(text) == ["digits-cnn", recipe]
    assert read_names(Reader(written)) == ["digits-cnn", recipe]


@given(st.integers(0, 2**63 - 1))
def test_a_number_comes_back(number: int) -> None:
    reader = Reader(varint(number))
    assert (reader.number(), reader.left) == (number, 0)


def test_the_readmes_example_is_the_file_byte_by_byte() -> None:
    fc = nn.Linear(2, 2)
    fc.weight.data = torch.tensor([[0.5, 0.0], [-0.5, 0.5]])
    fc.bias.data = torch.tensor([1.0, -2.0])
    compressed = compress(Original(fc.eval(), (2,), name="tiny"), (Quantize(bits=2),))
    assert compressed.container == example_in_the_readme("The same Linear as a network", "\n### ")


def test_the_readmes_example_is_decoded_by_its_text_alone() -> None:
    raw = example_in_the_readme("The same Linear as a network", "\n### ")
    assert raw[:3] == b"cx\x02"
    assert int.from_bytes(raw[3:7], "little") == zlib.crc32(raw[7:])
    names, body = raw[8 : 8 + raw[7] // 2], raw[8 + raw[7] // 2 :]
    assert json.loads(names) == ["tiny", "quantize:bits=2", ["bias", "weight"]]
    assert (list(body[:2]), body[2] // 16, body[2] % 16) == ([1, 2], 0, 11)  # (2,), as it is, F32
    assert np.frombuffer(body[3:11], "<f4").tolist() == [1, -2]
    assert (list(body[11:14]), body[14]) == ([2, 2, 2], 16 * 2)  # (2, 2), symmetric and packed
    width, granularity, bits = body[15] % 4, body[15] // 4 % 4, body[15] // 16 + 1
    assert (width, granularity, bits, body[16]) == (1, 1, 2, 1)
    digits = np.unpackbits(np.frombuffer(body[17:18], np.uint8)).reshape(-1, 2)
    codes = (digits @ [2, 1] - 1).reshape(2, 2)
    halves = np.frombuffer(body[18:], "<u2").astype("<u4") << 16  # BF16 are the upper half of F32
    assert (codes * halves.view("<f4")[:, None]).tolist() == [[0.5, 0.0], [-0.5, 0.5]]
