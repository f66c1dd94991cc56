"""From a step to the ranks of each layer that it names."""

import math
from collections.abc import Mapping

import numpy as np

from compress_core.methods.low_rank.allocation import allocate
from compress_core.methods.low_rank.counting import (
    Ranks,
    break_even_rank,
    full_rank,
    is_larger,
    parameter_count,
    ranks_at,
)
from compress_core.methods.low_rank.energy import Options, first_keeping
from compress_core.methods.low_rank.factorize import Factorize
from compress_core.methods.low_rank.forms import Decomposition, form_refusal
from compress_core.weights import Layer


def plan_ranks(
    step: Factorize, decompositions: Mapping[str, Decomposition]
) -> dict[str, Ranks | None]:
    """The ranks that `step` gives each layer; None leaves the layer as it is.

    Only a rank that the step gives makes a layer larger. Raises ValueError for layers that
    `factor_refusal` refuses, and for a budget below that of the thinnest factors.
    """
    if step.budget is not None:
        return plan_budget(step.budget, decompositions)
    return {name: _plan_layer(step, layer) for name, layer in decompositions.items()}


def factor_refusal(step: Factorize, layer: Layer) -> str | None:
    """Why a layer cannot run as the factors that `step` asks for; None where it can."""
    reason = form_refusal(layer, step.form)
    if reason is None and step.rank is not None:
        full = full_rank(layer.shape, step.form)
        if step.rank > full:
            saving = break_even_rank(layer.shape, step.form) + 1
            return (
                f"{layer.shape} has the full rank {full}, and rank={step.rank} is above it; use at "
                f"most {full} (below {saving} it saves anything)"
            )
    if reason is None and step.energy is not None and not layer.weight.any():
        return f"is all zero and has no energy to keep (energy={step.energy:g}); give it a rank="
    return reason


def plan_budget(
    budget: float, decompositions: Mapping[str, Decomposition]
) -> dict[str, Ranks | None]:
    """Ranks with at most ⌊budget · n⌋ weights of the n that the layers have, by `allocate`.

    Energy is counted as each layer's share, not as an absolute value: the scale of a layer does not
    tell how much it matters, because the next layer or norm can undo it.
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


def _plan_layer(step: Factorize, decomposition: Decomposition) -> Ranks | None:
    layer, form = decomposition.layer, decomposition.form
    reason = factor_refusal(step, layer)
    if reason:
        raise ValueError(f"{layer.name} {reason}, or name other layers (layers=…)")
    if step.rank is not None:
        return ranks_at(layer.shape, step.rank, form)
    if step.energy is not None:
        ranks = ranks_keeping(step.energy, decomposition)
        smaller = parameter_count(layer.shape, ranks, form) < layer.weight.numel()
    else:
        ranks = ranks_at(layer.shape, break_even_rank(layer.shape, form), form)
        smaller = not is_larger(layer.shape, ranks, form)
    return ranks if smaller else None


def ranks_keeping(energy: float, decomposition: Decomposition) -> Ranks:
    """The ranks with the fewest weights that keep at least the share `energy`."""
    ranks = decomposition.options.ranks[first_keeping(decomposition.options.kept, energy)]
    assert ranks is not None
    return ranks
