"""Channels: widgets → the step that removes some."""

from dataclasses import replace

import streamlit as st

from compress_core.methods.step import ALL_LAYERS
from compress_core.methods.structured import IMPORTANCES, Importance, PruneStructured
from compress_core.methods.structured.planning import Scope
from compress_core.recipe_edit import own_step, with_step, without_step
from ui.language import N_, _
from ui.panels.norms import show_folding, show_recalibration
from ui.panels.widgets import SAMPLES, choose, choose_samples, number_field, put
from ui.session import recipe_field, values
from ui.session.state import Current

SCOPES: tuple[Scope, ...] = ("layer", "global")
MOST_FLOOR, MOST_SEED = 512, 9999
MOST = 95.0  # percent of the channels that the slider removes at most
KNOWS: dict[Importance, str] = {
    "l2": N_("**l2**, √Σw² of a channel's weights: it knows the weights alone."),
    "l1": N_("**l1**, Σ|w| of a channel's weights: it knows the weights alone."),
    "taylor": N_(
        "**taylor**, Σ|w · ∂L/∂w|: it knows weights and gradients, and removes what would move the "
        "loss least."
    ),
    "mean": N_("**mean**, |mean| of the channel's outputs: it knows outputs."),
    "std": N_(
        "**std**, the spread of the channel's outputs: it knows outputs. A channel that hardly "
        "changes could be replaced by a bias."
    ),
    "apoz": N_(
        "**apoz**, how often the channel is not zero (1 − APoZ): it knows outputs, and is "
        "meaningful only behind a ReLU."
    ),
    "random": N_(
        "**random** knows nothing. It is the control: a useful method must be better than it. One "
        "draw is luck: try other seeds."
    ),
}
WORDS = (N_("mean"), N_("std"), N_("random"))  # names of importances that are no symbols
IMPORTANCE_HELP = N_("What ranks the channels: the line below says what each choice knows.")
SCOPE_HELP = N_(
    "layer: each layer loses the same share of its channels.  \nglobal: all are ranked together, "
    "each importance in units of its layer's mean, since layers differ in scale."
)
FLOOR_HELP = N_(
    "The least number of channels that every layer keeps, whatever the ratio: a layer of few "
    "channels passes on little, and without any the network is cut in two."
)


def set_structured() -> None:
    """The callback of all controls of the step; a ratio of 0 takes it out of the recipe."""
    recipe, step = recipe_field.session_recipe(), chosen_step()
    if step.pruning_ratio:
        recipe_field.set_recipe(with_step(recipe, step))
    else:
        recipe_field.set_recipe(without_step(recipe, "structured", ALL_LAYERS))


def chosen_step() -> PruneStructured:
    """The step of all layers with the page's choices."""
    return PruneStructured(
        round(values.number("structured_ratio", 0.0, 0.0, MOST) / 100, 6),
        values.chosen("structured_importance", KNOWS),
        values.chosen("structured_scope", SCOPES),
        values.number("structured_floor", 1, 1),
        values.number("structured_samples", SAMPLES, 1),
        values.number("structured_seed", 0, 0),
    )


def show_structured(current: Current) -> PruneStructured:
    """Ratio, importance, scope and floor; returns the step that they stand for, at any ratio."""
    shown = _follow(current)
    with st.container(key="pairs"):
        importance = choose(
            _("Importance"),
            tuple(KNOWS),
            "structured_importance",
            _(IMPORTANCE_HELP),
            in_address=shown is None,
            on_change=set_structured,
        )
        choose(
            _("Scope"),
            SCOPES,
            "structured_scope",
            _(SCOPE_HELP),
            in_address=shown is None,
            on_change=set_structured,
        )
        _choose_floor()
        if IMPORTANCES[importance]:
            choose_samples("structured_samples", on_change=set_structured)
        elif importance == "random":
            _choose_seed()
    st.slider(
        _("Pruning ratio, % of the channels"),
        0.0,
        MOST,
        step=1.0,
        format="%g %%",
        key="structured_ratio",
        persist_state="session",
        on_change=set_structured,
        help=_("The share of filters, neurons and heads that leaves the network for good."),
    )
    show_folding(current, "structured")
    show_recalibration(current, "structured")
    return replace(chosen_step(), pruning_ratio=0.0)


def _follow(current: Current) -> PruneStructured | None:
    """Put what the recipe says into the widgets; returns its step of all layers."""
    step = own_step(current.recipe, "structured")
    shown = step if isinstance(step, PruneStructured) else None
    if shown:
        put("structured_importance", shown.importance)
        put("structured_scope", shown.scope)
        put("structured_floor", shown.floor)
        put("structured_samples", shown.samples)
        put("structured_seed", shown.seed)
    put("structured_ratio", min(MOST, round(100 * shown.pruning_ratio, 1)) if shown else 0.0)
    return shown


def _choose_floor() -> None:
    number_field(
        _("Floor, channels"),
        "structured_floor",
        1,
        1,
        max(MOST_FLOOR, values.number("structured_floor", 1)),
        on_change=set_structured,
        help=_(FLOOR_HELP),
    )


def _choose_seed() -> None:
    number_field(
        _("Seed"),
        "structured_seed",
        0,
        0,
        max(MOST_SEED, values.number("structured_seed", 0)),
        on_change=set_structured,
        help=_("Another seed draws other channels."),
    )
