"""What the page of entropy coding draws, against the coders and by hand."""

import numpy as np
import pytest
import torch

from compress_core import Original, Quantize, compress, load_model
from compress_core.methods.pruning import Prune
from compress_core.methods.quantization import Binarize, QuantizeFloat, QuantizeMX
from compress_core.methods.weight_sharing import ShareWeights
from compress_core.steps import AnyStep
from compress_core.storage.entropy_coding import encode_all
from compress_core.views.coding import (
    Coding,
    best_gap_bits,
    coding_of,
    coding_rows,
    context_densities,
    gap_piece,
    symbol_bars,
    total_bytes,
)
from compress_core.views.huffman_codes import (
    MOST_LEAVES,
    code_table,
    first_code_words,
    huffman_code,
)


@pytest.fixture(scope="module")
def model() -> Original:
    return load_model("digits-mlp")


def coded(symbols: list[list[int]], alphabet: int) -> Coding:
    matrix = np.array(symbols, np.int32)
    return Coding(matrix, alphabet, "code", np.arange(float(alphabet)), 0, "packed")


def test_the_bytes_are_those_of_the_coders_and_of_the_file(model: Original) -> None:
    compressed = compress(model, (Prune(sparsity=0.8), Quantize(bits=4)))
    for row, stored in zip(coding_rows(compressed), compressed.layers.values(), strict=True):
        (weight,) = stored.weights
        assert weight.coded is not None
        streams = encode_all(weight.coded.symbols, weight.coded.alphabet)
        assert dict(row.coder_bytes) == {name: s.size for name, s in streams.items()}
        assert row.taken_bytes + row.beside_bytes == weight.streams.byte_count
        assert row.taken == weight.streams.header["encoding"]


def test_no_code_of_single_symbols_is_below_the_bound(model: Original) -> None:
    for row in coding_rows(compress(model, (Quantize(bits=4),))):
        sizes = dict(row.coder_bytes)
        assert all(sizes[name] >= row.bound_bytes for name in ("packed", "huffman", "ans"))


def test_of_pruned_floats_the_mask_is_coded_and_the_kept_ones_stand_beside(
    model: Original,
) -> None:
    stored = compress(model, (Prune(sparsity=0.9),)).layers["fc1"]
    coding = coding_of(stored.weights[0])
    kept = int(stored.dense.count_nonzero())
    assert (coding.meaning, coding.alphabet, coding.counts[1]) == ("mask", 2, kept)
    assert coding.beside_bytes == 4 * kept


def test_plain_floats_have_nothing_to_code(model: Original) -> None:
    compressed = compress(model, ())
    assert coding_of(compressed.layers["fc1"].weights[0]).taken is None
    assert coding_rows(compressed) == ()


@pytest.mark.parametrize(
    ("step", "meaning"),
    [
        (Quantize(bits=4), "code"),
        (Quantize(bits=4, scheme="asymmetric"), "code"),
        (ShareWeights(clusters=16), "entry"),
        (Binarize(), "sign"),
        (QuantizeFloat(format="fp4_e2m1"), "float"),
    ],
)
def test_symbols_mean_what_the_weights_are(model: Original, step: AnyStep, meaning: str) -> None:
    stored = compress(model, (step,)).layers["fc3"]
    coding = coding_of(stored.weights[0])
    values = torch.from_numpy(coding.meanings[coding.symbols])
    codes = stored.weights[0].codes
    scale = 1.0 if meaning == "entry" else codes.scale.double()  # type: ignore[union-attr]
    zero = getattr(codes, "zero_point", torch.zeros(()))
    weights = scale.view(-1, 1) * (values - zero.view(-1, 1)) if meaning != "entry" else values
    assert coding.meaning == meaning
    torch.testing.assert_close(weights, stored.dense.double(), rtol=1e-5, atol=1e-6)


