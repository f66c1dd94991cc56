"""Share weights: widgets → the step."""

from dataclasses import replace

import streamlit as st

from compress_core import Recipe
from compress_core.methods.step import ALL_LAYERS
from compress_core.methods.weight_sharing import INITS, MAX_CLUSTERS, ShareWeights
from compress_core.recipe_edit import last_stage, own_step, step_for
from ui.language import N_, _
from ui.panels.widgets import (
    choose,
    choose_layer,
    chosen_layer,
    moved,
    number_field,
    put,
    with_exception,
    write_step,
)
from ui.session import caches, recipe_field, state, values
from ui.session.state import Current

OFF = 0  # the choice that means: not shared
CLUSTERS = (OFF, 2, 4, 8, 16, 32, 64, 128, 256)
SCOPES = (N_("layer"), N_("all"), N_("one"))
STARTS = (N_("optimal"), N_("linear"), N_("density"), N_("random"))
assert tuple(INITS) == STARTS, "a start of k-means has no name on the page, or the reverse"
MOST_SEED = 2**31
CLUSTERS_HELP = N_(
    "How many values a weight may have. 2ᵏ of them make indices of k bits; 16 is a usual choice."
)
INIT_HELP = N_(
    "Where k-means starts. optimal: the least squared error of all codebooks, searched by dynamic "
    "programming (proven close up to 256 clusters, slow beyond). linear: equally spaced, so that "
    "large weights keep entries of their own. density: where most weights are. random: weights "
    "drawn by a seed."
)
ZEROS_HELP = N_(
    "Pruned weights stay exactly zero: one of the entries is theirs alone. Without it, zeros move "
    "to the nearest mean, and the sparsity is lost."
)
SCOPE_HELP = N_(
    "layer: a codebook for each layer. all: one codebook for all layers. one: an exception for the "
    "layer on the right, which wins over the others."
)


def set_choice() -> None:
    """The callback of the choices; the chosen one, clicked again, stays."""
    choice = values.chosen("share_choice", (None, *CLUSTERS))
    if choice is not None:
        _share(choice)


def set_clusters() -> None:
    """The callback of the number field."""
    if moved("share_clusters"):
        _share(_clusters())


def _clusters() -> int:
    """What the number field says."""
    return values.number("share_clusters", 16, 2, MAX_CLUSTERS)


def chosen_scope() -> str:
    return values.chosen("share_scope", SCOPES)


def set_settings() -> None:
    """The callback of start, seed and zeros; they act once something is shared."""
    step = _edited_step(recipe_field.session_recipe())
    if step:
        _share(step.clusters)


def set_scope() -> None:
    """The callback of the scope; "one" changes no step, and the controls show the layer's own."""
    if chosen_scope() != "one":
        set_settings()


def _share(clusters: int) -> None:
    """This many clusters, with the settings that are chosen, where the scope says."""
    step = None
    if clusters != OFF:
        step = replace(chosen_sharing(recipe_field.session_recipe()), clusters=clusters)
    write_step("share", step, chosen_layer("share_layer") if chosen_scope() == "one" else None)


def chosen_sharing(recipe: Recipe) -> ShareWeights:
    """The step of all layers that the controls stand for, shared or not."""
    return replace(
        _edited_step(recipe) or ShareWeights(),
        clusters=_clusters(),
        init=values.chosen("share_init", INITS),
        keep_zeros=values.switched("share_zeros", True),
        scope="all" if chosen_scope() == "all" else "layer",
        seed=values.number("share_seed", 0, 0, MOST_SEED),
        layers=ALL_LAYERS,
    )


def _edited_step(recipe: Recipe) -> ShareWeights | None:
    """The step that the controls show: of all layers, or, in the scope "one", the layer's."""
    if chosen_scope() == "one":
        names = caches.original(state.chosen_model()).layers
        step = step_for(recipe, "share", chosen_layer("share_layer"), names)
    else:
        step = own_step(recipe, "share")
    return step if isinstance(step, ShareWeights) else None


