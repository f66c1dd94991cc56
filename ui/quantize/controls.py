"""Quantize: widgets and what was dragged → the step of the weights."""

from dataclasses import dataclass, fields, replace
from typing import Any

import streamlit as st

from compress_core import Quantize, Recipe
from compress_core.methods.quantization import (
    BITS,
    FORMAT_BITS,
    Binarize,
    QuantizeFloat,
    QuantizeGPTQ,
    Ternarize,
)
from compress_core.methods.step import ALL_LAYERS
from compress_core.recipe_edit import own_step, step_for, with_layer_step, with_step, without_step
from compress_core.steps import AnyStep
from ui.panels.widgets import NUMBER_WIDTH, choose, choose_layer, put
from ui.quantize.methods import QUANTIZERS
from ui.session import recipe_field, state
from ui.session.state import Current

METHOD_NAMES = tuple(QUANTIZERS)
SETTINGS = (  # fields of the steps that have widgets
    "bits",
    "format",
    "scheme",
    "granularity",
    "group_size",
    "clipping",
    "percentile",
    "delta",
    "samples",
)
SCOPES = ("all", "one")
GRANULARITIES = ("channel", "tensor", "group")
SCHEMES = ("symmetric", "asymmetric")
CLIPPINGS = ("min_max", "percentile", "mse")
FLOAT = 32  # the choice that means: not quantized; as a format,
FP32 = "fp32"
FORMATS = (*sorted(FORMAT_BITS, key=lambda name: FORMAT_BITS[name]), FP32)
UNSCALED = tuple(name for name, bits in FORMAT_BITS.items() if bits == 16)
FORMAT_OF_BITS = {8: "fp8_e4m3", 16: "fp16"}  # others: nf4
FEWEST = 4  # bits of a method that is chosen where nothing is quantized yet
MOST_DELTA = 0.99
METHOD_HELP = (
    "affine: 2ᵏ evenly spaced levels, each weight to the nearest. GPTQ: the same levels, but each "
    "weight's error is passed on to those after it, weighed by the inputs of the original network "
    "on calibration images. float: levels dense near zero, as 16, 8 or 4 bit numbers have them. "
    "ternary: −α, 0, α. binary: −α, α."
)
SCOPE_HELP = (
    "all: the step of all layers. one: an exception for the layer on the right, which wins over "
    "it: so each layer can have bits of its own."
)
GRANULARITY_HELP = "How many weights share a scale: an output channel, the tensor, or a group."
SCHEME_HELP = "symmetric: levels mirror around 0. asymmetric: they follow the range of the weights."
RANGE_HELP = (
    "min_max: the levels cover the full range. percentile: all but the largest weights. mse: the "
    "range of least squared error. Weights beyond the range are clipped to its ends."
)
BITS_HELP = "A weight gets one of 2ᵏ codes. 32 leaves the weights alone. Step through below."
FORMAT_HELP = (
    "e4m3: 4 bits of exponent, 3 of mantissa. nf4: the quantiles of a normal distribution. 16 bit "
    "formats need no scale. fp32 leaves the weights alone."
)


@dataclass(frozen=True)
class Choice:
    """What the controls show: the layer and output channel to draw, and the step they edit, of all
    layers or `alone` of this one; None: not quantized."""

    layer: str
    channel: int
    alone: bool
    method: str
    step: AnyStep | None

    @property
    def settings(self) -> Quantize:
        """What shares a scale, and the range: of the step, or what it would have."""
        return sharing_of(self.step or _step(self.method, _shown(), None))

    def stands_aside(self, current: Current) -> bool:
        """Whether the drawn layer has a step of its own that the controls do not edit."""
        drawn = current.compressed.winners("quantize").get(self.layer)
        return not self.alone and drawn is not None and drawn.layers != ALL_LAYERS


