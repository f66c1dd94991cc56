"""Pictures of a network's weights after each epoch, small enough for a time-lapse."""

from collections.abc import Mapping

import numpy as np

from compress_core.events import Frame
from compress_core.methods.weight_sharing import Shared
from compress_core.storage.streams import StoredWeight

BINS = 60
MOST_ENTRIES = 64  # of a codebook in a frame


def take_frames(
    weights: Mapping[str, StoredWeight], limits: Mapping[str, float]
) -> tuple[Frame, ...]:
    """A frame of each weight, by state-dict key, over ±limit."""
    return tuple(_frame(key, weight, limits[key]) for key, weight in weights.items())


def limits_of(weights: Mapping[str, StoredWeight]) -> dict[str, float]:
    """The largest magnitude of each weight: the frames of an epoch later keep the same axis."""
    return {key: float(weight.values.abs().max()) or 1.0 for key, weight in weights.items()}


def _frame(key: str, weight: StoredWeight, limit: float) -> Frame:
    values = weight.values.numpy().ravel()
    inside = values[values != 0].clip(-limit, limit)  # what grew beyond the axis counts at its end
    counts, _ = np.histogram(inside, bins=BINS, range=(-limit, limit))
    codes = weight.codes
    book = codes.codebook.tolist() if isinstance(codes, Shared) else []
    return Frame(
        layer=key,
        low=-limit,
        high=limit,
        counts=tuple(map(int, counts)),
        sparsity=float((values == 0).mean()),
        codebook=tuple(book) if len(book) <= MOST_ENTRIES else (),
    )


def sparsity_of(weights: Mapping[str, StoredWeight]) -> float:
    """The fraction of zeros in all weights together."""
    zeros = sum(int((weight.values == 0).sum()) for weight in weights.values())
    return zeros / sum(weight.values.numel() for weight in weights.values())
