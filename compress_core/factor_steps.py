"""Factorizing a whole model: which layers can be factorized, in which form, by which steps.

A form that not every layer can take needs two steps: channel pairs for all, the form for the rest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from compress_core.methods.low_rank import FORMS, Factorize, Form, forms_of
from compress_core.methods.step import ALL_LAYERS
from compress_core.recipe import Recipe
from compress_core.recipe_edit import last_stage
from compress_core.steps import TRAINING, AnyStep
from compress_core.weights import Layer

Layers = Mapping[str, Layer]
FormGroup = tuple[Form, tuple[str, ...]]  # a form, and the layers that take it


def able(layers: Layers) -> list[str]:
    """The layers that can run as factors."""
    return [name for name, layer in layers.items() if not layer.refuses_factors]


def possible_forms(layers: Layers, names: Sequence[str]) -> set[Form]:
    """The forms that at least one of these layers can take."""
    return {form for name in names for form in forms_of(layers[name].shape)}


def whole_groups(layers: Layers, form: Form) -> list[FormGroup]:
    """The steps of the whole model in a form: the layers without it are channel pairs.

    The last group that names a layer wins, as the last step does.
    """
    names = able(layers)
    everything = ALL_LAYERS if len(names) == len(layers) else tuple(names)
    takers = tuple(name for name in names if form in forms_of(layers[name].shape))
    if len(takers) == len(names):
        return [(form, everything)]
    return [("channel", everything), (form, takers)] if takers else [("channel", everything)]


def grouped(layers: Layers, form: Form) -> list[FormGroup]:
    """The layers that each step of the whole model wins."""
    first, *others = whole_groups(layers, form)
    taken = {name for _, names in others for name in names}
    rest = tuple(name for name in able(layers) if name not in taken)
    return [(first[0], rest), *others]


def whole_step(recipe: Recipe, layers: Layers) -> Factorize | None:
    """The last step of the recipe for all layers that can be factorized."""
    names = whole_groups(layers, "channel")[0][1]
    named = (s for s in reversed(recipe) if isinstance(s, Factorize) and s.layers == names)
    return next(named, None)


def form_in_use(recipe: Recipe, layers: Layers) -> Form | None:
    """The form that the whole model's steps give its kernels; None without such steps."""
    step = whole_step(recipe, layers)
    if step is None:
        return None
    kernels = {whole_groups(layers, form)[-1][1] for form in FORMS[1:]}
    taken = (s for s in reversed(recipe) if isinstance(s, Factorize) and s.layers in kernels)
    return next((s.form for s in taken), step.form)


def whole_names(layers: Layers) -> set[tuple[str, ...]]:
    return {names for form in FORMS for _, names in whole_groups(layers, form)}


def with_whole(recipe: Recipe, layers: Layers, step: Factorize | None) -> Recipe:
    """The recipe with `step` for the whole model, in its form where a layer can take it.

    It goes before the exceptions of single layers, which stay; None takes the whole model's away.
    """
    own = whole_names(layers)

    def is_own(old: AnyStep) -> bool:
        return isinstance(old, Factorize) and old.layers in own

    done, stage, later = last_stage(recipe, is_own)
    kept = [old for old in stage if not is_own(old)]
    ends = (Factorize.kind, TRAINING)
    first = next((i for i, old in enumerate(kept) if old.kind in ends), len(kept))
    made = [] if step is None else _steps(step, whole_groups(layers, step.form))
    return (*done, *kept[:first], *made, *kept[first:], *later)


def _steps(step: Factorize, groups: list[FormGroup]) -> list[Factorize]:
    return [
        replace(step, form=form, layers=names, whiten=step.whiten and form == "channel")
        for form, names in groups
    ]
