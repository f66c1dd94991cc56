"""Products of matrices."""

import torch
from torch import Tensor

from compress_core.models.importing.onnx.operators.attributes import (
    Attributes,
    Builder,
    Operator,
    plain,
    single,
)
from compress_core.models.importing.onnx.operators.convolution import as_integers, exact_type


def gemm(
    a: Tensor,
    b: Tensor,
    c: Tensor | None = None,
    *,
    alpha: float,
    beta: float,
    transposed: tuple[bool, bool],
) -> Tensor:
    """α · A B + β · C, of matrices that may be transposed first."""
    left, right = (x.T if turned else x for x, turned in zip((a, b), transposed, strict=True))
    product = left @ right
    product = product if alpha == 1 else (alpha * product).to(a.dtype)
    if c is None or beta == 0:
        return product
    return product + (c if beta == 1 else (beta * c).to(a.dtype))


def multiply_integers(
    a: Tensor, b: Tensor, a_zero_point: Tensor | None = None, b_zero_point: Tensor | None = None
) -> Tensor:
    """(A − zero point) (B − zero point) of 8-bit integers, in int32, exact."""
    kind = exact_type(a.shape[-1])
    left, right = a.to(kind), b.to(kind)
    if a_zero_point is not None:
        per_row = a_zero_point.dim() == 1 and a_zero_point.numel() > 1
        zeros = a_zero_point.unsqueeze(-1) if per_row else a_zero_point
        left = left - zeros.to(kind)
    right = right if b_zero_point is None else right - b_zero_point.to(kind)
    return as_integers(left @ right, torch.int32)


def einsum(*inputs: Tensor, equation: str) -> Tensor:
    return torch.einsum(equation, *inputs)


def _gemm(read: Attributes) -> Operator:
    alpha, beta = read.number("alpha", 1.0), read.number("beta", 1.0)
    transposed = (read.flag("transA"), read.flag("transB"))
    return single(gemm, alpha=alpha, beta=beta, transposed=transposed)


def _einsum(read: Attributes) -> Operator:
    return single(einsum, equation=read.text("equation", "").replace(" ", ""))


TABLE: dict[str, Builder] = {
    "Det": plain(torch.linalg.det),
    "Einsum": _einsum,
    "Gemm": _gemm,
    "MatMul": plain(torch.matmul),
    "MatMulInteger": plain(multiply_integers),
}
