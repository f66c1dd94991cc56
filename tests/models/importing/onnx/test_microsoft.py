"""Operators of com.microsoft give what onnxruntime's own kernels give."""

from typing import Any

import pytest
import torch
from torch import Tensor

from compress_core.models.importing.onnx.operators import DOMAINS, operator_for
from tests.models.importing.onnx.running import make_node, run_in_onnxruntime

RANDOM = torch.Generator().manual_seed(3)


def some(*sizes: int) -> Tensor:
    return torch.randn(*sizes, generator=RANDOM)


def codes(*sizes: int, kind: torch.dtype = torch.uint8) -> Tensor:
    limits = torch.iinfo(kind)
    return torch.randint(limits.min, limits.max + 1, sizes, generator=RANDOM, dtype=kind)


def scale(value: float, zero_point: int, kind: torch.dtype = torch.uint8) -> tuple[Tensor, Tensor]:
    return torch.tensor(value), torch.tensor(zero_point, dtype=kind)


A, B, Y = scale(0.02, 100), scale(0.03, 20), scale(0.05, 90)
X, SKIP, WIDTH = some(2, 3, 8), some(2, 3, 8), [some(8), some(8), some(8)]
PACKED = codes(5, 2, 16)  # 5 rows of two blocks of 32 codes of 4 bits
IMAGE = codes(1, 2, 6, 6)
SIZES = {"K": 40, "N": 5, "bits": 4, "block_size": 32}

CASES: list[tuple[str, dict[str, Any], list[Tensor | None]]] = [
    ("BiasGelu", {}, [X, WIDTH[0]]),
    ("DequantizeLinear", {}, [codes(2, 3), *A]),
    (
        "DynamicQuantizeMatMul",
        {},
        [some(2, 8), codes(8, 3, kind=torch.int8), *scale(0.01, 3, torch.int8)],
    ),
    ("ExpandDims", {}, [X, torch.tensor(1, dtype=torch.int32)]),
    ("FastGelu", {}, [X]),
    ("FastGelu", {}, [X, WIDTH[0]]),
    (
        "FusedConv",
        {"activation": "Relu", "pads": [1, 1, 0, 0]},
        [some(1, 2, 5, 5), some(3, 2, 3, 3), some(3)],
    ),
    ("FusedGemm", {"activation": "Relu", "transB": 1}, [some(2, 4), some(3, 4), some(3)]),
    ("FusedMatMul", {"alpha": 0.5, "transB": 1}, [some(2, 3, 4), some(2, 5, 4)]),
    ("Gelu", {}, [X]),
    ("Inverse", {}, [some(3, 3)]),
    (
        "MatMulIntegerToFloat",
        {},
        [codes(2, 8), codes(8, 3, kind=torch.int8), A[0], some(3).abs(), A[1]],
    ),
    ("MatMulNBits", SIZES, [some(2, 40), PACKED, some(5, 2)]),
    ("MatMulNBits", SIZES, [some(2, 40), PACKED, some(5, 2), codes(5, 1), None, some(5)]),
    ("MatMulNBits", SIZES | {"bits": 8}, [some(2, 40), codes(5, 2, 32), some(5, 2)]),
    ("QLinearAdd", {}, [codes(2, 3), *A, codes(2, 3), *B, *Y]),
    ("QLinearAveragePool", {"kernel_shape": [2, 2], "pads": [1, 1, 0, 0]}, [IMAGE, *A, *A]),
    ("QLinearConcat", {"axis": 1}, [*Y, codes(2, 3), *A, codes(2, 4), *B]),
    (
        "QLinearConv",
        {"pads": [1, 1, 1, 1]},
        [
            IMAGE,
            *A,
            codes(3, 2, 3, 3, kind=torch.int8)
            // 2,  # sums of larger ones saturate on some processors
            *scale(0.01, 0, torch.int8),
            *scale(0.4, 99),
        ],
    ),
    ("QLinearGlobalAveragePool", {}, [IMAGE, *A, *A]),
    ("QLinearLeakyRelu", {"alpha": 0.1}, [codes(2, 30), *A, *B]),
    ("QLinearMul", {}, [codes(2, 3), *A, codes(2, 3), *B, *Y]),
    ("QLinearSigmoid", {}, [codes(2, 30), *Y, *scale(1 / 256, 0)]),
    ("QLinearSoftmax", {"axis": -1, "opset": 13}, [codes(2, 30), *Y, *scale(1 / 256, 0)]),
    ("QuantizeLinear", {}, [some(2, 3), *A]),
    ("QuickGelu", {}, [X]),
    ("SkipLayerNormalization", {"epsilon": 1e-5}, [X, SKIP, *WIDTH]),
    ("SkipSimplifiedLayerNormalization", {"epsilon": 1e-5}, [X, SKIP, *WIDTH[:2]]),
]
# onnxruntime has no kernel for the CPU, and the second name only in its old versions.
WITHOUT_ORACLE = {"BiasAdd", "QLinearReduceMean", "TransposeMatMul"}


def test_every_operator_is_compared() -> None:
    assert {name for name, *_ in CASES} == set(DOMAINS["com.microsoft"]) - WITHOUT_ORACLE


@pytest.mark.parametrize(
    ("op_type", "attributes", "inputs"), CASES, ids=[f"{i} {one[0]}" for i, one in enumerate(CASES)]
)
def test_operator_gives_what_onnxruntime_gives(
    op_type: str, attributes: dict[str, Any], inputs: list[Tensor | None]
) -> None:
    node = make_node(op_type, inputs, domain="com.microsoft", **attributes)
    operator = operator_for(node, 1)
    assert operator is not None
    (wanted,) = run_in_onnxruntime(node, 17, inputs)
    found = operator(inputs)[0]
    assert found is not None
    assert found.dtype == wanted.dtype
    step = 0 if wanted.is_floating_point() else 1  # halves may be rounded to either side
    torch.testing.assert_close(found.float(), wanted.float(), rtol=1e-4, atol=1e-4 + step)


def test_the_sum_before_a_skipped_norm_is_given_too() -> None:
    node = make_node(
        "SkipLayerNormalization", [X, SKIP, WIDTH[0]], outputs=4, domain="com.microsoft"
    )
    node.output[1] = node.output[2] = ""
    operator = operator_for(node, 1)
    assert operator is not None
    torch.testing.assert_close(operator([X, SKIP, WIDTH[0]])[3], X + SKIP)


def test_mean_of_codes_is_the_mean_of_what_they_stand_for() -> None:
    node = make_node("QLinearReduceMean", [X] * 5, domain="com.microsoft", axes=[1], keepdims=0)
    operator = operator_for(node, 1)
    assert operator is not None
    x = torch.tensor([[100, 110], [105, 95]], dtype=torch.uint8)  # 0, 0.2 and 0.1, -0.1
    assert operator([x, *A, *A])[0].tolist() == [105, 100]
