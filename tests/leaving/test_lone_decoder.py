"""The lone decoder: without torch and without us it reads what we wrote, bit for bit."""

import json
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file
from torch import Tensor

from compress_core.compressed import compress
from compress_core.leaving import lone_decoder
from compress_core.leaving.decoder import decoder_source, network_table
from compress_core.methods.weight_sharing import ShareWeights, share
from compress_core.models.catalog import MODELS, tensor_shapes
from compress_core.original import Original, load_model
from compress_core.recipe import parse_recipe
from compress_core.storage.bytewise import varint
from compress_core.storage.container import decode, encode_compact, encode_readable
from compress_core.storage.content import STORED_TYPES
from compress_core.storage.entropy_coding import CODERS
from compress_core.storage.names import WORDS
from compress_core.storage.streams import DECODERS, StoredWeight, weight_of
from tests.storage.readme_examples import example_in_the_readme
from tests.storage.test_compact import DATA, EVERY_FAMILY, TINY, sealed
from tests.storage.test_readable import TINY as READABLE
from tests.storage.test_streams import WEIGHTS, pruned
from tests.zoo.networks import NETWORKS
from tests.zoo.test_every_step import CHAINS, able, original_of

RECIPES = (
    "prune:sparsity=0.9;quantize:bits=4",
    "quantize:bits=7,scheme=asymmetric,granularity=group;quantize_rest:bits=6,scales=fp16",
    "factorize:energy=0.8;share:clusters=9,scope=all",
    "prune:sparsity=0.5;quantize_float:format=fp8_e4m3",
    "quantize_mx:format=mxfp6_e3m2",
    "prune:sparsity=0.6;quantize_mx:format=nvfp4",
    "prune:sparsity=0.7",
)
# Runs the decoder's file in a Python that finds neither torch nor anything of ours.
ALONE = """
import runpy, sys
from pathlib import Path
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "compress_core", "constriction", "safetensors"}:
            raise ImportError(f"{name} is blocked")
sys.meta_path.insert(0, Blocked())
decoder, *files = sys.argv[1:]
main = runpy.run_path(decoder)["main"]
codes = [main([file, f"{file}.npz"]) for file in files]
assert not {"torch", "compress_core"} & {name.partition(".")[0] for name in sys.modules}
sys.exit(max(codes))
"""


