"""What the factorize page knows of a model: spectra, and what its factors keep.

All of it is about the network that the recipe's earlier steps leave (folded, or with channels
removed), cached by the network's digest and these steps.
"""

from dataclasses import dataclass

import streamlit as st
from torch import Tensor

from compress_core import Original, Recipe, factor_steps
from compress_core.methods.low_rank import (
    FORMS,
    Decomposition,
    Factorize,
    Form,
    decompose,
    forms_of,
)
from compress_core.recipe import of_kinds
from compress_core.steps import NETWORK_KINDS, AnyStep
from compress_core.views.ranks import budget_profiles, rank_profile
from compress_core.weights import Layer
from ui.language import N_, _
from ui.live_histogram.routes import pack
from ui.session import caches
from ui.session.state import Current

SOLVING = N_("Computing the singular values…")  # while one waits for them


@dataclass(frozen=True)
class Choice:
    """What the page's controls say: the drawn layer or all of them, form, and calibration images
    (None: the inputs are not looked at)."""

    layer: str
    whole: bool
    form: Form
    samples: int | None


def network(recipe: Recipe) -> Recipe:
    """The steps that change the network itself, before any layer is factorized."""
    return of_kinds(recipe, NETWORK_KINDS)


def base(model: str, steps: Recipe) -> Original:
    return caches.compressed(model, steps).base


def form_refusals(layers: dict[str, Layer], names: list[str]) -> dict[Form, str | None]:
    """Each form, and in words why none of these layers can take it; None if one can."""
    possible = factor_steps.possible_forms(layers, names)
    if len(names) == 1:
        refusal = _("{layer} has no kernel to take apart", layer=names[0])
    else:
        refusal = _("no layer of this model has a kernel to take apart")
    return {form: None if form in possible else refusal for form in FORMS}


@caches.keep(max_entries=256, show_spinner=False)
def decomposition(
    model: str, steps: Recipe, layer: str, form: Form, samples: int | None
) -> Decomposition:
    """One layer in one form. Raises DataError where `samples` training images cannot be read."""
    original = base(model, steps)

    def gram() -> Tensor:
        assert samples is not None
        return original.calibrate(samples).moments(layer).gram

    found = decompose(original.layers[layer], form, None if samples is None else gram)
    assert found.options.kept.size  # computed here, under the spinner
    return found


def drawn(current: Current, settings: Choice) -> Decomposition:
    """The drawn layer as the settings have it."""
    shape = current.compressed.base.layers[settings.layer].shape
    form = settings.form if settings.form in forms_of(shape) else "channel"
    samples = settings.samples if form == "channel" else None
    with st.spinner(_(SOLVING)):
        return decomposition(current.model, network(current.recipe), settings.layer, form, samples)


def energy_kept(current: Current, layer: str) -> float:
    """Share of its energy that a layer's factors keep; of its outputs' where data-aware."""
    stored = current.compressed.layers[layer]
    step = current.compressed.winners("factorize").get(layer)
    if stored.form == "plain" or not isinstance(step, Factorize):
        return 1.0
    samples = step.samples if step.whiten else None
    steps = network(current.recipe)
    with st.spinner(_(SOLVING)):
        found = decomposition(current.model, steps, layer, stored.form, samples)
    return found.kept(stored.ranks)


def moving(current: Current) -> list[str]:
    """The layers that a budget moves: those without a step of their own, if there are any."""
    able, own = factor_steps.able(current.compressed.base.layers), exceptions(current)
    return [name for name in able if name not in own] or able


def mean_energy(current: Current) -> float:
    """The mean over the layers that a budget moves, as they are now; a budget makes it large."""
    names = moving(current)
    return sum(energy_kept(current, name) for name in names) / len(names)


def share_kept(current: Current) -> float:
    """Weights of the layers that a budget moves, as a share of those without factors."""
    layers, names = current.compressed.base.layers, moving(current)
    rows = [row for row in current.size.layers if row.name in names]
    dense = sum(layers[row.name].weight.numel() for row in rows)
    return sum(row.parameters for row in rows) / dense


@caches.keep(max_entries=256, show_spinner=False)
def rank_blob(model: str, steps: Recipe, layer: str, form: Form, samples: int | None) -> bytes:
    found = decomposition(model, steps, layer, form, samples)
    return pack([rank_profile(base(model, steps), found)])


@caches.keep(max_entries=64, show_spinner=False)
def budget_blob(
    model: str, steps: Recipe, form: Form, samples: int | None, moving: tuple[str, ...]
) -> bytes:
    """What budgets leave of the layers that one moves."""
    groups = [
        {
            name: decomposition(model, steps, name, kind, samples if kind == "channel" else None)
            for name in names
            if name in moving
        }
        for kind, names in factor_steps.grouped(base(model, steps).layers, form)
    ]
    found = {profile.name: profile for profile in budget_profiles(list(filter(None, groups)))}
    return pack([found[name] for name in moving])


def exceptions(current: Current) -> dict[str, AnyStep]:
    """The layers whose factors come from a step of their own, with that step."""
    steps = current.compressed.winners("factorize")
    whole = factor_steps.whole_names(current.compressed.base.layers)
    return {name: step for name, step in steps.items() if step.layers not in whole}
