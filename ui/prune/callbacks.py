"""Prune: what a person chose or dragged → the step in the recipe."""

from typing import Any

import streamlit as st

from compress_core import Prune, Recipe
from compress_core.methods.pruning import PruneNM
from compress_core.methods.step import ALL_LAYERS
from compress_core.recipe_edit import own_step
from compress_core.steps import AnyStep
from ui.panels.widgets import SAMPLES, chosen_layer, moved, write_step
from ui.prune.methods import METHODS, make_step, method_of, scope_of
from ui.session import caches, recipe_field, state, values

USUAL_PATTERN = "2:4"
MOST = 99.9  # percent of weights that the slider prunes at most


def chosen_method() -> str:
    """A name of METHODS."""
    return values.chosen("prune_method", METHODS)


def chosen_scope() -> str:
    """A scope of the chosen method."""
    return values.chosen("prune_scope", METHODS[chosen_method()].scopes)


def _asked() -> float:
    """The share that the page shows, as a fraction."""
    return values.number("prune_asked", 0.0, 0.0, MOST / 100)


def set_method() -> None:
    """The callback of the method: the same share by the other one, in its usual scope."""
    method = chosen_method()
    if chosen_scope() != "one":
        st.session_state.prune_scope = METHODS[method].scopes[0]
    if method != "N:M":
        _prune(_asked())
    else:
        st.session_state.prune_pattern = USUAL_PATTERN
        set_pattern()


def set_sparsity() -> None:
    """The callback of the sparsity; 0 takes the layers out of pruning."""
    if moved("prune_sparsity"):
        _prune(round(values.number("prune_sparsity", 0.0, 0.0, MOST) / 100, 6))


def set_threshold() -> None:
    if moved("prune_threshold"):
        _prune_at(values.number("prune_threshold", 0.0, 0.0))


def set_scope() -> None:
    """The callback of the scope; "one" changes no step, and the controls show the layer's own."""
    step = own_step(recipe_field.session_recipe(), "prune")
    if step and scope_of(step) and chosen_scope() != "one":
        _prune(_asked())


def set_samples() -> None:
    """The callback of the number of training images."""
    _prune(_asked())


def set_pattern() -> None:
    """The callback of the pattern; none takes the layers out of pruning."""
    pattern = chosen_pattern()
    _set_prune_step(None if pattern == "none" else _step_of(pattern))


def chosen_pattern() -> str:
    """The chosen pattern; "none" where the control holds no pattern that a step can have."""
    found = values.text("prune_pattern")
    try:
        _step_of(found)
    except ValueError:
        return "none"
    return found


def _step_of(pattern: str) -> PruneNM:
    n, _, m = pattern.partition(":")
    return PruneNM(int(n), int(m))


def release_pruning(wish: dict[str, Any]) -> None:
    """The callback of a drag (sparsity, threshold, one layer's bar), or of the layer to draw."""
    layers = caches.original(state.chosen_model()).layers
    if wish.get("draw") in layers:
        st.session_state.prune_layer = wish["draw"]
    elif wish.get("layer") in layers:
        alone = "row" if chosen_scope() == "row" else "layer"
        # a share of 0 is an exception, too: the other layers keep their step
        sparsity = round(float(wish["sparsity"]), 6)
        step = _step(sparsity, scope=alone) or Prune(sparsity=0.0, scope="layer")
        write_step("prune", step, wish["layer"])
    elif "threshold" in wish:
        _prune_at(wish["threshold"])
    elif "sparsity" in wish:
        _prune(round(float(wish["sparsity"]), 6))


def _prune(sparsity: float) -> None:
    """Prune the share `sparsity` by the chosen settings; an exception keeps its scope."""
    method, scope = chosen_method(), chosen_scope()
    if scope == "one":
        step = edited(recipe_field.session_recipe(), chosen_layer("prune_layer"))
        same = step is not None and method_of(step) == method
        scope = (same and step and scope_of(step)) or METHODS[method].scopes[0]
    _set_prune_step(_step(sparsity, scope=scope))


def _step(sparsity: float, *, scope: str) -> AnyStep | None:
    """The step of the chosen method and images; None for a share of 0."""
    if not sparsity:
        return None
    before = edited(recipe_field.session_recipe(), chosen_layer("prune_layer"))
    return make_step(
        chosen_method(),
        sparsity,
        scope=scope,
        samples=chosen_samples(),
        seed=vars(before).get("seed", 0) if before else 0,
    )


def _prune_at(threshold: float) -> None:
    threshold = float(f"{threshold:.6g}")
    _set_prune_step(Prune(threshold=threshold) if threshold else None)


def _set_prune_step(step: AnyStep | None) -> None:
    write_step("prune", step, chosen_layer("prune_layer") if chosen_scope() == "one" else None)


def chosen_samples() -> int:
    """How many training images a score is measured on."""
    return values.number("prune_samples", SAMPLES, 1)


def edited(recipe: Recipe, layer: str) -> AnyStep | None:
    """The step that the controls edit: the drawn layer's own, or that of all layers."""
    return own_step(recipe, "prune", (layer,) if chosen_scope() == "one" else ALL_LAYERS)
