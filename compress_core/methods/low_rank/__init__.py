"""Low rank: one weight becomes two or three thinner ones.

channel   the kernel with r outputs, then 1 x 1; a Linear as two Linears
spatial   kh x 1, then 1 x kw
tucker    1 x 1, the kernel between fewer channels, 1 x 1
"""

from compress_core.methods.low_rank.allocation import allocate
from compress_core.methods.low_rank.channel import factor_pair, join, split
from compress_core.methods.low_rank.counting import (
    Ranks,
    break_even_rank,
    forms_of,
    full_rank,
    is_larger,
    largest_rank,
    matrix_shape,
    parameter_count,
    ranks_at,
    worthwhile_rank,
)
from compress_core.methods.low_rank.energy import Options, energy_curve, energy_rank
from compress_core.methods.low_rank.factorize import FORMS, Factorize, Form
from compress_core.methods.low_rank.forms import Decomposition, decompose
from compress_core.methods.low_rank.plan import factor_refusal, plan_ranks
from compress_core.methods.low_rank.spatial import join_spatial, spatial_pair, split_spatial
from compress_core.methods.low_rank.tucker import join_tucker, split_tucker, tucker_triple
from compress_core.methods.low_rank.whitening import whitened_factors

__all__ = [
    "FORMS",
    "Decomposition",
    "Factorize",
    "Form",
    "Options",
    "Ranks",
    "allocate",
    "break_even_rank",
    "decompose",
    "energy_curve",
    "energy_rank",
    "factor_pair",
    "factor_refusal",
    "forms_of",
    "full_rank",
    "is_larger",
    "join",
    "join_spatial",
    "join_tucker",
    "largest_rank",
    "matrix_shape",
    "parameter_count",
    "plan_ranks",
    "ranks_at",
    "spatial_pair",
    "split",
    "split_spatial",
    "split_tucker",
    "tucker_triple",
    "whitened_factors",
    "worthwhile_rank",
]
