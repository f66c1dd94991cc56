"""The byte ledger: every number is the length of a file, and its sentence says what matters."""

import gzip
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import torch
import zstandard

from compress_core.compressed import Compressed, compress
from compress_core.graph import to_onnx
from compress_core.measurement.ledger import (
    LAYOUT_ROWS,
    LedgerRow,
    finding,
    gzipped,
    ledger,
    weight_bound,
    zstd,
)
from compress_core.methods.low_rank import Factorize
from compress_core.methods.pruning import Prune
from compress_core.methods.quantization import Binarize, Quantize, QuantizeFloat, quantize
from compress_core.methods.weight_sharing import ShareWeights
from compress_core.original import Original
from compress_core.recipe import Recipe
from compress_core.storage.layouts import encode_file
from compress_core.storage.streams import StoredWeight
from compress_core.weights import Profile
from compress_core.wording.ledger import ledger_in_words

RECIPES: dict[str, Recipe] = {
    "untouched": (),
    "pruned": (Prune(sparsity=0.9),),
    "pruned and quantized": (Prune(sparsity=0.9), Quantize(bits=5)),
    "quantized": (Quantize(bits=4),),
    "shared": (Prune(sparsity=0.5), ShareWeights(scope="all")),
    "low bits": (
        QuantizeFloat("nf4"),
        Binarize(layers=("fc1",)),
        QuantizeFloat("bf16", layers=("fc2",)),
    ),
    "factorized": (Factorize(rank=8, layers=("fc1",)), Quantize(bits=8, layers=("fc1",))),
}


def rows_of(made: Compressed, onnx: bytes | None = None) -> dict[str, LedgerRow]:
    return {row.name: row for row in ledger(made, onnx)}


@pytest.fixture(scope="module", params=RECIPES)
def made(request: pytest.FixtureRequest, digits_cnn: Original) -> Compressed:
    return compress(digits_cnn, RECIPES[request.param])


def test_layers_and_rest_add_up_to_the_file(made: Compressed) -> None:
    for row in ledger(made):
        if row.layer_bytes is not None:
            assert row.total_bytes is not None
            assert row.rest_bytes is not None
            assert sum(size for _, size in row.layer_bytes) + row.rest_bytes == row.total_bytes
            assert [name for name, _ in row.layer_bytes] == list(made.layers)
        else:
            assert row.rest_bytes is None


def test_rows_of_layouts_are_as_long_as_their_files(made: Compressed) -> None:
    rows = rows_of(made)
    weights = {
        key: weight
        for stored in made.layers.values()
        for key, weight in zip(stored.weight_keys, stored.weights, strict=True)
    }
    for name, layout in LAYOUT_ROWS.items():
        file = encode_file(layout, weights, made.rest)
        expected = None if len(file.unfit) == len(weights) else len(file.raw)
        assert rows[name].total_bytes == expected


def test_our_row_is_the_container(made: Compressed) -> None:
    assert rows_of(made)["our container"].total_bytes == len(made.container)


def test_an_untouched_model_has_the_originals_bytes(digits_cnn: Original) -> None:
    rows = rows_of(compress(digits_cnn, ()))
    assert rows["dense fp32"].total_bytes == digits_cnn.stored_bytes


def test_only_the_bound_is_a_bound(made: Compressed) -> None:
    assert [row.name for row in ledger(made) if row.is_bound] == ["entropy bound"]


def test_no_code_of_single_symbols_beats_the_bound(made: Compressed) -> None:
    rows = rows_of(made)
    bound = dict(rows["entropy bound"].layer_bytes or ())
    for name in ("bitmask + fp32 values", "k-bit packed", "bitmask + k-bit codes", "Huffman"):
        for layer, size in rows[name].layer_bytes or ():
            assert size >= bound[layer], name


@pytest.mark.parametrize("recipe", ["untouched", "pruned"])
def test_floats_have_no_row_of_codes(digits_cnn: Original, recipe: str) -> None:
    rows = rows_of(compress(digits_cnn, RECIPES[recipe]))
    for name in ("k-bit packed", "Huffman", "gap + Huffman", "ANS", "context ANS"):
        assert (rows[name].total_bytes, rows[name].layer_bytes) == (None, None)
        assert "needs codes of at most" in rows[name].note


def test_a_row_says_which_weights_stay_dense(digits_cnn: Original) -> None:
    row = rows_of(compress(digits_cnn, (Quantize(bits=4, layers=("fc*",)),)))["Huffman"]
    assert "stays dense, as it does not fit: conv1.weight" in row.note


