"""Quantize: what a person chose or dragged → the step of the weights."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import streamlit as st

from compress_core import Recipe
from compress_core.methods.quantization import BITS
from compress_core.methods.step import ALL_LAYERS
from compress_core.recipe_edit import own_step, step_for
from compress_core.steps import AnyStep
from ui.panels.widgets import chosen_layer, write_step
from ui.quantize.methods import (
    CLIPPINGS,
    FEWEST,
    FLOAT,
    FORMATS,
    FORMATS_OF,
    FP32,
    GRANULARITIES,
    LEAST_PERCENTILE,
    MOST_DELTA,
    MX_FORMAT_NAMES,
    QUANTIZERS,
    SCHEMES,
    SCOPES,
    bits_of,
    format_of_bits,
)
from ui.session import caches, recipe_field, state, values

SETTINGS: dict[str, Callable[[Any], bool]] = {  # fields of the steps that have widgets, and rules
    "bits": lambda bits: values.is_number(bits) and bits in (*BITS, FLOAT),
    "format": (*FORMATS, *MX_FORMAT_NAMES).__contains__,
    "scheme": SCHEMES.__contains__,
    "granularity": GRANULARITIES.__contains__,
    "group_size": lambda size: values.is_number(size) and size >= 2,
    "clipping": CLIPPINGS.__contains__,
    "percentile": lambda share: values.is_number(share) and LEAST_PERCENTILE <= share <= 100,
    "delta": lambda delta: values.is_number(delta) and 0 <= delta <= MOST_DELTA,
    "samples": lambda samples: values.is_number(samples) and samples >= 1,
}


def chosen_method() -> str:
    """A name of QUANTIZERS."""
    return values.chosen("quantize_method", QUANTIZERS)


def chosen_scope() -> str:
    return values.chosen("quantize_scope", SCOPES)


def set_method() -> None:
    """The callback of the method: the same bits by the other one, where it has them."""
    recipe, method = recipe_field.session_recipe(), chosen_method()
    bits = bits_of(edited(recipe, chosen_layer("quantize_layer")))
    bits = FEWEST if bits == FLOAT else bits
    wish = {"bits": bits, "format": format_of_bits(method, bits)}
    _set_step(step_by(method, shown() | wish, None))


def set_quantization() -> None:
    """The callback of all other controls of the step."""
    release_quantization({})


def release_quantization(wish: dict[str, Any]) -> None:
    """The callback of a drag: bits or format, or the clipping with its percentile.

    A slow browser may send the bits of the method before, which this one does not have: the step
    keeps its own then.
    """
    method, wanted = chosen_method(), shown() | wish
    field, off = ("format", FP32) if method in FORMATS_OF else ("bits", FLOAT)
    before = edited(recipe_field.session_recipe(), chosen_layer("quantize_layer"))
    said = wanted.get(field, off if before is None else None)
    _set_step(None if said == off else step_by(method, wanted, before))


def shown() -> dict[str, Any]:
    """What the widgets say of the fields of the steps, as far as a step can have it."""
    said = {name: st.session_state.get(f"quantize_{name}") for name in SETTINGS}
    return {name: value for name, value in said.items() if SETTINGS[name](value)}


def step_by(method: str, wanted: dict[str, Any], before: AnyStep | None) -> AnyStep:
    """A step of the method; what has no widget stays as it was."""
    kind = QUANTIZERS[method].step
    off = {("format", FP32), ("bits", FLOAT)}  # no settings of a step
    known = {field.name for field in fields(kind)}
    settings = {k: v for k, v in wanted.items() if k in known and (k, v) not in off}
    if settings.get("format") not in FORMATS_OF.get(method, ()):  # of a method chosen before
        settings.pop("format", None)
    return replace(before if isinstance(before, kind) else kind(), **settings, layers=ALL_LAYERS)


def _set_step(step: AnyStep | None) -> None:
    layer = chosen_layer("quantize_layer") if chosen_scope() == "one" else None
    write_step("quantize", step, layer)


def edited(recipe: Recipe, layer: str) -> AnyStep | None:
    """The step that the controls show: the one of all layers, or the one that wins for `layer`."""
    if chosen_scope() == "one":
        names = caches.original(state.chosen_model()).layers
        return step_for(recipe, "quantize", layer, names)
    return own_step(recipe, "quantize")
