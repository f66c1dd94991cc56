"""What codes look at before they code: the histograms of symbols and distances, made once."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from compress_core.storage.entropy_coding.packing import Counts, Symbols


@dataclass(frozen=True, eq=False)
class Survey:
    """Of `symbols` in [0, alphabet), row by row."""

    symbols: Symbols
    alphabet: int

    @cached_property
    def counts(self) -> Counts:
        """How often each symbol occurs, (alphabet,)."""
        if self.alphabet == 2:
            ones = np.count_nonzero(self.symbols)
            return np.array([self.symbols.size - ones, ones])
        return np.bincount(self.symbols.ravel(), minlength=self.alphabet)

    @property
    def usual(self) -> int:
        """The most frequent symbol."""
        return int(self.counts.argmax())

    @property
    def kept(self) -> int:
        """How many symbols differ from the most frequent one."""
        return self.symbols.size - int(self.counts.max())

    @cached_property
    def distances(self) -> Counts:
        """How often that many usual symbols stand between two others."""
        return np.bincount(distances(self.symbols.ravel() != self.usual), minlength=1)


def distances(kept: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many are not kept before each kept one of a flat mask, since the one before it."""
    return np.diff(np.flatnonzero(kept), prepend=-1) - 1
