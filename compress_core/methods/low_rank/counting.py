"""How many weights each form has at each rank, and from where on it is not larger.

`ranks` are those of the form's inner channels in the order they are applied: (r,) of a pair,
(r_in, r_out) of a Tucker triple.
"""

import math
from bisect import bisect_right

from compress_core.methods.low_rank.factorize import FORMS, Form

Ranks = tuple[int, ...]


def forms_of(shape: tuple[int, ...]) -> tuple[Form, ...]:
    """The forms that a weight of this shape can take: only a kernel can be split spatially."""
    return {2: FORMS[:1], 3: ("channel", "tucker"), 4: FORMS}.get(len(shape), ())


def matrix_shape(shape: tuple[int, ...], form: Form = "channel") -> tuple[int, int]:
    """Rows and columns of the weight (out, in, kh, kw) as the matrix that a pair's SVD truncates.

    "channel": (out, in·kh·kw). "spatial": (in·kh, out·kw).
    """
    if form == "spatial":
        out, channels, height, width = shape
        return channels * height, out * width
    return shape[0], math.prod(shape[1:])


def full_rank(shape: tuple[int, ...], form: Form = "channel") -> int:
    """The least rank at which every weight of this shape is exact."""
    return min(matrix_shape(shape, form))


def ranks_at(shape: tuple[int, ...], rank: int, form: Form = "channel") -> Ranks:
    """The ranks that the one number `rank` stands for.

    (rank,) of a pair; of a Tucker triple r_out = rank and r_in = ⌈rank·R_in / R_out⌉, with R_in and
    R_out the full ranks of the two unfoldings, so that both are full together.
    """
    if form != "tucker":
        return (rank,)
    full_in, full_out = full_tucker_ranks(shape)
    return -(-rank * full_in // full_out), rank


def full_tucker_ranks(shape: tuple[int, ...]) -> tuple[int, int]:
    """R_in = min(in, out·k) and R_out = min(out, in·k), k the size of the kernel."""
    out, channels, kernel = shape[0], shape[1], math.prod(shape[2:])
    return min(channels, out * kernel), min(out, channels * kernel)


def parameter_count(shape: tuple[int, ...], rank: int | Ranks, form: Form = "channel") -> int:
    """Weights of all parts at `rank`, or at the ranks themselves.

    A pair: r·(rows + columns). Tucker: in·r_in + r_in·r_out·k + r_out·out.
    """
    ranks = ranks_at(shape, rank, form) if isinstance(rank, int) else rank
    if form != "tucker":
        return ranks[0] * sum(matrix_shape(shape, form))
    r_in, r_out = ranks
    return shape[1] * r_in + r_in * r_out * math.prod(shape[2:]) + r_out * shape[0]


def is_larger(shape: tuple[int, ...], rank: int | Ranks, form: Form = "channel") -> bool:
    """Whether the parts have more weights than the one weight in whose place they stand."""
    return parameter_count(shape, rank, form) > math.prod(shape)


def worthwhile_rank(shape: tuple[int, ...], form: Form = "channel") -> int:
    """The largest rank whose parts are not larger than the weight; 0 where those of each are."""
    return 0 if is_larger(shape, 1, form) else break_even_rank(shape, form)


def largest_rank(shape: tuple[int, ...], form: Form, weights: int) -> int:
    """The largest rank whose parts have at most so many weights, at least 1."""
    ranks = range(1, full_rank(shape, form) + 1)
    return max((r for r in ranks if parameter_count(shape, r, form) <= weights), default=1)


def break_even_rank(shape: tuple[int, ...], form: Form = "channel") -> int:
    """The largest rank at which the parts are not larger than the weight, at least 1.

    Of a pair: r·(m + n) <= m·n.
    """
    ranks = range(1, full_rank(shape, form) + 1)
    count = bisect_right(ranks, False, key=lambda rank: is_larger(shape, rank, form))
    return max(1, count)
