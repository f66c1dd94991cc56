"""Prune: the widgets, and what they show."""

from dataclasses import dataclass

import streamlit as st

from compress_core import Prune
from compress_core.methods.pruning import PruneNM
from compress_core.methods.step import ALL_LAYERS
from compress_core.recipe_edit import own_step
from compress_core.steps import AnyStep, row_of
from compress_core.views.summaries import PrunedLayer
from ui.language import N_, _
from ui.panels.norms import show_recalibration
from ui.panels.widgets import (
    NUMBER_WIDTH,
    choose,
    choose_layer,
    choose_samples,
    chosen_layer,
    number_field,
    put,
)
from ui.prune.callbacks import (
    MOST,
    chosen_pattern,
    chosen_scope,
    edited,
    set_method,
    set_pattern,
    set_samples,
    set_scope,
    set_sparsity,
    set_threshold,
)
from ui.prune.methods import METHODS, method_of, scope_help, scope_of
from ui.session import values
from ui.session.state import Current

PATTERNS = (N_("none"), "1:2", "2:4", "4:8", "1:4", "2:8", "1:8")
SNAPS = (0.5, 0.8, 0.9, 0.95, 0.99)  # sparsities that a click sets
METHOD_HELP = N_("What decides which weights go: the line below says what each method knows.")
PATTERN_HELP = N_(
    "n of every m neighbouring weights of a row stay, the largest. NVIDIA's sparse tensor cores "
    "skip the zeros of 2:4; what is left over at a row's end keeps the same share, rounded up."
)


@dataclass(frozen=True)
class Choice:
    """What the controls show: the layer to draw, method and scope, the step of the recipe that
    they edit, the threshold on |w|, and the share that is pruned."""

    layer: str
    method: str
    scope: str
    step: AnyStep | None
    threshold: float
    share: float

    @property
    def by_threshold(self) -> bool:
        """Whether the step names a threshold; else it names a share."""
        return isinstance(self.step, Prune) and self.step.threshold is not None


def show_pruning(current: Current, cuts: dict[str, PrunedLayer]) -> Choice:
    """Method, scope, layer, and the numbers of the method."""
    with st.container(key="pairs"):
        choices, chosen, numbers = (st.container() for _ in range(3))
    with chosen:
        layer = choose_layer("prune_layer")
    step = _follow(current, layer)
    with choices:
        method, scope = _choose_method_and_scope(step)
    choice = _choice(current, layer, method, scope, step, cuts)
    share = min(MOST, round(100 * choice.share, 1))
    st.session_state.prune_asked = round(share / 100, 6)
    with numbers:
        _show_numbers(choice, share)
        show_recalibration(current, "prune")
    return choice


def _choice(
    current: Current,
    layer: str,
    method: str,
    scope: str,
    step: AnyStep | None,
    cuts: dict[str, PrunedLayer],
) -> Choice:
    shown = {name: cuts[name] for name in moved_layers(current, layer, scope)} or cuts
    share, threshold = _share(step, current, shown), _threshold(step, layer, shown)
    return Choice(layer, method, scope, step, threshold, share)


def choice_of_recipe(current: Current, cuts: dict[str, PrunedLayer]) -> Choice:
    """What a page without controls drags: the step of all layers, in its usual scope if new."""
    step = own_step(current.recipe, "prune")
    method = method_of(step) if step else next(iter(METHODS))
    scope = (step and scope_of(step)) or METHODS[method].scopes[0]
    return _choice(current, chosen_layer("prune_layer"), method, scope, step, cuts)


def _choose_method_and_scope(step: AnyStep | None) -> tuple[str, str]:
    """The address carries them where the edited step does not tell them."""
    said = step is None
    method = choose(
        _("Method"),
        tuple(METHODS),
        "prune_method",
        _(METHOD_HELP),
        in_address=said,
        on_change=set_method,
    )
    scope = choose(
        _("Scope"),
        METHODS[method].scopes,
        "prune_scope",
        scope_help(method),
        in_address=said or chosen_scope() == "one",
        on_change=set_scope,
    )
    return method, scope


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
    step = edited(current.recipe, layer)
    alone = chosen_scope() == "one"
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
    number_field(
        _("Sparsity, %"),
        "prune_sparsity",
        0.0,
        0.0,
        MOST,
        step=0.1,
        format="%.1f",
        on_change=set_sparsity,
        help=_("The share of weights that becomes zero. Drag it in the picture."),
    )
    if choice.method == "magnitude":
        put("prune_threshold", choice.threshold)
        number_field(
            _("Threshold t on |w|"),
            "prune_threshold",
            0.0,
            0.0,
            None,
            step=0.001,
            format="%.5f",
            on_change=set_threshold,
            help=_(
                "Weights of at most this magnitude become zero. Set it, and the sparsity follows."
            ),
        )
    elif METHODS[choice.method].has("samples"):
        choose_samples("prune_samples", on_change=set_samples)


def _choose_pattern() -> None:
    found = chosen_pattern()
    values.repair("prune_pattern", found)
    st.selectbox(
        _("Pattern n:m"),
        [*PATTERNS, *([] if found in PATTERNS else [found])],
        format_func=_,
        key="prune_pattern",
        width=NUMBER_WIDTH,
        on_change=set_pattern,
        persist_state="session",
        help=_(PATTERN_HELP),
    )


def _share(step: AnyStep | None, current: Current, cuts: dict[str, PrunedLayer]) -> float:
    """The fraction that the step asks for, or the resulting one if it asks for none."""
    asked = vars(step).get("sparsity") if step else None
    if asked is not None:
        return float(asked)
    weights = {row.name: row.parameters for row in current.size.layers}
    zeros = sum(cut.sparsity * weights[name] for name, cut in cuts.items())
    return zeros / sum(weights[name] for name in cuts)


def _threshold(step: AnyStep | None, layer: str, cuts: dict[str, PrunedLayer]) -> float:
    match step:
        case Prune(threshold=float() as threshold):
            return threshold
        case Prune(scope="global", sparsity=float()):
            return max(cut.threshold for cut in cuts.values())
    return cuts[layer].threshold if layer in cuts else 0.0
