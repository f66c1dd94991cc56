"""N:M semi-structured pruning: of every m neighbouring weights of a row, n are kept.

The pattern is regular enough for hardware to skip the zeros (2:4 on NVIDIA's sparse tensor cores)
and fine enough to cost little accuracy.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from compress_core.methods.pruning.ranking import row_mask
from compress_core.methods.step import ALL_LAYERS, check_layers, check_whole
from compress_core.weights import as_matrix

LARGEST_GROUP = 32


@dataclass(frozen=True)
class PruneNM:
    """N:M pruning: keep the n largest |w| of every m along the input axis of as_matrix(weight).

    n, m: 1 <= n < m <= 32; the sparsity is 1 - n/m where m divides the axis.
    Raises ValueError for anything else. Source: Mishra et al. 2021, 2104.08378; Zhou et al. 2021,
    2102.04010.
    """

    kind: ClassVar[str] = "prune"

    n: int = 2
    m: int = 4
    layers: tuple[str, ...] = ALL_LAYERS

    def __post_init__(self) -> None:
        check_whole(
            "m",
            self.m,
            low=2,
            high=LARGEST_GROUP + 1,
            remedy="it is the size of a group, as in 2:4",
        )
        check_whole(
            "n", self.n, low=1, high=self.m, remedy="it counts the kept weights of each group of m"
        )
        check_layers(self.layers)


def kept_in_group(size: int, n: int, m: int) -> int:
    """How many of a group are kept: n of m, and ⌈n·size/m⌉ of the ragged last group of a row.

    Rounded up, a row shorter than m keeps a weight. It is never more than min(n, size), so the
    pattern stays n:m when a row is padded with zeros to whole groups, as hardware wants it.

    >>> [kept_in_group(size, n=2, m=4) for size in (1, 2, 3, 4)]
    [1, 1, 2, 2]
    """
    return -(-n * size // m)


def nm_mask(weight: Tensor, n: int, m: int) -> Tensor:
    """Keep the n largest |w| of every m along the rows of as_matrix(weight).

    Groups follow the memory of a row, (in kh kw) of a convolution, as stored; hardware that groups
    the channels of one kernel position meets the same count, but another mask. Of equal ones the
    first are pruned first.
    """
    matrix = as_matrix(weight)  # (out, in)
    ragged = matrix.shape[1] % m
    whole, last = matrix.split([matrix.shape[1] - ragged, ragged], dim=1)
    groups = row_mask(whole.reshape(-1, m), m - n)
    rest = row_mask(last, ragged - kept_in_group(ragged, n, m))
    return torch.cat([groups.view(whole.shape), rest], dim=1).view(weight.shape)


def prune_nm(weight: Tensor, n: int, m: int) -> Tensor:
    """The weight with all but n of every m set to +0; the input is untouched."""
    return torch.where(nm_mask(weight, n, m), weight, 0.0)
