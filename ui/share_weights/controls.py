"""Share weights: widgets → the step."""

from dataclasses import replace

import streamlit as st

from compress_core import Recipe
from compress_core.methods.step import ALL_LAYERS
from compress_core.methods.weight_sharing import INITS, MAX_CLUSTERS, ShareWeights
from compress_core.recipe_edit import own_step, step_for, with_layer_step, with_step, without_step
from ui.panels.widgets import NUMBER_WIDTH, choose, choose_layer, moved, put
from ui.session import recipe_field, state
from ui.session.state import Current

OFF = 0  # the choice that means: not shared
CLUSTERS = (OFF, 2, 4, 8, 16, 32, 64, 128, 256)
SCOPES = ("layer", "all", "one")
CLUSTERS_HELP = (
    "How many values a weight may have. 2ᵏ of them make indices of k bits; 16 is a usual choice."
)
INIT_HELP = (
    "Where k-means starts. linear: equally spaced, so that large weights keep entries of their "
    "own. density: where most weights are. random: weights drawn by a seed. optimal: the least "
    "squared error of all codebooks, searched by dynamic programming (proven close up to 256 "
    "clusters)."
)
ZEROS_HELP = (
    "Pruned weights stay exactly zero: one of the entries is theirs alone. Without it, zeros move "
    "to the nearest mean, and the sparsity is lost."
)
SCOPE_HELP = (
    "layer: a codebook for each layer. all: one codebook for all layers. one: an exception for the "
    "layer on the right, which wins over the others."
)


def set_choice() -> None:
    """The callback of the choices; the chosen one, clicked again, stays."""
    if st.session_state.share_choice is not None:
        _share(st.session_state.share_choice)


def set_clusters() -> None:
    """The callback of the number field."""
    if moved("share_clusters"):
        _share(st.session_state.share_clusters)


def set_settings() -> None:
    """The callback of start, seed and zeros: they wait where nothing is shared yet."""
    step = _edited_step(recipe_field.session_recipe())
    if step:
        _share(step.clusters)


def set_scope() -> None:
    """The callback of the scope: "one" only turns the controls to the layer's own step."""
    if st.session_state.share_scope != "one":
        set_settings()


def _share(clusters: int) -> None:
    """This many clusters, with the settings that are chosen, where the scope says."""
    recipe, step = recipe_field.session_recipe(), None
    if clusters != OFF:
        step = replace(chosen_sharing(recipe), clusters=clusters)
    if st.session_state.share_scope == "one":
        names = state.original(st.session_state.model).layers
        layer = st.session_state.share_layer
        recipe_field.set_recipe(with_layer_step(recipe, "share", layer, step, names))
    elif step is None:
        recipe_field.set_recipe(without_step(recipe, "share", ALL_LAYERS))
    else:
        recipe_field.set_recipe(with_step(recipe, step))


def chosen_sharing(recipe: Recipe) -> ShareWeights:
    """The step of all layers that the controls stand for, shared or not."""
    return replace(
        _edited_step(recipe) or ShareWeights(),
        clusters=st.session_state.share_clusters,
        init=st.session_state.share_init,
        keep_zeros=st.session_state.share_zeros,
        scope="all" if st.session_state.share_scope == "all" else "layer",
        seed=st.session_state.get("share_seed", 0),
        layers=ALL_LAYERS,
    )


def _edited_step(recipe: Recipe) -> ShareWeights | None:
    """The step that the controls show: of all layers, or, in the scope "one", the layer's."""
    if st.session_state.share_scope == "one":
        names = state.original(st.session_state.model).layers
        step = step_for(recipe, "share", st.session_state.share_layer, names)
    else:
        step = own_step(recipe, "share")
    return step if isinstance(step, ShareWeights) else None


def quantized_too(current: Current) -> list[str]:
    """The layers that the recipe quantizes and shares, which no layer can be."""
    recipe, names = recipe_field.session_recipe(), current.original.layers
    return [
        name
        for name in names
        if step_for(recipe, "quantize", name, names) and step_for(recipe, "share", name, names)
    ]


def take_quantization_out(layers: list[str]) -> None:
    """The callback of the remedy: these layers are shared only."""
    recipe = recipe_field.session_recipe()
    names = state.original(st.session_state.model).layers
    for layer in layers:
        recipe = with_layer_step(recipe, "quantize", layer, None, names)
    recipe_field.set_recipe(recipe)


def show_refusal(layers: list[str]) -> None:
    """Quantize and share on the same layers: why not, and the way out."""
    st.warning(
        f"Quantized already: {', '.join(layers)}. A weight is stored either as a code on a grid of "
        "equal steps, or as an index into a codebook; not as both."
    )
    st.button(
        "Take quantization out",
        key="share_unquantize",
        icon=":material/close:",
        on_click=take_quantization_out,
        args=(layers,),
        help="These layers are then shared, and no longer quantized.",
    )


def show_sharing(current: Current) -> str:
    """Clusters, start, zeros and scope; returns the layer that is drawn."""
    recipe = recipe_field.session_recipe()  # a step that is refused keeps its place in the controls
    common = own_step(recipe, "share")
    if isinstance(common, ShareWeights) and st.session_state.get("share_scope") != "one":
        put("share_scope", common.scope)
    clusters = st.container(horizontal=True, vertical_alignment="bottom")
    settings = st.container(horizontal=True, vertical_alignment="bottom")
    with clusters:
        numbers = st.container(horizontal=True, vertical_alignment="bottom", width="content")
        choose("Codebook for", SCOPES, "share_scope", SCOPE_HELP, on_change=set_scope)
        layer = choose_layer(current, "share_layer")
    step = _edited_step(recipe)
    put("share_choice", _choice(step))
    put("share_clusters", step.clusters if step else st.session_state.get("share_clusters", 16))
    if step:
        put("share_init", step.init)
        put("share_zeros", step.keep_zeros)
        put("share_seed", step.seed)
    with numbers:
        _show_clusters()
    with settings:
        _show_start()
    return layer


def _choice(step: ShareWeights | None) -> int | None:
    """None where the number field alone says it."""
    found = step.clusters if step else OFF
    return found if found in CLUSTERS else None


def _show_clusters() -> None:
    st.segmented_control(
        "Clusters",
        CLUSTERS,
        key="share_choice",
        format_func=lambda clusters: str(clusters or "off"),
        on_change=set_choice,
        help=CLUSTERS_HELP,
    )
    st.number_input(
        "Any number",
        2,
        MAX_CLUSTERS,
        key="share_clusters",
        width=NUMBER_WIDTH,
        on_change=set_clusters,
        help=f"2 … {MAX_CLUSTERS:,} clusters.",
    )


def _show_start() -> None:
    choose("Start", tuple(INITS), "share_init", INIT_HELP, on_change=set_settings)
    if st.session_state.share_init == "random":
        put("share_seed", st.session_state.get("share_seed", 0))
        st.number_input(
            "Seed",
            0,
            2**31,
            key="share_seed",
            width=NUMBER_WIDTH,
            on_change=set_settings,
            help="Another seed draws other weights to start from: the squared error differs.",
        )
    put("share_zeros", st.session_state.get("share_zeros", True))
    st.toggle("Keep zeros", key="share_zeros", on_change=set_settings, help=ZEROS_HELP)