def run_alone(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    """The decoder in a Python of its own, started in `folder`."""
    (folder / "lone_decoder.py").write_text(decoder_source(), encoding="utf-8")
    command = [sys.executable, "-I", "-W", "error", "-c", ALONE, folder / "lone_decoder.py"]
    return subprocess.run(
        [*map(str, (*command, *arguments))], cwd=folder, capture_output=True, text=True
    )


def as_numpy(tensor: Tensor) -> np.ndarray:
    """numpy has no 8-bit floats."""
    return (tensor.float() if "float8" in str(tensor.dtype) else tensor).contiguous().numpy()


def assert_same(found: dict[str, np.ndarray], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for key, tensor in expected.items():
        array = as_numpy(tensor)
        assert (found[key].dtype, found[key].shape) == (array.dtype, array.shape), key
        assert found[key].tobytes() == array.tobytes(), key


def files_of_every_encoding() -> Iterator[tuple[str, bytes]]:
    """Each encoding of each kind of weight, in both forms; beside it the type of a tensor."""
    for weight in (*WEIGHTS.values(), shared(), *transposed()):
        for streams in weight.candidates:
            chosen = StoredWeight(weight.profile, weight.codes, weight.transposed)
            vars(chosen)["streams"] = streams
            name = streams.header["encoding"]
            yield name, encode_compact({"w": chosen}, {}, tied={}, model="m", recipe="").raw
            yield name, encode_readable({"w": chosen}, {}, tied={}, model="m", recipe={}).raw


def shared() -> StoredWeight:
    return weight_of(share(pruned(0.5), ShareWeights(clusters=7)))


def transposed() -> list[StoredWeight]:
    profile = WEIGHTS["dense"].profile
    return [StoredWeight(profile, transposed=groups) for groups in (1, 4)]


def files_of_the_zoo() -> Iterator[bytes]:
    for name in NETWORKS:
        for steps in (CHAINS["all"], ("share:clusters=9,scope=all",)):
            compressed = compress(original_of(name), able(name, steps))
            yield compressed.container
            yield compressed.readable.raw


def files_of_every_type() -> Iterator[bytes]:
    for dtype in STORED_TYPES:
        values = torch.arange(6).view(2, 3).to(dtype)
        rest = {"matrix": values.T, "number": values[1, 1], "nothing": values[:0]}
        yield encode_compact({}, rest, tied={}, model="m", recipe="").raw
        yield encode_readable({}, rest, tied={}, model="m", recipe={}).raw


def files_of_the_documentation() -> Iterator[bytes]:
    yield example_in_the_readme("The same Linear as a network", "\n### ")
    yield example_in_the_readme("One file, byte by byte", "\nq_min is")
    yield (DATA / "version-1.safetensors").read_bytes()
    yield compress(load_model("digits-cnn"), parse_recipe(EVERY_FAMILY[-1])).container


@pytest.fixture(scope="module")
def every_file() -> list[bytes]:
    encodings = [raw for _, raw in files_of_every_encoding()]
    others = (*files_of_the_zoo(), *files_of_every_type(), *files_of_the_documentation())
    return [*encodings, *others]


def test_every_encoding_is_among_the_files() -> None:
    read_only = {"adaptive_mask"}
    assert {name for name, _ in files_of_every_encoding()} == DECODERS.keys() - read_only


def test_every_file_is_read_alone_bit_for_bit(every_file: list[bytes], tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.cx" for i in range(len(every_file))]
    for path, raw in zip(paths, every_file, strict=True):
        path.write_bytes(raw)
    done = run_alone(*paths, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for path, raw in zip(paths, every_file, strict=True):
        with np.load(f"{path}.npz") as found:
            assert_same(dict(found), decode(raw).state_dict)


@pytest.mark.parametrize("name", MODELS)
def test_reference_networks_are_read_bit_for_bit(name: str) -> None:
    for recipe in RECIPES:
        compressed = compress(load_model(name), parse_recipe(recipe))
        for raw in (compressed.container, compressed.readable.raw):
            assert_same(lone_decoder.decode(raw), decode(raw).dense_tensors)


def test_a_mask_in_the_adaptive_code_is_read() -> None:
    mask = (pruned(0.95) != 0).int().numpy()
    stream = CODERS["adaptive"].encode(mask, 2)
    assert np.array_equal(lone_decoder.read_symbols(stream, "adaptive", 2, mask.shape), mask)


@given(st.integers(1, 30), st.integers(1, 30), st.integers(2, 300), st.floats(0, 1), st.integers())
def test_every_coder_gives_back_what_ours_wrote(
    rows: int, columns: int, alphabet: int, density: float, seed: int
) -> None:
    random = np.random.default_rng(abs(seed))
    symbols = random.integers(0, alphabet, (rows, columns)) * (
        random.random((rows, columns)) < density
    )
    for name, coder in CODERS.items():
        if coder.takes(alphabet, (rows, columns)):
            stream = coder.encode(symbols.astype(np.int32), alphabet)
            found = lone_decoder.read_symbols(stream, name, alphabet, (rows, columns))
            assert np.array_equal(found, symbols), name


@pytest.mark.parametrize("name", MODELS)
def test_it_knows_the_tensors_of_the_reference_networks(name: str) -> None:
    assert list(lone_decoder.network_shapes(name).items()) == list(tensor_shapes(name).items())


def test_its_tables_are_those_of_the_project() -> None:
    assert lone_decoder.NETWORKS.strip() == network_table()  # else paste what that prints
    assert lone_decoder.WORDS.encode() == WORDS


def test_the_further_keys_of_tied_tensors_are_told(animal: Callable[[str], Original]) -> None:
    found = lone_decoder.read(compress(animal("tied"), ()).container)
    assert found.tied == {"a.weight": ["b.weight"], "a.bias": ["b.bias"]}


@pytest.mark.parametrize("form", ["compact", "readable"])
def test_rounded_inputs_are_told(digits_cnn: Original, form: str) -> None:
    compressed = compress(digits_cnn, parse_recipe("quantize_activations:bits=6,layers=fc*"))
    raw = compressed.container if form == "compact" else compressed.readable.raw
    assert lone_decoder.read(raw).inputs == {"fc1": 6, "fc2": 6}


def test_it_writes_safetensors_and_names_each_tensor(tmp_path: Path) -> None:
    (tmp_path / "a.cx").write_bytes(TINY)
    out = tmp_path / "a.safetensors"
    assert lone_decoder.main([str(tmp_path / "a.cx"), str(out)]) == 0
    assert_same(load_file(out), decode(TINY).state_dict)


def test_it_lists_without_writing(tmp_path: Path) -> None:
    (tmp_path / "a.cx").write_bytes(TINY)
    done = subprocess.run(
        [sys.executable, "-I", lone_decoder.__file__, tmp_path / "a.cx"],
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == [
        "bias  float32 (2,)  F32",
        "weight  float32 (2, 2)  packed",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["a.cx"]


@pytest.mark.parametrize("arguments", [[], ["a.cx", "a.txt"], ["a.cx", "b.npz", "c.npz"]])
def test_wrong_arguments_are_told_how_to_call_it(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert lone_decoder.main(arguments) == 2
    assert capsys.readouterr().err.startswith("usage: lone_decoder.py FILE")


def test_a_damaged_file_is_told_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.cx").write_bytes(TINY[:-1])
    assert lone_decoder.main([str(tmp_path / "a.cx"), str(tmp_path / "a.npz")]) == 2
    assert "it is truncated or damaged: its checksum differs" in capsys.readouterr().err
    assert not (tmp_path / "a.npz").exists()


def test_a_key_that_would_steer_a_terminal_is_shown_escaped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rest = {"red \x1b[31m": torch.zeros(1)}
    (tmp_path / "a.cx").write_bytes(encode_compact({}, rest, tied={}, model="m", recipe="").raw)
    assert lone_decoder.main([str(tmp_path / "a.cx")]) == 0
    assert capsys.readouterr().out == "'red \\x1b[31m'  float32 (1,)  F32\n"


@pytest.mark.parametrize("raw", [TINY, READABLE], ids=["compact", "readable"])
def test_a_truncated_file_is_refused(raw: bytes) -> None:
    for length in range(len(raw)):
        with pytest.raises(lone_decoder.DecodeError):
            lone_decoder.decode(raw[:length])


@pytest.mark.parametrize("raw", [TINY, READABLE], ids=["compact", "readable"])
def test_every_bit_is_guarded(raw: bytes) -> None:
    for bit in range(8 * len(raw)):
        damaged = bytearray(raw)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(lone_decoder.DecodeError):
            lone_decoder.decode(bytes(damaged))


@given(st.binary(max_size=80))
def test_arbitrary_bytes_are_refused(raw: bytes) -> None:
    for file in (raw, b"cx" + raw, sealed(raw)):
        with pytest.raises(lone_decoder.DecodeError):
            lone_decoder.decode(file)


CODED = tuple(raw for name, raw in files_of_every_encoding() if raw.startswith(b"cx"))


@given(st.sampled_from(CODED), st.integers(7, 2**20), st.integers(1, 255))
def test_a_forged_byte_gives_finite_weights_or_is_refused(
    raw: bytes, position: int, change: int
) -> None:
    forged = bytearray(raw)
    forged[7 + position % (len(raw) - 7)] ^= change
    try:
        found = lone_decoder.decode(sealed(bytes(forged[7:])))
    except ValueError:
        return
    assert all(np.isfinite(tensor).all() for tensor in found.values())


def named(body: str) -> bytes:
    """A compact file of one tensor w, whose entry has these bytes."""
    text = '["m","",["w"]]'
    return sealed(varint(2 * len(text)) + text.encode() + bytes.fromhex(body))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "no stored file, or a truncated one; copy it anew"),
        (b"cx\x03" + TINY[3:], "no version 2"),
        (sealed(TINY[7:] + b"\0"), "bytes follow the last tensor"),
        (sealed(b"\xff" * 20), "above 2⁶³"),
        (sealed(b'\x0a["m"]'), "names no tensors, and 'm' is no reference network"),
        (named("02 02 02 20 21 02 ce00 c07f"), "no number"),
        (named("02 02 02 20 21 02 ffff 803f"), "lies beyond the 7"),
        (named("02 02 02 60 04 05 02 ce00"), "list index out of range"),
        (named("02 808004 808004 21 21 02 00fe 803f"), "more than 268435456 weights"),
        (named("ff01 " + "01 " * 255), "255 dimensions, more than 64"),
        (named("01 ffffffffffffff7f 0b"), "where fewer are left"),
        (sealed(b"\x06" + b"[" * 3 + b"0"), "contradicts itself"),
        (sealed(varint(2 * 9**6) + b"[" * 9**6), "contradicts itself"),
    ],
)
def test_a_file_that_cannot_be_is_told_so(raw: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        lone_decoder.decode(raw)


def test_names_that_inflate_without_end_are_refused() -> None:
    squeeze = zlib.compressobj(9, wbits=-15)
    chunk = squeeze.compress(b" " * 2**27) + squeeze.flush()
    with pytest.raises(ValueError, match="the names are cut off, or too long"):
        lone_decoder.decode(sealed(varint(2 * len(chunk) + 1) + chunk))


def test_a_readable_file_whose_tensors_overlap_is_refused() -> None:
    size = 8 + int.from_bytes(READABLE[:8], "little")
    places = json.loads(READABLE[8:size])
    places["fc.weight:scale"]["data_offsets"] = [0, 4]
    text = json.dumps(places).encode()
    with pytest.raises(ValueError, match="another length"):
        lone_decoder.decode(len(text).to_bytes(8, "little") + text + READABLE[size:])