def test_whole_files_are_not_split_into_layers(digits_cnn: Original) -> None:
    rows = rows_of(compress(digits_cnn, ()), b"graph")
    for name in ("gzip -9", "zstd -19", "ONNX", "ONNX, gzip -9"):
        assert rows[name].layer_bytes is None
        assert rows[name].total_bytes is not None


def test_without_a_graph_the_onnx_rows_have_no_number(digits_cnn: Original) -> None:
    row = rows_of(compress(digits_cnn, ()))["ONNX"]
    assert row.total_bytes is None
    assert "export it with to_onnx" in row.note


def test_gzip_and_zstd_give_the_file_back() -> None:
    raw = np.zeros(1000, np.float32).tobytes()
    assert gzip.decompress(gzipped(raw)) == raw
    assert zstandard.ZstdDecompressor().decompress(zstd(raw)) == raw


def test_the_bound_of_codes_by_hand() -> None:
    codes = quantize(torch.tensor([[1.0, 0, 0, 0], [0, 0, 0, 1]]), Quantize(bits=2))
    weight = StoredWeight(Profile(codes.dequantize()), codes)
    # 8 symbols, a quarter of them ones: 8 · 0.8113 bits = 6.49, one byte; and one scale a row
    assert weight_bound(weight) == 1 + 2 * 4


def test_the_bound_of_floats_is_mask_and_kept_floats() -> None:
    weight = torch.tensor([[1.0, 0, 0, 0], [0, 0, 0, 1]])
    assert weight_bound(StoredWeight(Profile(weight))) == 1 + 2 * 4
    assert weight_bound(StoredWeight(Profile(torch.ones(3, 4)))) == 4 * 12


def test_a_row_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        LedgerRow("x", 1).total_bytes = 2  # type: ignore[misc]


def test_pruning_alone_does_not_shrink_the_onnx_file(digits_cnn: Original) -> None:
    made = compress(digits_cnn, RECIPES["pruned"])
    onnx = to_onnx(made)
    rows = ledger(made, onnx)
    sentence = ledger_in_words(finding(rows, 0.9))
    assert len(onnx) >= digits_cnn.stored_bytes
    assert sentence.startswith("90 % zeros, and the .onnx did not shrink by a byte")
    assert "it stores zeros" in sentence
    assert f"{len(onnx):,} for {digits_cnn.stored_bytes:,} of fp32" in sentence
    assert f"the same weights take {made.stored_bytes:,}." in sentence


def some_rows(**sizes: int | None) -> tuple[LedgerRow, ...]:
    names = {"dense": "dense fp32", "ours": "our container", "packed": "k-bit packed"}
    names |= {"onnx": "ONNX", "gzip": "gzip -9"}
    return tuple(LedgerRow(names[name], size) for name, size in sizes.items())


@pytest.mark.parametrize(
    ("sizes", "sparsity", "sentence"),
    [
        (
            {"dense": 1000, "ours": 120, "onnx": 1010},
            0.9,
            "90 % zeros, and the .onnx did not shrink by a byte (1,010 for 1,000 of fp32): "
            "it stores zeros; coded, the same weights take 120.",
        ),
        (
            {"dense": 1000, "ours": 30, "onnx": 260, "packed": 150},
            0.9,
            "90 % zeros, and the .onnx still takes 260 bytes: it stores every zero as a full code; "
            "coded, the same weights take 30.",
        ),
        (
            {"dense": 1000, "ours": 300, "onnx": None},
            0.75,
            "75 % zeros, and a dense file does not shrink by a byte (1,000): it stores zeros; "
            "coded, the same weights take 300.",
        ),
        (
            {"dense": 1000, "ours": 100, "packed": 130},
            0.2,
            "Fewer bits shrink a file whatever the values: 1,000 bytes of fp32 are 130 when "
            "packed, and 100 once the frequent codes are the shorter ones.",
        ),
        (
            {"dense": 1000, "ours": 1010, "gzip": 930},
            0.0,
            "Trained floats look like noise: gzip -9 takes 7 % off 1,000 bytes; what makes a file "
            "small is fewer weights or fewer bits.",
        ),
    ],
)
def test_the_one_sentence(sizes: dict[str, int | None], sparsity: float, sentence: str) -> None:
    assert ledger_in_words(finding(some_rows(**sizes), sparsity)) == sentence
