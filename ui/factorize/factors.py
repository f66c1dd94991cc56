"""What the factorize page knows of a model: which layers take which form, and their spectra.

All of it is about the network that the recipe's earlier steps leave (folded, or with channels
removed), cached by the model's name and these steps.
"""

from dataclasses import dataclass, replace

import streamlit as st
from torch import Tensor

from compress_core import Original, Recipe
from compress_core.methods.low_rank import (
    FORMS,
    Decomposition,
    Factorize,
    Form,
    break_even_rank,
    decompose,
    forms_of,
    full_rank,
    is_larger,
    parameter_count,
)
from compress_core.methods.step import ALL_LAYERS
from compress_core.recipe import of_kinds
from compress_core.steps import NETWORK_KINDS, AnyStep
from compress_core.views.ranks import budget_profiles, rank_profile
from compress_core.weights import Layer
from ui.live_histogram.routes import pack
from ui.session import caches
from ui.session.state import Current

Group = tuple[Form, tuple[str, ...]]  # a form, and the layers that take it


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


def able(layers: dict[str, Layer]) -> list[str]:
    """The layers that can run as factors."""
    return [name for name, layer in layers.items() if not layer.refuses_factors]


def forms(layers: dict[str, Layer], names: list[str]) -> dict[Form, str | None]:
    """Each form, and why none of these layers can take it; None if one can."""
    possible = {form for name in names for form in forms_of(layers[name].shape)}
    which = names[0] if len(names) == 1 else "no layer of this model"
    kernel = "has no kernel to take apart" if len(names) == 1 else "has a kernel to take apart"
    return {form: None if form in possible else f"{which} {kernel}" for form in FORMS}


def whole_groups(layers: dict[str, Layer], form: Form) -> list[Group]:
    """The steps of the whole model in a form: the layers without it are channel pairs.

    The last group that names a layer wins, as the last step does.
    """
    names = able(layers)
    everything = ALL_LAYERS if len(names) == len(layers) else tuple(names)
    takers = tuple(name for name in names if form in forms_of(layers[name].shape))
    if len(takers) == len(names):
        return [(form, everything)]
    return [("channel", everything), (form, takers)] if takers else [("channel", everything)]


def grouped(layers: dict[str, Layer], form: Form) -> list[Group]:
    """The layers that each step of the whole model wins."""
    first, *others = whole_groups(layers, form)
    taken = {name for _, names in others for name in names}
    rest = tuple(name for name in able(layers) if name not in taken)
    return [(first[0], rest), *others]


def break_even(shape: tuple[int, ...], form: Form) -> int:
    """The largest rank that is not larger than the weight; 0 where each rank is."""
    return 0 if is_larger(shape, 1, form) else break_even_rank(shape, form)


def rank_of_same_size(shape: tuple[int, ...], form: Form, weights: int) -> int:
    """The largest rank of a form whose parts have at most so many weights, at least 1."""
    ranks = range(1, full_rank(shape, form) + 1)
    return max((r for r in ranks if parameter_count(shape, r, form) <= weights), default=1)


@st.cache_resource(max_entries=256, show_spinner="Computing the singular values…")
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
    return decomposition(current.model, network(current.recipe), settings.layer, form, samples)


def energy_kept(current: Current, layer: str) -> float:
    """Share of its energy that a layer's factors keep; of its outputs' where data-aware."""
    stored = current.compressed.layers[layer]
    step = current.compressed.winners("factorize").get(layer)
    if stored.form == "plain" or not isinstance(step, Factorize):
        return 1.0
    samples = step.samples if step.whiten else None
    steps = network(current.recipe)
    return decomposition(current.model, steps, layer, stored.form, samples).kept(stored.ranks)


def mean_energy(current: Current) -> float:
    """Of all layers that can be factorized, as they are now: what a budget makes large."""
    names = able(current.compressed.base.layers)
    return sum(energy_kept(current, name) for name in names) / len(names)


def share_kept(current: Current) -> float:
    """Weights of all layers that can be factorized, as a share of those without factors."""
    layers = current.compressed.base.layers
    rows = [row for row in current.size.layers if row.name in able(layers)]
    dense = sum(layers[row.name].weight.numel() for row in rows)
    return sum(row.parameters for row in rows) / dense


@st.cache_resource(max_entries=256, show_spinner="Computing the singular values…")
def rank_blob(model: str, steps: Recipe, layer: str, form: Form, samples: int | None) -> bytes:
    found = decomposition(model, steps, layer, form, samples)
    return pack([rank_profile(base(model, steps), found)])


@st.cache_resource(max_entries=64, show_spinner="Spreading budgets over the layers…")
def budget_blob(model: str, steps: Recipe, form: Form, samples: int | None) -> bytes:
    groups = [
        {
            name: decomposition(model, steps, name, kind, samples if kind == "channel" else None)
            for name in names
        }
        for kind, names in grouped(base(model, steps).layers, form)
    ]
    found = {profile.name: profile for profile in budget_profiles(groups)}
    return pack([found[name] for name in able(base(model, steps).layers)])


def whole_step(recipe: Recipe, layers: dict[str, Layer]) -> Factorize | None:
    """The last step of the recipe for all layers that can be factorized."""
    names = whole_groups(layers, "channel")[0][1]
    named = (s for s in reversed(recipe) if isinstance(s, Factorize) and s.layers == names)
    return next(named, None)


def form_in_use(recipe: Recipe, layers: dict[str, Layer]) -> Form | None:
    """The form that the whole model's steps give its kernels; None without such steps."""
    step = whole_step(recipe, layers)
    if step is None:
        return None
    kernels = {whole_groups(layers, form)[-1][1] for form in FORMS[1:]}
    taken = (s for s in reversed(recipe) if isinstance(s, Factorize) and s.layers in kernels)
    return next((s.form for s in taken), step.form)


def exceptions(current: Current) -> dict[str, AnyStep]:
    """The layers whose factors come from a step of their own, with that step."""
    steps = current.compressed.winners("factorize")
    whole = _whole_names(current.compressed.base.layers)
    return {name: step for name, step in steps.items() if step.layers not in whole}


def _whole_names(layers: dict[str, Layer]) -> set[tuple[str, ...]]:
    return {names for form in FORMS for _, names in whole_groups(layers, form)}


def with_whole(recipe: Recipe, layers: dict[str, Layer], step: Factorize | None) -> Recipe:
    """The recipe with `step` for the whole model, in its form where a layer can take it.

    It goes before the exceptions of single layers, which stay; None takes the whole model's away.
    """
    own = _whole_names(layers)
    kept = [s for s in recipe if not (s.kind == "factorize" and s.layers in own)]
    first = next((i for i, s in enumerate(kept) if s.kind == "factorize"), len(kept))
    made = [] if step is None else _steps(step, whole_groups(layers, step.form))
    return (*kept[:first], *made, *kept[first:])


def _steps(step: Factorize, groups: list[Group]) -> list[Factorize]:
    return [
        replace(step, form=form, layers=names, whiten=step.whiten and form == "channel")
        for form, names in groups
    ]
