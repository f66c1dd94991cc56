"""What the controls of all pages share: linked values, choices, numbers."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import streamlit as st

from compress_core import Recipe
from compress_core.methods.step import ALL_LAYERS
from compress_core.own_steps import with_own_step
from compress_core.recipe import up_to
from compress_core.recipe_edit import with_layer_step, with_step, without_step
from compress_core.steps import AnyStep
from ui.language import _
from ui.session import address, caches, recipe_field, state, values
from ui.session.values import Number

LAYER_WIDTH, NUMBER_WIDTH = 180, 140  # pixels; in a frame all controls share its two columns
ECHO_S = 3.0  # how long a browser may send back a value that we have replaced meanwhile
SAMPLES, MOST_SAMPLES = 256, 4096  # training images that a step looks at


def put(key: str, value: object) -> None:
    """Set a widget's value before it is drawn in this run; remember it, and what it replaces."""
    before = st.session_state.get(key)
    if values.is_number(value):
        st.session_state[f"{key}_known"] = value
    if before != value:
        st.session_state[key] = value
        if values.is_number(before):
            echoes(key).append((before, time.monotonic()))


def moved(key: str) -> bool:
    """Whether a person moved this widget.

    Two controls that show one quantity write into each other. When a person moves one of them
    fast, the browser also sends the old value of the other: an echo, not the person's move. So is
    what it sends of a page that it has just left, and the value that we have put there, or heard
    already: after an echo the browser's next message brings it, and to Streamlit it is a change.
    """
    page = st.session_state.get("page")
    if page and not key.startswith(f"{page.split('_')[0]}_"):
        return False
    now = time.monotonic()
    echoes(key)[:] = [(value, at) for value, at in echoes(key) if now - at < ECHO_S]
    found = st.session_state.get(key)
    if not values.is_number(found) or _is_one_of(found, [value for value, _at in echoes(key)]):
        return False
    known = st.session_state.get(f"{key}_known")
    st.session_state[f"{key}_known"] = found
    return not (values.is_number(known) and _is_one_of(found, [known]))


def _is_one_of(found: float, known: Iterable[float]) -> bool:
    return any(math.isclose(found, value, rel_tol=1e-5) for value in known)


def echoes(key: str) -> list[tuple[float, float]]:
    """The values of a widget that we replaced lately, each with the time of that."""
    found: list[tuple[float, float]] = st.session_state.setdefault(f"{key}_echoes", [])
    return found


def write_step(kind: str, step: AnyStep | None, layer: str | None) -> None:
    """Write a page's step of `kind` into the recipe, for one layer, or for all if there is none. If
    the step is None, it is taken out."""
    recipe = recipe_field.session_recipe()
    if layer is not None:
        recipe_field.set_recipe(with_exception(recipe, kind, layer, step))
    elif step is None:
        recipe_field.set_recipe(without_step(recipe, kind, ALL_LAYERS))
    else:
        recipe_field.set_recipe(with_step(recipe, step))


def with_exception(recipe: Recipe, kind: str, layer: str, step: AnyStep | None) -> Recipe:
    """The recipe with a step of its own for one layer, or none; the others stay as they are."""
    model = state.chosen_model()
    try:
        before = caches.compressed(model, up_to(recipe, kind))
    except ValueError:  # refused or not trained yet: there is no result to keep
        names = caches.original(model).layers
        return with_layer_step(recipe, kind, layer, step, names)
    return with_own_step(recipe, kind, layer, step, before)


def choose(
    label: str,
    options: Sequence[str],
    key: str,
    text: str,
    *,
    in_address: bool = True,
    on_change: Callable[[], None] | Literal["rerun"] = "rerun",
    width: int = NUMBER_WIDTH,
) -> str:
    """A list of choices, one of them always chosen, the first to begin with; returns it.

    The address carries it, except where the recipe says it already (`in_address` is False).
    """
    value = values.chosen(key, options)
    values.repair(key, value)
    st.selectbox(
        label,
        options,
        format_func=_,
        key=key,
        width=width,
        filter_mode=None,
        persist_state="session",
        on_change=on_change,
        help=text,
    )
    if in_address:
        address.tell(key, value, usual=options[0])
    return value


def chosen_layer(key: str, names: Iterable[str] | None = None) -> str:
    """The layer that a control holds; the largest where it holds none: it has most to show."""
    return values.chosen(key, _largest_first(names))


def _largest_first(names: Iterable[str] | None) -> list[str]:
    layers = caches.original(state.chosen_model()).layers
    return sorted(names or layers, key=lambda name: -layers[name].weight.numel())


def choose_layer(key: str, *, layers: list[str] | None = None) -> str:
    """A layer of the model, of all or of `layers`; the largest to begin with."""
    names = layers or list(caches.original(state.chosen_model()).layers)
    value = chosen_layer(key, names)
    values.repair(key, value)
    st.selectbox(
        _("Layer"),
        names,
        key=key,
        persist_state="session",
        width=LAYER_WIDTH,
        help=_("The layer that is drawn."),
    )
    address.tell(key, value, usual=_largest_first(names)[0])
    return value


def number_field(
    label: str, key: str, usual: Number, low: Number, high: Number | None, **options: Any
) -> Number:
    """A field for a number from `low` to `high`, `usual` to begin with; returns the number."""
    value = values.number(key, usual, low, high)
    values.repair(key, value)
    settings: dict[str, Any] = {"width": NUMBER_WIDTH, "persist_state": "session"} | options
    st.number_input(label, low, high, key=key, **settings)
    return value


def choose_samples(key: str, *, on_change: Callable[[], None]) -> None:
    """How many training images a step looks at: MOST_SAMPLES, or more if the recipe says so."""
    number_field(
        _("Training images"),
        key,
        SAMPLES,
        1,
        max(MOST_SAMPLES, values.number(key, SAMPLES)),
        step=64,
        on_change=on_change,
        help=_(
            "What the method is measured on: drawn from the training set, the same number of each "
            "class, by a seed. The test images stay unseen."
        ),
    )
