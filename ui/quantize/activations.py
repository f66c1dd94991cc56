"""Around the quantized weights: the inputs of layers, biases, and the images both are fitted on."""

from dataclasses import replace
from typing import Any

import streamlit as st

from compress_core.methods.quantization import (
    ACTIVATION_BITS,
    CorrectBias,
    QuantizeActivations,
    QuantizeGPTQ,
)
from compress_core.methods.step import ALL_LAYERS
from compress_core.recipe import Recipe
from compress_core.recipe_edit import own_step, with_step, without_step
from compress_core.steps import AnyStep
from ui.language import N_, _
from ui.panels.widgets import NUMBER_WIDTH, choose, number_field, put
from ui.quantize.methods import CLIPPINGS
from ui.session import recipe_field, values
from ui.session.state import Current

MODES = (N_("off"), N_("static"), N_("dynamic"))
SAMPLES = (16, 32, 64, 128, 256, 512, 1024, 2048)
MODE_HELP = N_(
    "What comes into each layer is rounded, too. static: one range for each layer, from the "
    "calibration images. dynamic: the range of each image as it comes (in a linear layer, of each "
    "row of numbers that it multiplies), nothing is calibrated."
)
RANGE_HELP = N_(
    "min_max: all that the calibration images showed. percentile: all but the largest inputs. "
    "mse: the range of least squared error. Inputs beyond the range are clipped to its ends."
)
BIAS_HELP = N_(
    "b′ = b + (W − W′)·E[x]: the bias takes back what each output's mean has lost to the changed "
    "weights, by the mean inputs E[x] of the original network on the calibration images."
)
SAMPLES_HELP = N_(
    "Drawn class by class from the training set, never from the test set: it would flatter the "
    "accuracy measured on it. GPTQ, static ranges and bias correction look at them."
)


def set_activations() -> None:
    """The callback of the controls of the inputs."""
    recipe, mode = recipe_field.session_recipe(), values.chosen("quantize_activations", MODES)
    if mode == "off":
        recipe_field.set_recipe(without_step(recipe, "activations", ALL_LAYERS))
        return
    before = own_step(recipe, "activations")
    step = before if isinstance(before, QuantizeActivations) else QuantizeActivations()
    recipe_field.set_recipe(with_step(recipe, replace(step, **_shown(mode))))


def _shown(mode: str) -> dict[str, Any]:
    """What the widgets say; dynamic ranges are never clipped."""
    usual, clipping = QuantizeActivations(), values.chosen("quantize_input_clipping", CLIPPINGS)
    bits = values.number("quantize_input_bits", usual.bits)
    return {
        "mode": mode,
        "bits": bits if bits in ACTIVATION_BITS else usual.bits,
        "clipping": clipping if mode == "static" else "min_max",
        "percentile": values.number("quantize_input_percentile", usual.percentile, 50, 100),
        "samples": chosen_samples(),
    }


def chosen_samples() -> int:
    """How many calibration images the steps of this page look at."""
    return values.number("quantize_samples", 256, 1)


def set_correction() -> None:
    """The callback of the bias correction."""
    recipe = recipe_field.session_recipe()
    if values.switched("quantize_correct"):
        step = CorrectBias(samples=chosen_samples())
        recipe_field.set_recipe(with_step(recipe, step))
    else:
        recipe_field.set_recipe(without_step(recipe, "correct", ALL_LAYERS))


def set_samples() -> None:
    """The callback of the calibration images: the same for all steps of this page."""
    samples = chosen_samples()
    recipe_field.set_recipe(
        tuple(_with_samples(step, samples) for step in recipe_field.session_recipe())
    )


def _with_samples(step: AnyStep, samples: int) -> AnyStep:
    if isinstance(step, QuantizeGPTQ | CorrectBias | QuantizeActivations):
        return replace(step, samples=samples)
    return step


def show_activations(current: Current) -> QuantizeActivations | None:
    """Mode, bits and range of the inputs; returns the step of all layers."""
    step = own_step(current.recipe, "activations")
    step = step if isinstance(step, QuantizeActivations) else None
    put("quantize_activations", step.mode if step else "off")
    if step:
        put("quantize_input_bits", step.bits)
        put("quantize_input_clipping", step.clipping)
        put("quantize_input_percentile", step.percentile)
    choose(
        _("Inputs of layers"),
        MODES,
        "quantize_activations",
        _(MODE_HELP),
        in_address=False,
        on_change=set_activations,
    )
    if step:
        _show_input_settings(step)
    return step


def _show_input_settings(step: QuantizeActivations) -> None:
    st.selectbox(
        _("Bits of an input"),
        ACTIVATION_BITS,
        key="quantize_input_bits",
        persist_state="session",
        width=NUMBER_WIDTH,
        on_change=set_activations,
        help=_("An input gets one of 2ᵏ codes, asymmetric, one scale and zero point for a layer."),
    )
    if step.mode == "static":
        choose(
            _("Range of inputs"),
            CLIPPINGS,
            "quantize_input_clipping",
            _(RANGE_HELP),
            in_address=False,
            on_change=set_activations,
        )
    if step.clipping == "percentile":
        number_field(
            _("Percentile of |x|"),
            "quantize_input_percentile",
            step.percentile,
            50.0,
            100.0,
            step=0.1,
            on_change=set_activations,
            help=_("Of the inputs that are not zero; those beyond it are clipped."),
        )


def show_correction(current: Current) -> None:
    put("quantize_correct", own_step(current.recipe, "correct") is not None)
    st.toggle(
        _("Correct the biases"),
        key="quantize_correct",
        persist_state="session",
        on_change=set_correction,
        help=_(BIAS_HELP),
    )


def show_samples(current: Current) -> None:
    """How many training images to use; disabled if no step of the page looks at any."""
    used = calibration_sizes(current.recipe)
    samples = next(iter(used), chosen_samples())
    put("quantize_samples", samples)
    st.select_slider(
        _("Calibration images, of the training set"),
        sorted({*SAMPLES, samples}),
        key="quantize_samples",
        persist_state="session",
        width=300,
        on_change=set_samples,
        disabled=not used,
        help=_(SAMPLES_HELP),
    )


def calibration_sizes(recipe: Recipe) -> list[int]:
    """Of the steps of this page that look at calibration images."""
    return [
        step.samples
        for step in recipe
        if isinstance(step, QuantizeGPTQ | CorrectBias)
        or (isinstance(step, QuantizeActivations) and step.mode == "static")
    ]
