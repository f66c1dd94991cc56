"""Prune: widgets and what was dragged → the step."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from compress_core import Prune, Recipe
from compress_core.methods.pruning import PruneNM
from compress_core.methods.step import ALL_LAYERS
from compress_core.recipe_edit import own_step, with_layer_step, with_step, without_step
from compress_core.steps import AnyStep, row_of
from compress_core.views.summaries import Cut
from ui.panels.widgets import (
    NUMBER_WIDTH,
    SAMPLES,
    choose,
    choose_layer,
    choose_samples,
    moved,
    put,
)
from ui.prune.methods import METHODS, make_step, method_of, scope_help, scope_of
from ui.session import recipe_field, state
from ui.session.state import Current

PATTERNS = ("none", "1:2", "2:4", "4:8", "1:4", "2:8", "1:8")
USUAL_PATTERN = "2:4"
MOST = 99.9  # percent of weights that the slider prunes at most
METHOD_HELP = "What decides which weights go: the line below says what each method knows."
PATTERN_HELP = (
    "n of every m neighbouring weights of a row stay, the largest. NVIDIA's sparse tensor cores "
    "skip the zeros of 2:4; what is left over at a row's end keeps the same share, rounded up."
)


@dataclass(frozen=True)
class Choice:
    """What the controls show: the layer to draw, method and scope, the step of the recipe that
    they edit, and the threshold on |w|."""

    layer: str
    method: str
    scope: str
    step: AnyStep | None
    threshold: float

    @property
    def by_threshold(self) -> bool:
        """Whether the step names a threshold; else it names a share."""
        return isinstance(self.step, Prune) and self.step.threshold is not None


def set_method() -> None:
    """The callback of the method: the same share by the other one, in its usual scope."""
    method = st.session_state.prune_method
    if st.session_state.prune_scope != "one":
        st.session_state.prune_scope = METHODS[method].scopes[0]
    if method != "N:M":
        _prune(st.session_state.prune_asked)
    else:
        st.session_state.prune_pattern = USUAL_PATTERN
        set_pattern()


def set_sparsity() -> None:
    """The callback of the sparsity; 0 takes the layers out of pruning."""
    if moved("prune_sparsity"):
        _prune(round(st.session_state.prune_sparsity / 100, 6))


def set_threshold() -> None:
    if moved("prune_threshold"):
        _prune_at(st.session_state.prune_threshold)


def set_scope() -> None:
    """The callback of the scope: "one" only turns the controls to the layer's own step."""
    step = own_step(recipe_field.session_recipe(), "prune")
    if step and scope_of(step) and st.session_state.prune_scope != "one":
        _prune(st.session_state.prune_asked)


def set_samples() -> None:
    """The callback of the number of training images."""
    _prune(st.session_state.prune_asked)


def set_pattern() -> None:
    """The callback of the pattern; none takes the layers out of pruning."""
    n, colon, m = st.session_state.prune_pattern.partition(":")
    _set_prune_step(PruneNM(int(n), int(m)) if colon else None)


def release_pruning(wish: dict[str, Any]) -> None:
    """What was dragged: the sparsity, the threshold, one layer's bar; or the layer to draw."""
    layers = state.original(st.session_state.model).layers
    if wish.get("draw") in layers:
        st.session_state.prune_layer = wish["draw"]
    elif wish.get("layer") in layers:
        alone = "row" if st.session_state.prune_scope == "row" else "layer"
        # a share of 0 is an exception, too: the other layers keep their step
        sparsity = round(float(wish["sparsity"]), 6)
        step = _step(sparsity, scope=alone) or Prune(sparsity=0.0, scope="layer")
        recipe = with_layer_step(
            recipe_field.session_recipe(), "prune", wish["layer"], step, layers
        )
        recipe_field.set_recipe(recipe)
    elif "threshold" in wish:
        _prune_at(wish["threshold"])
    elif "sparsity" in wish:
        _prune(round(float(wish["sparsity"]), 6))


def _prune(sparsity: float) -> None:
    """The share `sparsity` by what is chosen; an exception keeps the scope that it has."""
    method, scope = st.session_state.prune_method, st.session_state.prune_scope
    if scope == "one":
        step = _edited(recipe_field.session_recipe(), st.session_state.prune_layer)
        same = step is not None and method_of(step) == method
        scope = (same and step and scope_of(step)) or METHODS[method].scopes[0]
    _set_prune_step(_step(sparsity, scope=scope))


def _step(sparsity: float, *, scope: str) -> AnyStep | None:
    """By the method and on the images that are chosen; nothing for a share of 0."""
    if not sparsity:
        return None
    before = _edited(recipe_field.session_recipe(), st.session_state.get("prune_layer"))
    return make_step(
        st.session_state.prune_method,
        sparsity,
        scope=scope,
        samples=st.session_state.get("prune_samples", SAMPLES),
        seed=vars(before).get("seed", 0) if before else 0,
    )


def _prune_at(threshold: float) -> None:
    threshold = float(f"{threshold:.6g}")
    _set_prune_step(Prune(threshold=threshold) if threshold else None)


