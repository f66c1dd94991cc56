"""Data-aware SVD: the least error of the outputs instead of the weights.

E‖W·x − W′·x‖² = ‖(W − W′)·L‖² with the inputs' second moment E[x·xᵀ] = L·Lᵀ, so the best W′ of
rank r is the truncated SVD of W·L, times L⁻¹. Source: Zhang et al. 2015, 1505.06798, section 3;
with a Cholesky factor: Wang et al. 2024 (SVD-LLM), 2403.07378, section 3.
"""

import torch
from torch import Tensor

from compress_core.methods.low_rank.channel import Factors

DAMPING = 0.01  # as a share of the inputs' mean square


def whitened_factors(matrix: Tensor, gram: Tensor) -> Factors:
    """U (out, full), S (full,) of W·L and Vᵀ·L⁻¹ (full, in), float64; S² are output energies.

    matrix: W (out, in). gram: XᵀX / count of the inputs X (count, in), (in, in), not damped:
    damping is done here, since few inputs give a singular one. It adds a share of ‖W − W′‖² to the
    minimized error. Plain SVD minimizes that term, so this output error never exceeds plain SVD's.
    """
    lower = torch.linalg.cholesky(damped(gram))
    u, s, vt = torch.linalg.svd(matrix.double() @ lower, full_matrices=False)
    return u, s, torch.linalg.solve_triangular(lower, vt, upper=False, left=False)


def damped(gram: Tensor) -> Tensor:
    """gram + λ·I with λ = DAMPING · mean of the diagonal; the identity for inputs all zero."""
    gram = gram.double()
    mean_square = gram.diagonal().mean()
    damping = DAMPING * mean_square if mean_square > 0 else 1.0
    return gram + damping * torch.eye(len(gram), dtype=torch.float64)


def balanced(factors: Factors) -> Factors:
    """The same product with rows of length 1 in the third factor, their lengths moved to S.

    Then √S on each side gives both sides similar ranges, as it does for orthonormal factors.
    """
    u, s, vt = factors
    lengths = torch.linalg.vector_norm(vt, dim=1)
    return u, s * lengths, vt / lengths[:, None]