def sharing_of(step: AnyStep) -> Quantize:
    """The affine step with the same levels, or else with the weights that share a scale."""
    match step:
        case Quantize():
            return step
        case QuantizeGPTQ():
            return step.affine
        case QuantizeFloat() if FORMAT_BITS[step.format] == 16:
            return Quantize(granularity="tensor")
        case QuantizeFloat():
            return Quantize(granularity=step.granularity, group_size=step.group_size)
    return Quantize()


def bits_of(step: AnyStep | None) -> int:
    """Nominal bits of a weight, 32 where no step quantizes it."""
    match step:
        case Quantize() | QuantizeGPTQ():
            return step.bits
        case QuantizeFloat():
            return FORMAT_BITS[step.format]
        case Ternarize():
            return 2
        case Binarize():
            return 1
    return FLOAT


def is_affine(step: AnyStep | None) -> bool:
    """Whether its levels are evenly spaced over a range that can be clipped."""
    return isinstance(step, Quantize | QuantizeGPTQ)


def bit_choices(method: str) -> list[int]:
    """The bits that a method can have, and 32."""
    return {"ternary": [2, FLOAT], "binary": [1, FLOAT]}.get(method, [*BITS, FLOAT])


def set_method() -> None:
    """The callback of the method: the same bits by the other one, where it has them."""
    recipe, method = recipe_field.session_recipe(), st.session_state.quantize_method
    bits = bits_of(_edited(recipe, st.session_state.quantize_layer))
    bits = FEWEST if bits == FLOAT else bits
    wish = {"bits": bits, "format": FORMAT_OF_BITS.get(bits, "nf4")}
    _set_step(_step(method, _shown() | wish, None))


def set_quantization() -> None:
    """The callback of all other controls of the step."""
    release_quantization({})


def release_quantization(wish: dict[str, Any]) -> None:
    """What was dragged: bits or format, or the clipping with its percentile; the rest as chosen."""
    method, wanted = st.session_state.quantize_method, _shown() | wish
    if wanted["format"] == FP32 if method == "float" else wanted["bits"] == FLOAT:
        _set_step(None)
        return
    before = _edited(recipe_field.session_recipe(), st.session_state.quantize_layer)
    _set_step(_step(method, wanted, before))


def _shown() -> dict[str, Any]:
    """What the widgets say of the fields of the steps."""
    values = st.session_state
    return {name: values[key] for name in SETTINGS if (key := f"quantize_{name}") in values}


def _step(method: str, wanted: dict[str, Any], before: AnyStep | None) -> AnyStep:
    """A step of the method; what has no widget stays as it was."""
    kind = QUANTIZERS[method].step
    off = {("format", FP32), ("bits", FLOAT)}  # no settings of a step
    known = {field.name for field in fields(kind)}
    values = {k: v for k, v in wanted.items() if k in known and (k, v) not in off}
    return replace(before if isinstance(before, kind) else kind(), **values, layers=ALL_LAYERS)


def _set_step(step: AnyStep | None) -> None:
    recipe = recipe_field.session_recipe()
    if st.session_state.quantize_scope == "one":
        names = state.original(st.session_state.model).layers
        layer = st.session_state.quantize_layer
        recipe_field.set_recipe(with_layer_step(recipe, "quantize", layer, step, names))
    elif step is None:
        recipe_field.set_recipe(without_step(recipe, "quantize", ALL_LAYERS))
    else:
        recipe_field.set_recipe(with_step(recipe, step))


def _edited(recipe: Recipe, layer: str) -> AnyStep | None:
    """The step that the controls show: the one of all layers, or the one that wins for `layer`."""
    if st.session_state.get("quantize_scope") == "one":
        names = state.original(st.session_state.model).layers
        return step_for(recipe, "quantize", layer, names)
    return own_step(recipe, "quantize")


