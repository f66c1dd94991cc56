"""What the live component draws: the profiles of the layers, and the numbers it starts from."""

from typing import Any

import streamlit as st

from compress_core import Quantize, Recipe, summaries
from compress_core.live_profiles import (
    measured_bytes,
    pruning_profile,
    range_sample,
    spectrum_profile,
    weight_points,
)
from compress_core.methods.low_rank import break_even_rank
from compress_core.methods.quantization import QuantizeFloat, Ternarize
from compress_core.methods.step import ALL_LAYERS
from compress_core.recipe import NETWORK_KINDS, AnyStep, winning_steps
from compress_core.summaries import Cut, ScaleView
from ui import live_histogram, state
from ui.controls.factorize import release_rank
from ui.controls.prune import prunes_by_threshold, release_pruning
from ui.controls.quantize import (
    FORMATS,
    FP32,
    Choice,
    bit_choices,
    bits_of,
    format_words,
    is_affine,
    release_quantization,
    sharing_of,
)
from ui.live_histogram.routes import pack, publish
from ui.state import Current

AFTER_CODES = ("correct", "activations")  # kinds that leave the weights as they are


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


@st.cache_resource(max_entries=64, show_spinner="Encoding at some sparsities…")
def pruning_blob(model: str, others: Recipe) -> bytes:
    """Profiles of all layers under the steps that are not pruning."""
    uncoded = tuple(step for step in others if step.kind in {*NETWORK_KINDS, "factorize"})
    layers = state.compressed(model, uncoded).layers
    bits = {name: found.bits for name, found in state.compressed(model, others).layers.items()}
    measured = measured_bytes(state.original(model), others) or {}
    return pack(
        [
            pruning_profile(stored, bits=bits[name], measured=measured.get(name))
            for name, stored in layers.items()
        ]
    )


def quantize(current: Current, choice: Choice) -> None:
    """The weights of a layer that share a scale, their levels, and the noise of every layer."""
    settings, layer = choice.settings, choice.layer
    others = tuple(s for s in current.recipe if s.kind not in {"quantize", *AFTER_CODES})
    before = state.compressed(current.model, others).layers[layer]
    view = summaries.scale_view(before, current.compressed.layers[layer], settings, choice.channel)
    winners = winning_steps(current.recipe, "quantize", current.original.layers)
    moves = _moved_by_quantize(current, choice)
    drawn, draws = winners.get(layer), _drawing(current, choice, view)
    scales = Quantize(
        scheme=settings.scheme, granularity=settings.granularity, group_size=settings.group_size
    )
    live_histogram.show(
        "quantize",
        {
            "profiles": publish(range_blob(current.model, others, scales)),
            "view": publish(pack([weight_points(view.weights)])),
            "title": _title(current, choice, drawn),
            "choices": _choices(choice),
            "foresees": choice.method in {"affine", "GPTQ"},
            "draws": draws,
            "step": {
                "bits": bits_of(choice.step),
                "scheme": settings.scheme,
                "clipping": settings.clipping,
                "percentile": settings.percentile,
            },
            "clips": is_affine(drawn),
            "clipped": view.clipped,
            "zeroed": view.zeroed if isinstance(drawn, Ternarize) else 0,
            "levels": view.levels.tolist() if draws == "levels" else [],
            "level_count": view.level_count,
            "scale": view.scale,
            "group_sqnr_db": view.sqnr_db,
            "layers": [
                {"moves": row.name in moves, "bits": row.bits, "sqnr_db": row.sqnr_db}
                for row in current.size.layers
            ],
        },
        on_release=release_quantization,
    )


def _moved_by_quantize(current: Current, choice: Choice) -> set[str]:
    """The layers whose step the page's controls edit."""
    if choice.alone:
        return {choice.layer}
    layers = current.original.layers
    winners = winning_steps(current.recipe, "quantize", layers)
    return {n for n in layers if n not in winners or winners[n].layers == ALL_LAYERS}


def _drawing(current: Current, choice: Choice, view: ScaleView) -> str:
    """How the component comes to the levels: by the affine formula, or the core names them."""
    if choice.method in {"affine", "GPTQ"} and not choice.stands_aside(current.recipe):
        return "affine"
    return "levels" if view.level_count else "nothing"


def _choices(choice: Choice) -> dict[str, Any]:
    """What one steps through under the picture, the last of it for: not quantized."""
    if choice.method == "float":
        chosen = choice.step.format if isinstance(choice.step, QuantizeFloat) else FP32
        texts = [format_words(name) for name in FORMATS]
        return {
            "setting": "Format",
            "field": "format",
            "values": FORMATS,
            "texts": texts,
            "chosen": chosen,
        }
    values = bit_choices(choice.method)
    return {
        "setting": "Bits",
        "field": "bits",
        "values": values,
        "texts": [str(bits) for bits in values],
        "chosen": bits_of(choice.step),
    }


def _title(current: Current, choice: Choice, drawn: AnyStep | None) -> str:
    factor = "" if current.compressed.layers[choice.layer].rank is None else "the last factor of "
    sharing = (sharing_of(drawn) if drawn else choice.settings).granularity
    part = "" if sharing == "tensor" else f", output channel {choice.channel}"
    group = ", first group" if sharing == "group" else ""
    own = " (a step of its own)" if choice.stands_aside(current.recipe) else ""
    return f"Weights of {factor}{choice.layer}{part}{group}{own}"


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
