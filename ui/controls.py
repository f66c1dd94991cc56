"""Widgets → recipe step. Each `show_*` puts what the recipe says into its widgets and draws them;
the callbacks, and the `release_*` of the live component, write the step back into the recipe, so
that widgets and recipe never disagree."""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import streamlit as st

from compress_core import Factorize, Prune, Quantize, RandomPrune, Recipe
from compress_core.methods.low_rank import energy_curve, full_rank
from compress_core.methods.quantization import BITS
from compress_core.methods.step import ALL_LAYERS
from compress_core.recipe import AnyStep
from compress_core.recipe_edit import step_for, with_layer_step, with_step, without_step
from compress_core.summaries import Cut
from ui import state
from ui.state import Current

METHODS = ("magnitude", "random")
SCOPES = ("global", "layer", "one")
GRANULARITIES = ("channel", "tensor", "group")
SCHEMES = ("symmetric", "asymmetric")
CLIPPINGS = ("min_max", "percentile", "mse")
MOST = 99.9  # percent of weights that the slider prunes at most
FLOAT = 32  # the choice that means: not quantized
METHOD_HELP = (
    "magnitude: the smallest weights first. random: the control, the same fraction of each layer; "
    "a method that does not beat it has learned nothing."
)
SCOPE_HELP = (
    "global: one threshold for all layers. layer: each layer loses the same fraction. "
    "one: an exception for the layer on the right, which wins over the others."
)
GRANULARITY_HELP = "How many weights share a scale: an output channel, the tensor, or a group."
SCHEME_HELP = "symmetric: levels mirror around 0. asymmetric: they follow the range of the weights."
RANGE_HELP = (
    "min_max: the levels cover the full range. percentile: all but the largest weights (0.1 % "
    "unless the recipe says otherwise). mse: the range of least squared error. "
    "Weights beyond the range are clipped to its ends."
)
LAYER_WIDTH, NUMBER_WIDTH = 180, 140  # pixels
ECHO_S = 3.0  # how long a browser may send back a value that we have replaced meanwhile


def put(key: str, value: object) -> None:
    """Set a widget's value before it is drawn in this run, and remember what it replaces."""
    before = st.session_state.get(key)
    if before != value:
        st.session_state[key] = value
        if isinstance(before, int | float):
            echoes(key).append((before, time.monotonic()))


def moved(key: str) -> bool:
    """Whether a person moved this widget.

    Two controls that show one quantity write into each other. A person who moves one of them fast
    sends along what the other showed before we wrote into it; that is an echo and no wish.
    """
    now = time.monotonic()
    echoes(key)[:] = [(value, at) for value, at in echoes(key) if now - at < ECHO_S]
    found = st.session_state[key]
    return not any(math.isclose(found, value, rel_tol=1e-5) for value, _ in echoes(key))


def echoes(key: str) -> list[tuple[float, float]]:
    """The values of a widget that we replaced lately, each with the time of that."""
    found: list[tuple[float, float]] = st.session_state.setdefault(f"{key}_echoes", [])
    return found


def own_step(recipe: Recipe, kind: str, layers: tuple[str, ...]) -> AnyStep | None:
    """The last step of `kind` that names exactly these layers: the one that a page edits."""
    named = (s for s in reversed(recipe) if s.kind == kind and s.layers == layers)
    return next(named, None)


def choose(
    label: str, options: tuple[str, ...], key: str, text: str, *, on_change: Callable[[], None]
) -> None:
    """A row of choices that always has one chosen, the first to begin with."""
    if st.session_state.get(key) not in options:  # the first visit, or the browser's back button
        st.session_state[key] = options[0]
    st.segmented_control(
        label,
        options,
        key=key,
        required=True,
        bind="query-params",
        on_change=on_change,
        help=text,
    )


def choose_layer(current: Current, key: str, *, layers: list[str] | None = None) -> str:
    """A layer of the model; the largest to begin with, it has most to show."""
    names = layers or list(current.original.layers)
    if st.session_state.get(key) not in names:
        put(key, max(names, key=lambda name: current.original.layers[name].weight.numel()))
    st.selectbox(
        "Layer",
        names,
        key=key,
        bind="query-params",
        width=LAYER_WIDTH,
        help="The layer that is drawn below.",
    )
    return str(st.session_state[key])


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


def set_quantization() -> None:
    """The callback of all controls of the page."""
    release_quantization({"bits": st.session_state.quantize_bits})


def release_quantization(wish: dict[str, Any]) -> None:
    """What was dragged: bits, or the clipping with its percentile; the rest as it is chosen."""
    recipe, wanted = state.session_recipe(), {"bits": st.session_state.quantize_bits} | wish
    if wanted["bits"] == FLOAT:
        state.set_recipe(without_step(recipe, "quantize", ALL_LAYERS))
        return
    state.set_recipe(with_step(recipe, replace(_chosen_quantization(recipe), **wanted)))


