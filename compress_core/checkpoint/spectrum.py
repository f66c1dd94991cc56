"""Singular values of a tensor of any size, from its smaller Gram matrix.

The eigenvalues of W Wᵀ or Wᵀ W, whichever is smaller, are the squares of the singular values. The
Gram matrix is summed over blocks of rows, in float32 products and a float64 sum, so that memory is
that of the Gram matrix alone. Squaring costs half of the digits: values below about 1/1,000 of the
largest are noise of rounding. Small matrices get an SVD in float64.
"""

import time

import numpy as np
import torch
from numpy.typing import NDArray

from compress_core.checkpoint.header import Entry
from compress_core.checkpoint.reading import matrix_shape, read_blocks, read_rows
from compress_core.events import Progress, Silent, Watcher
from compress_core.measurement.accuracy import Stopped

Values = NDArray[np.float32]

SMALL = 1 << 22  # numbers of a matrix that gets an SVD
MOST_SIDE = 16_384  # of a Gram matrix: 2 GB of float64
EIGEN_FLOPS = 1.7  # of eigvalsh, times n³, at the speed of a float32 product


def singular_values(entry: Entry, watcher: Watcher | None = None) -> Values:
    """All singular values of the tensor as a matrix, descending, (min(rows, columns),).

    Raises ValueError for a tensor with NaN or infinite numbers, and for one whose smaller side is
    above MOST_SIDE; Stopped where the watcher asks for it.
    """
    check_spectrum(entry)
    if entry.weights <= SMALL:
        matrix = read_rows(entry, range(matrix_shape(entry)[0]))
        _check_finite(entry, matrix.isfinite().all())
        values = torch.linalg.svdvals(matrix.double())
    else:
        gram = _gram(entry, watcher or Silent())
        _check_finite(entry, gram.isfinite().all())
        values = torch.linalg.eigvalsh(gram).clamp(min=0).sqrt().flip(0)
    found: Values = values.float().numpy()
    return found


def check_spectrum(entry: Entry) -> None:
    """Raise ValueError where no spectrum can be computed."""
    smaller = min(matrix_shape(entry))
    if not entry.is_weight:
        raise ValueError(f"{entry.name} is no matrix of floats; it has no singular values")
    if smaller > MOST_SIDE:
        raise ValueError(
            f"{entry.name} has {smaller:,} rows and columns at least; up to {MOST_SIDE:,} are "
            "computed, more would take gigabytes"
        )


def estimated_seconds(entry: Entry) -> float:
    """How long `singular_values` takes on this machine, by a product that is timed now."""
    smaller, larger = sorted(matrix_shape(entry))
    operations = 2.0 * smaller * smaller * larger
    return (operations + EIGEN_FLOPS * 2 * smaller**3) / _speed()


def energy_kept(values: Values) -> NDArray[np.float64]:
    """The share of Σ σ² that the first r singular values hold, for r = 1 … (k,)."""
    squares = np.cumsum(np.square(values, dtype=np.float64))
    return squares / (squares[-1] or 1.0)


def _gram(entry: Entry, watcher: Watcher) -> torch.Tensor:
    rows, columns = matrix_shape(entry)
    side = min(rows, columns)
    gram = torch.zeros(side, side, dtype=torch.float64)
    if columns <= rows:
        done = 0
        for block in read_blocks(entry):
            _go_on(watcher, done / rows)
            gram += (block.T @ block).double()
            done += len(block)
        return gram
    # rows are the smaller side: each pair of blocks of rows is multiplied
    step = max(1, rows // 16)
    starts = range(0, rows, step)
    for i, a in enumerate(starts):
        _go_on(watcher, i / len(starts))
        left = read_rows(entry, range(a, min(rows, a + step)))
        for b in starts[: i + 1]:
            right = read_rows(entry, range(b, min(rows, b + step)))
            product = (left @ right.T).double()
            gram[a : a + step, b : b + step] = product
            gram[b : b + step, a : a + step] = product.T
    return gram


def _go_on(watcher: Watcher, fraction: float) -> None:
    if watcher.stopped():
        raise Stopped
    watcher.report(Progress(0.6 * fraction, "multiplying blocks of rows"))


def _check_finite(entry: Entry, finite: torch.Tensor) -> None:
    if not finite:
        raise ValueError(f"{entry.name} has NaN or infinite numbers, and so no singular values")


def _speed(size: int = 768) -> float:
    """Operations a second of a float32 product."""
    square = torch.ones(size, size)
    torch.mm(square, square)
    start = time.perf_counter()
    torch.mm(square, square)
    return 2 * size**3 / (time.perf_counter() - start)
