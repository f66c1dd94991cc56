"""Quantize: the widgets of the step of the weights, and what they show."""

from dataclasses import dataclass, fields, replace

import streamlit as st

from compress_core import Quantize
from compress_core.methods.step import ALL_LAYERS
from compress_core.steps import AnyStep
from ui.language import N_, _
from ui.panels.widgets import NUMBER_WIDTH, choose, choose_layer, number_field, put
from ui.quantize.callbacks import SETTINGS, edited, set_method, set_quantization, shown, step_by
from ui.quantize.methods import (
    CLIPPINGS,
    FORMATS,
    FORMATS_OF,
    FP32,
    GRANULARITIES,
    LEAST_PERCENTILE,
    MOST_DELTA,
    QUANTIZERS,
    SCHEMES,
    SCOPES,
    UNSCALED,
    bit_choices,
    bits_of,
    format_words,
    sharing_of,
)
from ui.session import values
from ui.session.state import Current

METHOD_HELP = N_(
    "affine: 2ᵏ evenly spaced levels, each weight to the nearest. GPTQ: the same levels, but each "
    "weight's error is passed on to those after it, weighed by the inputs of the original network "
    "on calibration images. float: levels dense near zero, as 16, 8 or 4 bit numbers have them. "
    "microscaling: short numbers in blocks of a row, with a scale of one byte each. "
    "ternary: −α, 0, α. binary: −α, α."
)
SCOPE_HELP = N_(
    "all: the step of all layers. one: an exception for the layer on the right, which wins over "
    "it: so each layer can have bits of its own."
)
GRANULARITY_HELP = N_("How many weights share a scale: an output channel, the tensor, or a group.")
SCHEME_HELP = N_(
    "symmetric: levels mirror around 0. asymmetric: they follow the range of the weights."
)
RANGE_HELP = N_(
    "min_max: the levels cover the full range. percentile: all but the largest weights. mse: the "
    "range of least squared error. Weights beyond the range are clipped to its ends."
)
BITS_HELP = N_("A weight gets one of 2ᵏ codes. 32 leaves the weights alone.")
FORMAT_HELP = N_(
    "e4m3: 4 bits of exponent, 3 of mantissa. nf4: the quantiles of a normal distribution. 16 bit "
    "formats need no scale. fp32 leaves the weights alone."
)
MX_FORMAT_HELP = N_(
    "e2m3: 2 bits of exponent, 3 of mantissa. mxfp4 and nvfp4 have e2m1, mxint8 whole numbers. A "
    "scale for 32 weights of a row, for nvfp4 16. fp32 leaves the weights alone."
)
FORMAT_HELPS = {"float": FORMAT_HELP, "microscaling": MX_FORMAT_HELP}


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
        return sharing_of(self.step or step_by(self.method, shown(), None))

    def stands_aside(self, current: Current) -> bool:
        """Whether the drawn layer has a step of its own that the controls do not edit."""
        drawn = current.compressed.winners("quantize").get(self.layer)
        return not self.alone and drawn is not None and drawn.layers != ALL_LAYERS


def show_quantization(current: Current) -> Choice:
    """Method, scope, layer and channel; under them the settings of the method."""
    with st.container(key="pairs"):
        methods = st.container()  # drawn when the layer is known
        scope = choose(_("Scope"), SCOPES, "quantize_scope", _(SCOPE_HELP))
        layer = choose_layer("quantize_layer")
        step = edited(current.recipe, layer)
        _fill(step)
        with methods:
            method = choose(
                _("Method"),
                tuple(QUANTIZERS),
                "quantize_method",
                _(METHOD_HELP),
                in_address=step is None,
                on_change=set_method,
            )
        channels = st.container()  # drawn when the granularity is known
        _show_settings(method, in_address=step is None)
    choice = Choice(layer, 0, scope == "one", method, step)
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


def _show_settings(method: str, *, in_address: bool) -> None:
    if method in FORMATS_OF:
        st.selectbox(
            _("Format"),
            FORMATS_OF[method],
            key="quantize_format",
            persist_state="session",
            width=NUMBER_WIDTH,
            on_change=set_quantization,
            format_func=format_words,
            help=_(FORMAT_HELPS[method]),
        )
    else:
        st.selectbox(
            _("Bits"),
            bit_choices(method),
            key="quantize_bits",
            persist_state="session",
            width=NUMBER_WIDTH,
            on_change=set_quantization,
            help=_(BITS_HELP),
        )
    if method == "ternary":
        put("quantize_delta", min(MOST_DELTA, values.number("quantize_delta", 0.7, 0.0)))
        number_field(
            _("Δ, times mean |w|"),
            "quantize_delta",
            0.7,
            0.0,
            MOST_DELTA,
            step=0.05,
            on_change=set_quantization,
            help=_(
                "Weights of at most Δ become 0, the others ±α, the mean of their magnitudes. "
                "0.7 is near the optimum of normally distributed weights."
            ),
        )
    unscaled = method == "float" and values.chosen("quantize_format", FORMATS) in UNSCALED
    if method in {"affine", "GPTQ", "float"} and not unscaled:
        _show_granularity(in_address=in_address)
    if method in {"affine", "GPTQ"}:
        _show_range(in_address=in_address)


def _show_granularity(*, in_address: bool) -> None:
    granularity = choose(
        _("Granularity"),
        GRANULARITIES,
        "quantize_granularity",
        _(GRANULARITY_HELP),
        in_address=in_address,
        on_change=set_quantization,
    )
    if granularity == "group":
        number_field(
            _("Group size"),
            "quantize_group_size",
            32,
            2,
            None,
            on_change=set_quantization,
            help=_("How many inputs of a channel share a scale; each costs 4 bytes."),
        )


def _show_range(*, in_address: bool) -> None:
    choose(
        _("Scheme"),
        SCHEMES,
        "quantize_scheme",
        _(SCHEME_HELP),
        in_address=in_address,
        on_change=set_quantization,
    )
    clipping = choose(
        _("Range"),
        CLIPPINGS,
        "quantize_clipping",
        _(RANGE_HELP),
        in_address=in_address,
        on_change=set_quantization,
    )
    if clipping == "percentile":
        number_field(
            _("Percentile of |w|"),
            "quantize_percentile",
            99.9,
            LEAST_PERCENTILE,
            100.0,
            step=0.1,
            on_change=set_quantization,
            help=_("Of the weights that are not zero; those beyond it are clipped. Drag it."),
        )


def _choose_channel(current: Current, choice: Choice) -> int:
    channels = current.compressed.layers[choice.layer].layer.shape[0]
    return number_field(
        _("Output channel"),
        "quantize_channel",
        0,
        0,
        channels - 1,
        disabled=choice.settings.granularity == "tensor",
        help=_(
            "0 … {last}. Each has a scale, and so levels of its own; this one is drawn.",
            last=channels - 1,
        ),
    )