def _chosen_quantization(recipe: Recipe) -> Quantize:
    """The step of all layers with the page's choices; what has no control stays as it is."""
    before = own_step(recipe, "quantize", ALL_LAYERS)
    return replace(
        before if isinstance(before, Quantize) else Quantize(),
        scheme=st.session_state.quantize_scheme,
        granularity=st.session_state.quantize_granularity,
        clipping=st.session_state.quantize_clipping,
    )


def quantization_settings(current: Current) -> Quantize:
    """What the page shows, quantized or not."""
    return _chosen_quantization(current.recipe)


def set_rank() -> None:
    """The callback of the rank; the full rank means: not factorized."""
    if moved("factorize_rank"):
        release_rank({"rank": st.session_state.factorize_rank})


def release_rank(wish: dict[str, Any]) -> None:
    """What was dragged: the rank of the drawn layer."""
    layer, rank = st.session_state.factorize_layer, int(wish["rank"])
    full = full_rank(state.original(st.session_state.model).layers[layer].shape)
    _set_factorization(layer, Factorize(rank=rank) if rank < full else None)


def set_energy() -> None:
    """The callback of the energy; all of it means: not factorized."""
    if moved("factorize_energy"):
        layer, energy = st.session_state.factorize_layer, st.session_state.factorize_energy
        step = Factorize(energy=round(energy / 100, 6)) if energy < 100 else None
        _set_factorization(layer, step)


def _set_factorization(layer: str, step: Factorize | None) -> None:
    names = state.original(st.session_state.model).layers
    recipe = with_layer_step(state.session_recipe(), "factorize", layer, step, names)
    state.set_recipe(recipe)


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


def show_quantization(current: Current) -> tuple[str, int]:
    """Bits, granularity, scheme and range of the whole model; the layer and channel to draw."""
    step = own_step(current.recipe, "quantize", ALL_LAYERS)
    if isinstance(step, Quantize):
        put("quantize_granularity", step.granularity)
        put("quantize_scheme", step.scheme)
        put("quantize_clipping", step.clipping)
    put("quantize_bits", step.bits if isinstance(step, Quantize) else FLOAT)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            "Bits",
            [*BITS, FLOAT],
            key="quantize_bits",
            width=110,
            on_change=set_quantization,
            help="A weight gets one of 2ᵏ codes. 32 leaves the weights alone. Step through below.",
        )
        for label, options, key, text in (
            (
                "Granularity",
                GRANULARITIES,
                "quantize_granularity",
                "How many weights share a scale.",
            ),
            ("Scheme", SCHEMES, "quantize_scheme", SCHEME_HELP),
            ("Range", CLIPPINGS, "quantize_clipping", RANGE_HELP),
        ):
            choose(label, options, key, text, on_change=set_quantization)
        layer = choose_layer(current, "quantize_layer")
        return layer, _choose_channel(current.original.layers[layer].shape[0])


def _choose_channel(channels: int) -> int:
    if st.session_state.get("quantize_channel", 0) >= channels:
        put("quantize_channel", 0)
    return st.number_input(
        "Output channel",
        0,
        channels - 1,
        key="quantize_channel",
        width=NUMBER_WIDTH,
        persist_state="session",
        disabled=st.session_state.quantize_granularity == "tensor",
        help=f"0 … {channels - 1}. Each has a scale, and so levels of its own; this one is drawn.",
    )


def show_factorization(current: Current, layer: str) -> int:
    """Rank and energy of one layer; returns the rank in use, the full one if not factorized."""
    stored = current.compressed.layers[layer]
    full = full_rank(stored.layer.shape)
    rank = stored.rank or full
    step = step_for(current.recipe, "factorize", layer)
    kept = float(energy_curve(stored.layer.profile.spectrum)[rank - 1])
    asked = step.energy if isinstance(step, Factorize) and step.energy else kept
    put("factorize_rank", rank)
    put("factorize_energy", round(100 * asked, 1) if stored.rank else 100.0)
    st.number_input(
        f"Rank r of {full}",
        1,
        full,
        key="factorize_rank",
        width=NUMBER_WIDTH,
        on_change=set_rank,
        disabled=full == 1,
        help="How many singular values are kept; all of them: not factorized. Drag it below.",
    )
    st.number_input(
        "Energy kept, % of Σσ²",
        0.1,
        100.0,
        step=0.1,
        format="%.1f",
        key="factorize_energy",
        width=NUMBER_WIDTH,
        on_change=set_energy,
        help="The least rank that keeps this share of the squared singular values is taken.",
    )
    return rank
