"""The decomposition of a layer in each form: computed once, it gives the factors of any rank."""

from collections.abc import Callable
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from compress_core.methods.low_rank.channel import Factors, split
from compress_core.methods.low_rank.counting import Ranks, forms_of, parameter_count
from compress_core.methods.low_rank.energy import Options, energy_curve
from compress_core.methods.low_rank.factorize import Form
from compress_core.methods.low_rank.spatial import spatial_factors, split_spatial
from compress_core.methods.low_rank.tucker import hosvd_energy, mode_factors, split_tucker
from compress_core.methods.low_rank.whitening import balanced, whitened_factors
from compress_core.weights import Layer, as_matrix

Gram = Callable[[], Tensor]  # the inputs' second moment (in, in); asked for once, and not kept


class Decomposition(Protocol):
    """One layer in one form. Lazy: a rank that is given needs no spectrum."""

    layer: Layer
    form: Form

    @property
    def options(self) -> Options:
        """The ranks worth their weights, from the thinnest to the full one."""
        ...

    def kept(self, ranks: Ranks) -> float:
        """Share of the energy kept at `ranks`."""
        ...

    def split(self, ranks: Ranks) -> tuple[Tensor, ...]:
        """The parts in the order they are applied, float32."""
        ...


class PairSvd:
    """A layer as a pair, of form "channel" or "spatial".

    With `gram`, energy means that of the layer's output.
    """

    def __init__(self, layer: Layer, form: Form, gram: Gram | None = None) -> None:
        self.layer, self.form, self.gram = layer, form, gram

    @cached_property
    def factors(self) -> Factors:
        if self.form == "spatial":
            return spatial_factors(self.layer.weight)
        if self.gram is not None:
            return whitened_factors(as_matrix(self.layer.weight), self.gram())
        return self.layer.profile.factors

    @cached_property
    def options(self) -> Options:
        kept = energy_curve(self.factors[1].numpy())
        ranks = [(rank,) for rank in range(1, len(kept) + 1)]
        counts = [parameter_count(self.layer.shape, at, self.form) for at in ranks]
        return Options(tuple(ranks), np.array(counts), kept)

    def kept(self, ranks: Ranks) -> float:
        return float(self.options.kept[ranks[0] - 1])

    def split(self, ranks: Ranks) -> tuple[Tensor, ...]:
        factors = self.factors if self.gram is None else balanced(self.factors)
        cut = split_spatial if self.form == "spatial" else split
        return cut(factors, ranks[0], self.layer.shape)


class Tucker2:
    """A layer as a Tucker triple; the energy is that of the HOSVD; HOOI keeps at least as much."""

    form: Form = "tucker"

    def __init__(self, layer: Layer) -> None:
        self.layer = layer

    @cached_property
    def factors(self) -> tuple[Tensor, Tensor]:
        return mode_factors(self.layer.weight)

    @cached_property
    def energies(self) -> NDArray[np.float64]:
        """The share kept at [r_in - 1, r_out - 1]."""
        return hosvd_energy(self.layer.weight, self.factors)

    @cached_property
    def options(self) -> Options:
        """The pairs of ranks that keep more energy than any other pair with as few weights."""
        kept = self.energies.ravel()
        r_in, r_out = (index.ravel() + 1 for index in np.indices(self.energies.shape))
        out, channels = self.layer.shape[:2]
        counts = channels * r_in + self.layer.weight[0, 0].numel() * r_in * r_out + out * r_out
        order = np.lexsort((-kept, counts))
        best = np.maximum.accumulate(kept[order])
        front = order[np.concatenate([[True], best[1:] > best[:-1]])]
        ranks = zip(r_in[front].tolist(), r_out[front].tolist(), strict=True)
        return Options(tuple(ranks), counts[front], kept[front])

    def kept(self, ranks: Ranks) -> float:
        return float(self.energies[ranks[0] - 1, ranks[1] - 1])

    def split(self, ranks: Ranks) -> tuple[Tensor, ...]:
        return split_tucker(self.layer.weight, self.factors, ranks)


def form_refusal(layer: Layer, form: Form) -> str | None:
    """Why a layer cannot run as factors of a form; None where it can."""
    if layer.refuses_factors:
        return f"cannot run as factors: {layer.refuses_factors}"
    able = forms_of(layer.shape)
    if form not in able:
        return (
            f"{layer.shape} has no kernel to take form={form!r}; its forms are {', '.join(able)}: "
            "use one of them"
        )
    return None


def decompose(layer: Layer, form: Form = "channel", gram: Gram | None = None) -> Decomposition:
    """The decomposition of a layer in a form; `gram` makes the form "channel" data-aware.

    Raises ValueError for a layer that cannot run as factors, or not in this form.
    """
    reason = form_refusal(layer, form)
    if reason:
        raise ValueError(f"{layer.name} {reason}; name other layers (layers=…)")
    return Tucker2(layer) if form == "tucker" else PairSvd(layer, form, gram)
