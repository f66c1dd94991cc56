"""Prune: widgets and what was dragged → the step."""

from dataclasses import replace
from typing import Any

import streamlit as st

from compress_core import Prune, RandomPrune
from compress_core.methods.step import ALL_LAYERS
from compress_core.recipe import AnyStep
from compress_core.recipe_edit import with_layer_step, with_step, without_step
from compress_core.summaries import Cut
from ui import state
from ui.controls.common import NUMBER_WIDTH, choose, choose_layer, moved, own_step, put
from ui.state import Current

METHODS = ("magnitude", "random")
SCOPES = ("global", "layer", "one")
MOST = 99.9  # percent of weights that the slider prunes at most
METHOD_HELP = (
    "magnitude: the smallest weights first. random: the control, the same fraction of each layer; "
    "a method that does not beat it has learned nothing."
)
SCOPE_HELP = (
    "global: one threshold for all layers. layer: each layer loses the same fraction. "
    "one: an exception for the layer on the right, which wins over the others."
)


def set_pruning() -> None:
    """The callback of the method: the same sparsity by the other one."""
    _prune(round(st.session_state.prune_sparsity / 100, 6))


def release_pruning(wish: dict[str, Any]) -> None:
    """What was dragged: the sparsity, the threshold, one layer's bar; or the layer to draw."""
    layers = state.original(st.session_state.model).layers
    if wish.get("draw") in layers:
        st.session_state.prune_layer = wish["draw"]
    elif wish.get("layer") in layers:
        layer, sparsity = wish["layer"], round(float(wish["sparsity"]), 6)
        step = Prune(sparsity, scope="layer") if sparsity else None
        state.set_recipe(with_layer_step(state.session_recipe(), "prune", layer, step, layers))
    elif "threshold" in wish:
        _prune_at(wish["threshold"])
    elif "sparsity" in wish:
        _prune(round(float(wish["sparsity"]), 6))


def _prune(sparsity: float) -> None:
    """The share `sparsity` by the method and in the scope that are chosen."""
    if not sparsity:
        _set_prune_step(None)
    elif st.session_state.prune_method == "random":
        _set_prune_step(RandomPrune(sparsity))
    else:
        alike = st.session_state.prune_scope == "layer"
        _set_prune_step(Prune(sparsity, scope="layer" if alike else "global"))


def set_sparsity() -> None:
    """The callback of the sparsity; 0 % takes the layers out of pruning."""
    if moved("prune_sparsity"):
        set_pruning()


def set_threshold() -> None:
    if moved("prune_threshold"):
        _prune_at(st.session_state.prune_threshold)


def _prune_at(threshold: float) -> None:
    threshold = float(f"{threshold:.6g}")
    _set_prune_step(Prune(threshold=threshold) if threshold else None)


def set_scope() -> None:
    """The callback of the scope: "one" only turns the controls to the layer's own step."""
    recipe, scope = state.session_recipe(), st.session_state.prune_scope
    step = own_step(recipe, "prune", ALL_LAYERS)
    if isinstance(step, Prune) and step.sparsity is not None and scope != "one":
        state.set_recipe(with_step(recipe, replace(step, scope=scope)))


def _set_prune_step(step: Prune | RandomPrune | None) -> None:
    recipe = state.session_recipe()
    if st.session_state.prune_scope == "one":
        names = state.original(st.session_state.model).layers
        layer = st.session_state.prune_layer
        state.set_recipe(with_layer_step(recipe, "prune", layer, step, names))
    elif step is None:
        state.set_recipe(without_step(recipe, "prune", ALL_LAYERS))
    else:
        state.set_recipe(with_step(recipe, step))


def prunes_by_threshold(current: Current, layer: str) -> bool:
    """Whether the step that the page edits names a threshold; else it names a share."""
    alone = st.session_state.prune_scope == "one"
    step = own_step(current.recipe, "prune", (layer,) if alone else ALL_LAYERS)
    return isinstance(step, Prune) and step.threshold is not None


def show_pruning(current: Current, cuts: dict[str, Cut]) -> str:
    """Method, scope, layer, sparsity and threshold; returns the layer that is drawn."""
    step = own_step(current.recipe, "prune", ALL_LAYERS)
    if step and st.session_state.get("prune_scope") != "one":
        put("prune_method", "random" if isinstance(step, RandomPrune) else "magnitude")
        if isinstance(step, RandomPrune):
            put("prune_scope", "layer")
        elif isinstance(step, Prune) and step.sparsity is not None:
            put("prune_scope", step.scope)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        choose("Method", METHODS, "prune_method", METHOD_HELP, on_change=set_pruning)
        choose("Scope", SCOPES, "prune_scope", SCOPE_HELP, on_change=set_scope)
        layer = choose_layer(current, "prune_layer")
        numbers = st.container(horizontal=True, width="content")  # drawn when the layer is known
    shown = cuts
    if st.session_state.prune_scope == "one":
        shown = {layer: cuts[layer]}
        step = own_step(current.recipe, "prune", (layer,))
    put("prune_sparsity", min(MOST, round(100 * _sparsity(step, current, shown), 1)))
    put("prune_threshold", _threshold(step, layer, shown))
    numbers.number_input(
        "Sparsity, %",
        0.0,
        MOST,
        step=0.1,
        format="%.1f",
        key="prune_sparsity",
        width=NUMBER_WIDTH,
        on_change=set_sparsity,
        help="The share of weights that becomes zero, the smallest first. Drag it below.",
    )
    numbers.number_input(
        "Threshold t on |w|",
        min_value=0.0,
        step=0.001,
        format="%.5f",
        key="prune_threshold",
        width=NUMBER_WIDTH,
        on_change=set_threshold,
        disabled=st.session_state.prune_method == "random",
        help="Weights of at most this magnitude become zero. Set it, and the sparsity follows.",
    )
    return layer


def _sparsity(step: AnyStep | None, current: Current, cuts: dict[str, Cut]) -> float:
    """What the step asks for; where it asks for no fraction, what came of it."""
    if isinstance(step, Prune | RandomPrune) and step.sparsity is not None:
        return step.sparsity
    weights = {row.name: row.parameters for row in current.size.layers}
    zeros = sum(cut.sparsity * weights[name] for name, cut in cuts.items())
    return zeros / sum(weights[name] for name in cuts)


def _threshold(step: AnyStep | None, layer: str, cuts: dict[str, Cut]) -> float:
    match step:
        case Prune(threshold=float() as threshold):
            return threshold
        case Prune(scope="global", sparsity=float()):
            return max(cut.threshold for cut in cuts.values())
        case RandomPrune():
            return 0.0
    return cuts[layer].threshold