def quantized_too(current: Current) -> list[str]:
    """The layers that a stage of the recipe both quantizes and shares, which is impossible."""
    names = current.original.layers
    _, stage, _ = last_stage(recipe_field.session_recipe(), lambda step: step.kind == "share")
    return [
        name
        for name in names
        if step_for(stage, "quantize", name, names) and step_for(stage, "share", name, names)
    ]


def take_quantization_out(layers: list[str]) -> None:
    """The callback of the remedy: these layers are shared only."""
    recipe = recipe_field.session_recipe()
    for layer in layers:
        recipe = with_exception(recipe, "quantize", layer, None)
    recipe_field.set_recipe(recipe)


def show_refusal(layers: list[str]) -> None:
    """Why layers cannot be both quantized and shared, and a button that mends it."""
    st.warning(
        _(
            "Quantized already: {layers}. A weight is stored either as a code on a grid of equal "
            "steps, or as an index into a codebook; not as both.",
            layers=", ".join(layers),
        )
    )
    st.button(
        _("Take quantization out"),
        key="share_unquantize",
        icon=":material/close:",
        on_click=take_quantization_out,
        args=(layers,),
        help=_("These layers are then shared, and no longer quantized."),
    )


def show_sharing() -> str:
    """Clusters, start, zeros and scope; returns the layer that is drawn."""
    recipe = recipe_field.session_recipe()  # a step that is refused keeps its place in the controls
    common = own_step(recipe, "share")
    said = isinstance(common, ShareWeights) and chosen_scope() != "one"
    if isinstance(common, ShareWeights) and said:
        put("share_scope", common.scope)
    clusters = st.container()
    with st.container(key="pairs"):
        numbers, chosen, settings = (st.container() for _ in range(3))
    with chosen:
        choose(
            _("Codebook for"),
            SCOPES,
            "share_scope",
            _(SCOPE_HELP),
            in_address=not said,
            on_change=set_scope,
        )
        layer = choose_layer("share_layer")
    step = _edited_step(recipe)
    put("share_choice", _choice(step))
    put("share_clusters", step.clusters if step else _clusters())
    if step:
        put("share_init", step.init)
        put("share_zeros", step.keep_zeros)
        put("share_seed", step.seed)
    with clusters:
        _show_clusters()
    with numbers:
        _show_any_number()
    with settings:
        _show_start(in_address=step is None)
    return layer


def _choice(step: ShareWeights | None) -> int | None:
    """None where the number field alone says it."""
    found = step.clusters if step else OFF
    return found if found in CLUSTERS else None


def _show_clusters() -> None:
    st.segmented_control(
        _("Clusters"),
        CLUSTERS,
        key="share_choice",
        persist_state="session",
        format_func=lambda clusters: str(clusters or _("off")),
        on_change=set_choice,
        help=_(CLUSTERS_HELP),
    )


def _show_any_number() -> None:
    number_field(
        _("Any number"),
        "share_clusters",
        16,
        2,
        MAX_CLUSTERS,
        on_change=set_clusters,
        help=_("2 … {most:,} clusters.", most=MAX_CLUSTERS),
    )


def _show_start(*, in_address: bool) -> None:
    start = choose(
        _("Start from"),
        STARTS,
        "share_init",
        _(INIT_HELP),
        in_address=in_address,
        on_change=set_settings,
    )
    if start == "random":
        number_field(
            _("Seed"),
            "share_seed",
            0,
            0,
            MOST_SEED,
            on_change=set_settings,
            help=_("Another seed draws other weights to start from: the squared error differs."),
        )
    values.repair("share_zeros", values.switched("share_zeros", True))
    st.toggle(
        _("Keep zeros"),
        key="share_zeros",
        persist_state="session",
        on_change=set_settings,
        help=_(ZEROS_HELP),
    )
