"""What the live component draws: the profiles of the layers, and the numbers it starts from."""

import streamlit as st

from compress_core import DataError, Prune, Quantize, Recipe, summaries
from compress_core.applying.prune import scores_of
from compress_core.live_profiles import range_sample, spectrum_profile, weight_points
from compress_core.live_pruning import (
    PruningProfile,
    kept_counts,
    pruning_profile,
    score_profile,
)
from compress_core.methods.low_rank import break_even_rank
from compress_core.methods.pruning import PruneTaylor, PruneWanda, check_not_factorized
from compress_core.methods.quantization import BITS
from compress_core.methods.step import ALL_LAYERS
from compress_core.recipe import winning_steps
from compress_core.summaries import Cut
from ui import live_histogram, state
from ui.controls.factorize import release_rank
from ui.controls.prune import Choice, release_pruning
from ui.controls.prune_methods import make_step, scope_of
from ui.controls.quantize import FLOAT, quantization_settings, release_quantization
from ui.live_histogram.routes import pack, publish
from ui.state import Current


def prune(current: Current, choice: Choice, cuts: dict[str, Cut]) -> None:
    """The histogram of a layer with its threshold, and the sparsity of every layer."""
    rows = {row.name: row for row in current.size.layers}
    moves = _moved_by_prune(current, choice)
    counted = {name: rows[name].parameters for name in moves}
    fallen = sum(cuts[name].sparsity * n for name, n in counted.items())
    live_histogram.show(
        "prune",
        {
            "profiles": publish(_prune_blob(current, choice)),
            "layer": choice.layer,
            "method": choice.method,
            "scope": _ranked_scope(choice),
            "by": "threshold" if choice.by_threshold else "sparsity",
            "sparsity": fallen / max(1, sum(counted.values())),
            "threshold": choice.threshold,
            "kept": _kept(current, choice),
            "bytes": current.size.stored_bytes,
            "rest_bytes": current.size.rest_bytes + current.size.header_bytes,
            "layers": [
                {
                    "moves": name in moves,
                    "sparsity": cut.sparsity,
                    "energy": cut.energy_kept,
                    "bytes": rows[name].bytes,
                }
                for name, cut in cuts.items()
            ],
        },
        on_release=release_pruning,
    )


def _moved_by_prune(current: Current, choice: Choice) -> set[str]:
    """The layers that the page's control prunes: those without an exception of their own."""
    if choice.scope == "one":
        return {choice.layer}
    layers = current.original.layers
    winners = winning_steps(current.recipe, "prune", layers)
    return {n for n in layers if n not in winners or winners[n].layers == ALL_LAYERS}


def _ranked_scope(choice: Choice) -> str:
    """What is ranked together, also in an exception: "global", "row", or a layer."""
    exception = choice.scope == "one" and choice.step
    return (exception and scope_of(exception) == "row" and "row") or choice.scope


def _kept(current: Current, choice: Choice) -> list[int] | None:
    """The histogram of what is left of the drawn layer; None where a threshold shows it."""
    winner = winning_steps(current.recipe, "prune", current.original.layers).get(choice.layer)
    by_magnitude = winner is None or isinstance(winner, Prune)
    if choice.method == "magnitude" and by_magnitude:
        return None
    pruned = state.up_to(current.recipe, "prune")
    return kept_counts(state.compressed(current.model, pruned).layers[choice.layer]).tolist()


def _prune_blob(current: Current, choice: Choice) -> bytes:
    others = tuple(step for step in current.recipe if step.kind != "prune")
    if choice.method not in {"Taylor", "Wanda"}:
        return pruning_blob(current.model, others)
    samples, seed = st.session_state.prune_samples, getattr(choice.step, "seed", 0)
    scope = "row" if _ranked_scope(choice) == "row" else "layer"
    ranked = make_step(choice.method, 0.0, scope=scope, samples=samples, seed=seed)
    assert isinstance(ranked, PruneTaylor | PruneWanda)
    try:
        return score_blob(current.model, others, ranked)
    except DataError:  # the step will be refused with the remedy
        return pruning_blob(current.model, others)