def show_quantization(current: Current) -> Choice:
    """Method, scope, layer and channel; under them the settings of the method."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        methods = st.container(horizontal=True, width="content")  # drawn when the layer is known
        choose("Scope", SCOPES, "quantize_scope", SCOPE_HELP)
        layer = choose_layer(current, "quantize_layer")
        step = _edited(current.recipe, layer)
        _fill(step)
        with methods:
            choose("Method", METHOD_NAMES, "quantize_method", METHOD_HELP, on_change=set_method)
        channels = st.container(width=NUMBER_WIDTH)  # drawn when the granularity is known
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _show_settings(st.session_state.quantize_method)
    alone = st.session_state.quantize_scope == "one"
    choice = Choice(layer, 0, alone, st.session_state.quantize_method, step)
    with channels:
        return replace(choice, channel=_choose_channel(current, choice))


def _fill(step: AnyStep | None) -> None:
    """What the step says, into the widgets; what it does not say stays."""
    put("quantize_bits", bits_of(step))
    put("quantize_format", FP32)
    for name, method in QUANTIZERS.items():
        if type(step) is method.step:
            put("quantize_method", name)
            for field in fields(method.step):
                if field.name in SETTINGS:
                    put(f"quantize_{field.name}", getattr(step, field.name))


def _show_settings(method: str) -> None:
    if method == "float":
        st.selectbox(
            "Format",
            FORMATS,
            key="quantize_format",
            width=150,
            on_change=set_quantization,
            format_func=format_words,
            help=FORMAT_HELP,
        )
    else:
        st.selectbox(
            "Bits",
            bit_choices(method),
            key="quantize_bits",
            width=110,
            on_change=set_quantization,
            help=BITS_HELP,
        )
    if method == "ternary":
        put("quantize_delta", min(MOST_DELTA, st.session_state.get("quantize_delta", 0.7)))
        st.number_input(
            "Δ, times mean |w|",
            0.0,
            MOST_DELTA,
            step=0.05,
            key="quantize_delta",
            width=NUMBER_WIDTH,
            on_change=set_quantization,
            help="Weights of at most Δ become 0, the others ±α, the mean of their magnitudes. "
            "0.7 is near the optimum of normally distributed weights.",
        )
    unscaled = method == "float" and st.session_state.quantize_format in UNSCALED
    if method in {"affine", "GPTQ", "float"} and not unscaled:
        _show_granularity()
    if method in {"affine", "GPTQ"}:
        _show_range()


def _show_granularity() -> None:
    choose(
        "Granularity",
        GRANULARITIES,
        "quantize_granularity",
        GRANULARITY_HELP,
        on_change=set_quantization,
    )
    if st.session_state.quantize_granularity == "group":
        _number(
            "Group size",
            "quantize_group_size",
            32,
            2,
            None,
            "How many inputs of a channel share a scale; each costs 4 bytes.",
        )


def _show_range() -> None:
    choose("Scheme", SCHEMES, "quantize_scheme", SCHEME_HELP, on_change=set_quantization)
    choose("Range", CLIPPINGS, "quantize_clipping", RANGE_HELP, on_change=set_quantization)
    if st.session_state.quantize_clipping == "percentile":
        _number(
            "Percentile of |w|",
            "quantize_percentile",
            99.9,
            50.0,
            100.0,
            "Of the weights that are not zero; those beyond it are clipped. Drag it below.",
        )


def _number(label: str, key: str, usual: float, low: float, high: float | None, text: str) -> None:
    put(key, st.session_state.get(key, usual))
    st.number_input(
        label,
        low,
        high,
        key=key,
        width=NUMBER_WIDTH,
        on_change=set_quantization,
        help=text,
        step=0.1 if isinstance(usual, float) else 1,
    )


def format_words(name: str) -> str:
    """A float format as people write it: fp8 e4m3."""
    return name.replace("_", " ")


def _choose_channel(current: Current, choice: Choice) -> int:
    channels = current.compressed.layers[choice.layer].layer.shape[0]
    if st.session_state.get("quantize_channel", 0) >= channels:
        put("quantize_channel", 0)
    return st.number_input(
        "Output channel",
        0,
        channels - 1,
        key="quantize_channel",
        persist_state="session",
        disabled=choice.settings.granularity == "tensor",
        help=f"0 … {channels - 1}. Each has a scale, and so levels of its own; this one is drawn.",
    )
