"""Quantize: widgets and what was dragged → the step."""

from dataclasses import replace
from typing import Any

import streamlit as st

from compress_core import Quantize, Recipe
from compress_core.methods.quantization import BITS
from compress_core.methods.step import ALL_LAYERS
from compress_core.recipe_edit import with_step, without_step
from ui import state
from ui.controls.common import NUMBER_WIDTH, choose, choose_layer, own_step, put
from ui.state import Current

GRANULARITIES = ("channel", "tensor", "group")
SCHEMES = ("symmetric", "asymmetric")
CLIPPINGS = ("min_max", "percentile", "mse")
FLOAT = 32  # the choice that means: not quantized
GRANULARITY_HELP = "How many weights share a scale: an output channel, the tensor, or a group."
SCHEME_HELP = "symmetric: levels mirror around 0. asymmetric: they follow the range of the weights."
RANGE_HELP = (
    "min_max: the levels cover the full range. percentile: all but the largest weights (0.1 % "
    "unless the recipe says otherwise). mse: the range of least squared error. "
    "Weights beyond the range are clipped to its ends."
)


def set_quantization() -> None:
    """The callback of all controls of the page."""
    release_quantization({"bits": st.session_state.quantize_bits})


def release_quantization(wish: dict[str, Any]) -> None:
    """What was dragged: bits, or the clipping with its percentile; the rest as it is chosen."""
    recipe, wanted = state.session_recipe(), {"bits": st.session_state.quantize_bits} | wish
    if wanted["bits"] == FLOAT:
        state.set_recipe(without_step(recipe, "quantize", ALL_LAYERS))
        return
    state.set_recipe(with_step(recipe, replace(_chosen_quantization(recipe), **wanted)))


def _chosen_quantization(recipe: Recipe) -> Quantize:
    """The step of all layers with the page's choices; what has no control stays as it is."""
    before = own_step(recipe, "quantize", ALL_LAYERS)
    return replace(
        before if isinstance(before, Quantize) else Quantize(),
        scheme=st.session_state.quantize_scheme,
        granularity=st.session_state.quantize_granularity,
        clipping=st.session_state.quantize_clipping,
    )


def quantization_settings(current: Current) -> Quantize:
    """What the page shows, quantized or not."""
    return _chosen_quantization(current.recipe)


def show_quantization(current: Current) -> tuple[str, int]:
    """Bits, granularity, scheme and range of the whole model; the layer and channel to draw."""
    step = own_step(current.recipe, "quantize", ALL_LAYERS)
    if isinstance(step, Quantize):
        put("quantize_granularity", step.granularity)
        put("quantize_scheme", step.scheme)
        put("quantize_clipping", step.clipping)
    put("quantize_bits", step.bits if isinstance(step, Quantize) else FLOAT)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            "Bits",
            [*BITS, FLOAT],
            key="quantize_bits",
            width=110,
            on_change=set_quantization,
            help="A weight gets one of 2ᵏ codes. 32 leaves the weights alone. Step through below.",
        )
        for label, options, key, text in (
            (
                "Granularity",
                GRANULARITIES,
                "quantize_granularity",
                "How many weights share a scale.",
            ),
            ("Scheme", SCHEMES, "quantize_scheme", SCHEME_HELP),
            ("Range", CLIPPINGS, "quantize_clipping", RANGE_HELP),
        ):
            choose(label, options, key, text, on_change=set_quantization)
        layer = choose_layer(current, "quantize_layer")
        return layer, _choose_channel(current.original.layers[layer].shape[0])


def _choose_channel(channels: int) -> int:
    if st.session_state.get("quantize_channel", 0) >= channels:
        put("quantize_channel", 0)
    return st.number_input(
        "Output channel",
        0,
        channels - 1,
        key="quantize_channel",
        width=NUMBER_WIDTH,
        persist_state="session",
        disabled=st.session_state.quantize_granularity == "tensor",
        help=f"0 … {channels - 1}. Each has a scale, and so levels of its own; this one is drawn.",
    )