@st.cache_resource(max_entries=64, show_spinner=False)
def pruning_blob(model: str, others: Recipe) -> bytes:
    """Profiles of all layers under the steps that are not pruning, by magnitude."""
    layers = state.compressed(model, state.up_to(others, "prune")).layers
    steps = _plain_codes(model, others)
    return pack([pruning_profile(stored, steps.get(name)) for name, stored in layers.items()])


@st.cache_resource(max_entries=64, show_spinner="Measuring the scores on training images…")
def score_blob(model: str, others: Recipe, ranked: PruneTaylor | PruneWanda) -> bytes:
    """The same by a score; of layers without one by magnitude: their step will be refused.

    Raises DataError where the training images cannot be read.
    """
    made, steps = state.compressed(model, state.up_to(others, "prune")), _plain_codes(model, others)
    profiles: list[PruningProfile] = []
    for name, stored in made.layers.items():
        try:
            check_not_factorized(ranked, name, stored.rank)
            scores = scores_of(ranked, name, made.base).weight
        except DataError:
            raise
        except ValueError:
            profiles.append(pruning_profile(stored, steps.get(name)))
        else:
            by_row = ranked.scope == "row"
            profiles.append(score_profile(stored, scores, by_row=by_row, step=steps.get(name)))
    return pack(profiles)


def _plain_codes(model: str, others: Recipe) -> dict[str, Quantize]:
    """The affine quantization of each layer that has one; other codes are counted as floats."""
    winners = winning_steps(others, "quantize", state.original(model).layers)
    return {name: step for name, step in winners.items() if isinstance(step, Quantize)}


def quantize(current: Current, layer: str, channel: int) -> None:
    """The weights of `layer` that share a scale, their levels, and the noise of every layer."""
    step = quantization_settings(current)
    others = tuple(s for s in current.recipe if s.kind != "quantize")
    before = state.compressed(current.model, others).layers[layer]
    view = summaries.scale_view(before, current.compressed.layers[layer], step, channel)
    winners = winning_steps(current.recipe, "quantize", current.original.layers)
    scales = Quantize(scheme=step.scheme, granularity=step.granularity, group_size=step.group_size)
    live_histogram.show(
        "quantize",
        {
            "profiles": publish(range_blob(current.model, others, scales)),
            "view": publish(pack([weight_points(view.weights)])),
            "title": _title(current, layer, channel, step),
            "choices": [*BITS, FLOAT],
            "step": {
                "bits": st.session_state.quantize_bits,
                "scheme": step.scheme,
                "clipping": step.clipping,
                "percentile": step.percentile,
            },
            "clipped": view.clipped,
            "group_sqnr_db": view.sqnr_db,
            "layers": [
                {
                    "moves": row.name not in winners or winners[row.name].layers == ALL_LAYERS,
                    "bits": row.bits,
                    "sqnr_db": row.sqnr_db,
                }
                for row in current.size.layers
            ],
        },
        on_release=release_quantization,
    )


def _title(current: Current, layer: str, channel: int, step: Quantize) -> str:
    factor = "" if current.compressed.layers[layer].rank is None else "second factor of "
    part = "" if step.granularity == "tensor" else f", output channel {channel}"
    group = ", first group" if step.granularity == "group" else ""
    return f"Weights of {factor}{layer}{part}{group}"


@st.cache_resource(max_entries=64, show_spinner=False)
def range_blob(model: str, others: Recipe, scales: Quantize) -> bytes:
    """Samples of all layers, with the ranges of the weights that share a scale."""
    layers = state.compressed(model, others).layers.values()
    return pack([range_sample(stored, scales) for stored in layers])


def factorize(current: Current, layer: str, rank: int) -> None:
    """The singular values of `layer` with the rank, the energy and the break-even."""
    shape = current.original.layers[layer].shape
    before = {row.name: row.macs for row in state.size(current.model, ()).layers}
    live_histogram.show(
        "factorize",
        {
            "profiles": publish(spectrum_blob(current.model, layer)),
            "rank": rank,
            "break_even": break_even_rank(shape),
            "macs": before[layer],
        },
        on_release=release_rank,
    )


@st.cache_resource(max_entries=256, show_spinner="Computing the singular values…")
def spectrum_blob(model: str, layer: str) -> bytes:
    return pack([spectrum_profile(state.original(model).layers[layer])])
