"""What the live component draws: the profiles of the layers, and the numbers it starts from."""

import streamlit as st

from compress_core import Quantize, Recipe, summaries
from compress_core.live_profiles import (
    pruning_profile,
    range_sample,
    weight_points,
)
from compress_core.measurement.report import LayerRow, Size
from compress_core.methods.low_rank import full_rank
from compress_core.methods.quantization import BITS
from compress_core.methods.step import ALL_LAYERS
from compress_core.recipe import winning_steps
from compress_core.summaries import Cut
from ui import factors, live_histogram, state
from ui.controls.factorize import release_budget, release_rank
from ui.controls.prune import prunes_by_threshold, release_pruning
from ui.controls.quantize import FLOAT, quantization_settings, release_quantization
from ui.live_histogram.routes import pack, publish
from ui.state import Current


def prune(current: Current, layer: str, cuts: dict[str, Cut]) -> None:
    """The histogram of `layer` with its threshold, and the sparsity of every layer."""
    others = tuple(step for step in current.recipe if step.kind != "prune")
    rows = {row.name: row for row in current.size.layers}
    moves = _moved_by_prune(current, layer)
    counted = {name: rows[name].parameters for name in moves}
    fallen = sum(cuts[name].sparsity * n for name, n in counted.items())
    live_histogram.show(
        "prune",
        {
            "profiles": publish(pruning_blob(current.model, others)),
            "layer": layer,
            "method": st.session_state.prune_method,
            "scope": st.session_state.prune_scope,
            "by": "threshold" if prunes_by_threshold(current, layer) else "sparsity",
            "sparsity": fallen / max(1, sum(counted.values())),
            "threshold": st.session_state.prune_threshold,
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


def _moved_by_prune(current: Current, layer: str) -> set[str]:
    """The layers that the page's control prunes: those without an exception of their own."""
    if st.session_state.prune_scope == "one":
        return {layer}
    layers = current.original.layers
    winners = winning_steps(current.recipe, "prune", layers)
    return {n for n in layers if n not in winners or winners[n].layers == ALL_LAYERS}


@st.cache_resource(max_entries=64, show_spinner=False)
def pruning_blob(model: str, others: Recipe) -> bytes:
    """Profiles of all layers under the steps that are not pruning."""
    original = state.original(model)
    factors = tuple(step for step in others if step.kind == "factorize")
    codes = winning_steps(others, "quantize", original.layers)
    layers = state.compressed(model, factors).layers
    steps = {name: step for name, step in codes.items() if isinstance(step, Quantize)}
    return pack([pruning_profile(stored, steps.get(name)) for name, stored in layers.items()])


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


def factorize(current: Current, settings: factors.Settings) -> None:
    """One layer's singular values with its rank; or the whole model's budget and every layer."""
    if settings.whole:
        _budget(current, settings)
        return
    name = settings.layer
    found = factors.drawn(current, settings)
    stored = current.compressed.layers[name]
    shape, full = stored.layer.shape, full_rank(stored.layer.shape, found.form)
    steps = factors.network(current.recipe)
    before, after = (_row(size, name) for size in (state.size(current.model, steps), current.size))
    live_histogram.show(
        "factorize",
        {
            "profiles": publish(
                factors.rank_blob(current.model, steps, name, found.form, settings.samples)
            ),
            "form": found.form,
            "aware": settings.samples is not None,
            "rank": min(full, stored.ranks[-1]) if stored.ranks else full,
            "inner": stored.ranks[0] if stored.ranks else 0,
            "energy": factors.energy_kept(current, name),
            "weights": after.parameters,
            "macs": after.macs,
            "dense_weights": before.parameters,
            "dense_macs": before.macs,
            "break_even": factors.break_even(shape, found.form),
        },
        on_release=release_rank,
    )


def _row(size: Size, layer: str) -> LayerRow:
    return next(row for row in size.layers if row.name == layer)


def _budget(current: Current, settings: factors.Settings) -> None:
    steps = factors.network(current.recipe)
    names = factors.able(current.compressed.base.layers)
    live_histogram.show(
        "budget",
        {
            "profiles": publish(
                factors.budget_blob(current.model, steps, settings.form, settings.samples)
            ),
            "budget": factors.share_kept(current),
            "energy": factors.mean_energy(current),
            "layers": {
                name: {
                    "rank": current.compressed.layers[name].ranks[-1:],
                    "weights": _row(current.size, name).parameters,
                }
                for name in names
            },
        },
        on_release=release_budget,
    )