def _set_prune_step(step: AnyStep | None) -> None:
    recipe = recipe_field.session_recipe()
    if st.session_state.prune_scope == "one":
        names = state.original(st.session_state.model).layers
        layer = st.session_state.prune_layer
        recipe_field.set_recipe(with_layer_step(recipe, "prune", layer, step, names))
    elif step is None:
        recipe_field.set_recipe(without_step(recipe, "prune", ALL_LAYERS))
    else:
        recipe_field.set_recipe(with_step(recipe, step))


def _edited(recipe: Recipe, layer: str | None) -> AnyStep | None:
    """The step that the controls edit: the drawn layer's own, or that of all layers."""
    alone = st.session_state.get("prune_scope") == "one" and layer is not None
    return own_step(recipe, "prune", (str(layer),) if alone else ALL_LAYERS)


def show_pruning(current: Current, cuts: dict[str, Cut]) -> Choice:
    """Method, scope, layer, and the numbers of the method."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        choices, chosen, numbers = (
            st.container(horizontal=True, vertical_alignment="bottom", width="content")
            for _ in range(3)
        )
    with chosen:
        layer = choose_layer(current, "prune_layer")
    step = _follow(current, layer)
    with choices:
        choose("Method", tuple(METHODS), "prune_method", METHOD_HELP, on_change=set_method)
        method = st.session_state.prune_method
        text = scope_help(method)
        choose("Scope", METHODS[method].scopes, "prune_scope", text, on_change=set_scope)
    scope = st.session_state.prune_scope
    shown = {name: cuts[name] for name in moved_layers(current, layer, scope)} or cuts
    share = min(MOST, round(100 * _share(step, current, shown), 1))
    st.session_state.prune_asked = round(share / 100, 6)
    choice = Choice(layer, method, scope, step, _threshold(step, layer, shown))
    with numbers:
        _show_numbers(choice, share)
    return choice


def moved_layers(current: Current, layer: str, scope: str) -> set[str]:
    """The layers that the page's controls prune: those without a step of their own."""
    if scope == "one":
        return {layer}
    winners = current.compressed.winners("prune")
    return {
        n for n in current.original.layers if n not in winners or winners[n].layers == ALL_LAYERS
    }


def _follow(current: Current, layer: str) -> AnyStep | None:
    """Put what the recipe says into the widgets; returns the step that they edit."""
    step = _edited(current.recipe, layer)
    alone = st.session_state.get("prune_scope") == "one"
    # an exception that is not made yet starts from what the layer has
    shown = current.compressed.winners("prune").get(layer) if alone and not step else step
    if shown:
        put("prune_method", method_of(shown))
        if not alone and scope_of(shown):
            put("prune_scope", scope_of(shown))
    if shown and row_of(shown).has("samples"):
        put("prune_samples", vars(shown)["samples"])
    put("prune_pattern", f"{shown.n}:{shown.m}" if isinstance(shown, PruneNM) else "none")
    return step


def _show_numbers(choice: Choice, share: float) -> None:
    if choice.method == "N:M":
        _choose_pattern()
        return
    put("prune_sparsity", share)
    st.number_input(
        "Sparsity, %",
        0.0,
        MOST,
        step=0.1,
        format="%.1f",
        key="prune_sparsity",
        width=NUMBER_WIDTH,
        on_change=set_sparsity,
        help="The share of weights that becomes zero. Drag it below.",
    )
    if choice.method == "magnitude":
        put("prune_threshold", choice.threshold)
        st.number_input(
            "Threshold t on |w|",
            min_value=0.0,
            step=0.001,
            format="%.5f",
            key="prune_threshold",
            width=NUMBER_WIDTH,
            on_change=set_threshold,
            help="Weights of at most this magnitude become zero. Set it, and the sparsity follows.",
        )
    elif METHODS[choice.method].has("samples"):
        choose_samples("prune_samples", on_change=set_samples)


def _choose_pattern() -> None:
    found = st.session_state.prune_pattern
    st.selectbox(
        "Pattern n:m",
        [*PATTERNS, *([] if found in PATTERNS else [found])],
        key="prune_pattern",
        width=NUMBER_WIDTH,
        on_change=set_pattern,
        persist_state="session",
        help=PATTERN_HELP,
    )


def _share(step: AnyStep | None, current: Current, cuts: dict[str, Cut]) -> float:
    """What the step asks for; where it asks for no fraction, what came of it."""
    asked = vars(step).get("sparsity") if step else None
    if asked is not None:
        return float(asked)
    weights = {row.name: row.parameters for row in current.size.layers}
    zeros = sum(cut.sparsity * weights[name] for name, cut in cuts.items())
    return zeros / sum(weights[name] for name in cuts)


def _threshold(step: AnyStep | None, layer: str, cuts: dict[str, Cut]) -> float:
    match step:
        case Prune(threshold=float() as threshold):
            return threshold
        case Prune(scope="global", sparsity=float()):
            return max(cut.threshold for cut in cuts.values())
    return cuts[layer].threshold if layer in cuts else 0.0
