"""The layouts of weights as people store them: real files, and what they decode to."""

from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from safetensors.torch import load, save
from torch import Tensor

from compress_core.compressed import Compressed, compress
from compress_core.methods.quantization import Quantize, quantize
from compress_core.original import Original
from compress_core.recipe import Recipe
from compress_core.storage.entropy_coding import CODERS
from compress_core.storage.layouts import (
    LAYOUTS,
    LayoutFile,
    decode_file,
    encode_file,
)
from compress_core.storage.streams import StoredWeight
from compress_core.weights import Profile, as_matrix

EXACT = sorted(set(LAYOUTS) - {"dense_fp16"})
CODED = sorted(CODERS)
FLOAT = sorted({*LAYOUTS} - {*CODED})


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def sparse(*shape: int, density: float = 0.1) -> Tensor:
    kept = torch.rand(shape, generator=torch.Generator().manual_seed(1)) < density
    return torch.where(kept, normal(*shape), 0.0)


def stored(weight: Tensor, bits: int | None = None) -> StoredWeight:
    if bits is None:
        return StoredWeight(Profile(weight))
    codes = quantize(weight, Quantize(bits=bits))
    return StoredWeight(Profile(codes.dequantize()), codes)


def file_of(layout: str, weight: StoredWeight, **rest: Tensor) -> LayoutFile:
    return encode_file(layout, {"fc.weight": weight}, rest)


def weights_of(made: Compressed) -> dict[str, StoredWeight]:
    pairs = (zip(s.weight_keys, s.weights, strict=True) for s in made.layers.values())
    return {key: weight for pair in pairs for key, weight in pair}


@settings(max_examples=25)
@given(data=st.data())
def test_every_layout_decodes_from_its_bytes_alone_to_the_very_bits(
    data: st.DataObject,
    zoo_model: Original,
    recipes_for: Callable[[Original], st.SearchStrategy[Recipe]],
) -> None:
    try:
        made = compress(zoo_model, data.draw(recipes_for(zoo_model)))
    except ValueError:  # the recipe does not fit the model, and says so
        reject()
    weights = weights_of(made)
    for layout in EXACT:
        decoded = decode_file(encode_file(layout, weights, made.rest).raw)
        assert decoded.keys() == weights.keys() | made.rest.keys()
        for key, weight in weights.items():
            expected = weight.network_values.contiguous().numpy()
            assert decoded[key].numpy().tobytes() == expected.tobytes(), layout
            assert decoded[key].shape == expected.shape
        assert all(torch.equal(decoded[key], tensor) for key, tensor in made.rest.items())


def test_half_precision_decodes_to_the_rounded_weights() -> None:
    file = file_of("dense_fp16", stored(normal(4, 5)))
    assert torch.equal(decode_file(file.raw)["fc.weight"], normal(4, 5).half().float())


@pytest.mark.parametrize("layout", FLOAT)
@pytest.mark.parametrize("weight", [sparse(6, 7), sparse(6, 2, 3, 3), sparse(9), torch.zeros(3, 4)])
def test_floats_of_any_shape_come_back(layout: str, weight: Tensor) -> None:
    expected = weight.half().float() if layout == "dense_fp16" else weight
    assert torch.equal(decode_file(file_of(layout, stored(weight)).raw)["fc.weight"], expected)


def test_the_plain_file_is_the_plain_safetensors_file() -> None:
    weight, bias = normal(4, 5), normal(4)
    file = file_of("dense", stored(weight), bias=bias)
    assert file.raw == save({"bias": bias, "fc.weight": weight})


def test_csr_has_the_arrays_of_scipy() -> None:
    weight = sparse(30, 4, 3, 3)
    tensors = load(file_of("csr", stored(weight)).raw)
    expected = scipy.sparse.csr_matrix(as_matrix(weight).numpy())
    assert np.array_equal(tensors["fc.weight:values"], expected.data)
    assert np.array_equal(tensors["fc.weight:columns"], expected.indices)
    assert np.array_equal(tensors["fc.weight:rows"], expected.indptr)
    assert tensors["fc.weight:columns"].dtype == torch.int32


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        ("dense", 4 * 2000),
        ("dense_fp16", 2 * 2000),
        ("bitmask", 2000 / 8 + 4 * 200),
        ("csr", (4 + 4) * 200 + 4 * 41),
        ("codebook", 4 * 201 + 2000),  # 200 values and zero, 8-bit indices
    ],
)
def test_bytes_of_two_thousand_weights_of_which_two_hundred_are_kept(
    layout: str, expected: float
) -> None:
    weight = torch.zeros(2000)
    weight[::10] = torch.arange(1, 201)
    file = file_of(layout, stored(weight.view(40, 50)))
    assert file.weight_bytes == {"fc.weight": expected}


@pytest.mark.parametrize(
    ("layout", "expected"),
    [("packed", 2000 * 4 / 8), ("masked", 6 + 2000 / 8 + 200 * 4 / 8)],
)
def test_bytes_of_two_thousand_codes_of_four_bits(layout: str, expected: float) -> None:
    weight = torch.zeros(2000)
    weight[::10] = 7
    file = file_of(layout, stored(weight.view(40, 50), bits=4))
    assert file.weight_bytes == {"fc.weight": expected + 4 * 40}  # and a scale a row


def test_csr_is_larger_than_dense_above_half_density() -> None:
    dense = file_of("dense", stored(sparse(40, 50, density=0.6)))
    csr = file_of("csr", stored(sparse(40, 50, density=0.6)))
    assert csr.weight_bytes["fc.weight"] > dense.weight_bytes["fc.weight"]


@pytest.mark.parametrize("layout", CODED)
def test_floats_have_no_codes_and_stay_dense(layout: str) -> None:
    file = file_of(layout, stored(normal(4, 5)))
    assert file.unfit == ("fc.weight",)
    assert file.raw == file_of("dense", stored(normal(4, 5))).raw


def test_a_mixed_model_says_which_weights_stay_dense() -> None:
    weights = {"a.weight": stored(normal(4, 5)), "b.weight": stored(normal(4, 5), bits=3)}
    file = encode_file("huffman", weights, {})
    assert file.unfit == ("a.weight",)
    assert torch.equal(decode_file(file.raw)["b.weight"], weights["b.weight"].values)


def test_sixteen_bits_are_packed_and_nothing_else() -> None:
    weight = stored(normal(40, 50), bits=16)
    fitting = [layout for layout in CODED if not file_of(layout, weight).unfit]
    assert fitting == ["masked", "masked_ans", "packed"]


def test_weights_beyond_half_precision_stay_dense() -> None:
    assert file_of("dense_fp16", stored(torch.tensor([[7e4]]))).unfit == ("fc.weight",)


def test_too_many_different_values_for_a_codebook_stay_dense() -> None:
    assert file_of("codebook", stored(torch.arange(2.0**16 + 1))).unfit == ("fc.weight",)
    assert file_of("codebook", stored(torch.arange(2.0**16))).unfit == ()


def test_kept_negative_zeros_stay_negative() -> None:
    weight = torch.tensor([[0.0, -0.0, 1.0]])
    for layout in FLOAT:
        decoded = decode_file(file_of(layout, stored(weight)).raw)["fc.weight"]
        assert np.signbit(decoded.numpy()).tolist() == [[False, True, False]], layout
