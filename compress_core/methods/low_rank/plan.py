"""From a step to the ranks of each layer that it names."""

import math
from collections.abc import Mapping

import numpy as np

from compress_core.methods.low_rank.allocation import allocate
from compress_core.methods.low_rank.counting import Ranks, break_even_rank, full_rank, ranks_at
from compress_core.methods.low_rank.energy import Options, first_keeping
from compress_core.methods.low_rank.factorize import Factorize
from compress_core.methods.low_rank.forms import Decomposition


def plan_ranks(
    step: Factorize, decompositions: Mapping[str, Decomposition]
) -> dict[str, Ranks | None]:
    """The ranks that `step` gives each layer; None leaves the layer as it is, for a budget only.

    Raises ValueError for a rank above the full one, the energy of a layer that has none, and a
    budget below that of the thinnest factors.
    """
    if step.budget is not None:
        return plan_budget(step.budget, decompositions)
    return {name: _plan_layer(step, layer) for name, layer in decompositions.items()}


def plan_budget(
    budget: float, decompositions: Mapping[str, Decomposition]
) -> dict[str, Ranks | None]:
    """Ranks with at most ⌊budget · n⌋ weights of the n that the layers have, by `allocate`.

    The sum over the layers of the kept share of the energy is made large: a share, because the
    scale of a layer says nothing of its worth (the next layer or norm undoes it).
    """
    options = [worthwhile(decomposition) for decomposition in decompositions.values()]
    total = sum(int(option.counts[-1]) for option in options)
    chosen = allocate(options, math.floor(budget * total))
    picks = zip(decompositions, options, chosen, strict=True)
    return {name: option.ranks[index] for name, option, index in picks}


def worthwhile(decomposition: Decomposition) -> Options:
    """The options that make the layer smaller, and last the layer as it is."""
    options, full = decomposition.options, decomposition.layer.weight.numel()
    n = int(np.searchsorted(options.counts, full))  # an option of as many weights only loses
    counts, kept = np.append(options.counts[:n], full), np.append(options.kept[:n], 1.0)
    return Options((*options.ranks[:n], None), counts, kept)


def _plan_layer(step: Factorize, decomposition: Decomposition) -> Ranks:
    layer, form = decomposition.layer, decomposition.form
    if step.energy is not None:
        return ranks_keeping(step.energy, decomposition)
    if step.rank is None:
        return ranks_at(layer.shape, break_even_rank(layer.shape, form), form)
    full = full_rank(layer.shape, form)
    if step.rank > full:
        raise ValueError(
            f"rank={step.rank} is above the full rank {full} of {layer.name} {layer.shape}; "
            f"use at most {full} (below {break_even_rank(layer.shape, form) + 1} it saves "
            "anything), or name other layers (layers=…)"
        )
    return ranks_at(layer.shape, step.rank, form)


def ranks_keeping(energy: float, decomposition: Decomposition) -> Ranks:
    """The ranks with the fewest weights that keep at least the share `energy`.

    Raises ValueError for a layer of zeros.
    """
    if not decomposition.layer.weight.any():
        raise ValueError(
            f"energy={energy:g}: the weights of {decomposition.layer.name} are all zero and have "
            "no energy to keep; give rank= for that layer"
        )
    ranks = decomposition.options.ranks[first_keeping(decomposition.options.kept, energy)]
    assert ranks is not None
    return ranks