def test_symbols_of_blocks_are_elements_and_their_scales_stand_beside(model: Original) -> None:
    stored = compress(model, (QuantizeMX("nvfp4"),)).layers["fc3"]
    coding, codes = coding_of(stored.weights[0]), stored.weights[0].codes
    rows, columns = coding.symbols.shape
    scale = codes.scale.repeat_interleave(16, dim=1)[:, :columns]  # type: ignore[union-attr]
    values = torch.from_numpy(coding.meanings[coding.symbols]).float()
    assert torch.equal(values * scale, stored.dense.view(rows, columns))
    assert (coding.meaning, coding.beside_bytes) == ("float", rows * -(-columns // 16) + 4)


def test_a_coder_that_does_not_take_an_alphabet_is_counted_as_packed(model: Original) -> None:
    recipe = (Quantize(bits=16, layers=("fc1",)), Quantize(bits=4, layers=("fc2", "fc3")))
    rows = coding_rows(compress(model, recipe))
    sizes = [dict(row.coder_bytes) for row in rows]
    assert "context" not in sizes[0]
    expected = sizes[0]["packed"] + sizes[1]["context"] + sizes[2]["context"]
    assert total_bytes(rows)["context"] == expected


def test_the_first_symbols_are_read_from_the_stream() -> None:
    words = first_code_words(coded([[0, 0, 1, 0], [2, 0, 0, 1]], 3), 5)
    assert [word.symbol for word in words] == [0, 0, 1, 0, 2]
    assert [word.bits for word in words] == ["0", "0", "10", "0", "11"]


def test_one_symbol_alone_has_no_bits_to_read() -> None:
    assert first_code_words(coded([[1, 1, 1]], 2), 3) == ()


def test_the_code_table_is_sorted_by_length() -> None:
    table = code_table(coded([[0, 0, 1, 0], [2, 0, 0, 1]], 4))
    assert table.symbols.tolist() == [0, 1, 2]
    assert table.codes == ("0", "10", "11")
    assert table.ideal_bits == pytest.approx([-np.log2(5 / 8), 2.0, 3.0])


def test_bars_stand_for_several_symbols_where_there_are_too_many() -> None:
    bars = symbol_bars(coded([[0, 1, 2, 3, 3, 3, 3, 3]], 4), limit=2)
    assert (bars.symbols.tolist(), bars.counts.tolist()) == ([0, 2], [2, 6])
    assert bars.ideal_bits[0] == 3.0


def test_a_gap_piece_by_hand() -> None:
    piece = gap_piece(coded([[0, 0, 5, 0, 0, 0, 0, 0, 0, 7]], 8), bits=2, length=10)
    assert (piece.start, piece.usual) == (0, 0)
    assert piece.places.tolist() == [2, 6, 9]
    assert piece.gaps.tolist() == [2, 3, 2]
    assert piece.is_filler.tolist() == [False, True, False]


def test_a_gap_piece_begins_behind_an_entry(model: Original) -> None:
    recipe = (Prune(sparsity=0.9), Quantize(bits=4))
    coding = coding_of(compress(model, recipe).layers["fc1"].weights[0])
    piece = gap_piece(coding, best_gap_bits(coding))
    flat = coding.symbols.ravel()
    assert flat[piece.start - 1] != piece.usual
    np.testing.assert_array_equal(piece.symbols, flat[piece.start : piece.start + 40])


def test_context_classes_differ_where_the_rows_do() -> None:
    symbols = np.zeros((64, 256), np.int32)
    symbols[32:] = np.random.default_rng(0).integers(0, 8, (32, 256))
    densities = context_densities(coded(symbols.tolist(), 8))
    assert densities.shape[0] > 1
    assert densities.min() == 0
    assert densities.max() == pytest.approx(7 / 8, abs=0.05)


def test_a_code_of_many_symbols_has_a_table_and_no_tree() -> None:
    many, few = (coded([list(range(n))], n) for n in (MOST_LEAVES + 1, MOST_LEAVES))
    assert huffman_code(many, 3).tree is None
    tree = huffman_code(few, 3).tree
    assert tree is not None
    assert tree.count == MOST_LEAVES
