"""Biases and norms: the switches that fold, recalibrate and round them, and what recalibration
gains.

They stand on the pages whose methods they help.
"""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from compress_core.applying.fold import norms_behind
from compress_core.applying.rest import rest_tensors
from compress_core.methods.folding import FoldBatchNorm
from compress_core.methods.quantization import QuantizeRest
from compress_core.methods.recalibration import RecalibrateNorms, norms_with_statistics
from compress_core.methods.step import ALL_LAYERS
from compress_core.recipe import of_kinds, without_kinds
from compress_core.recipe_edit import own_step, with_step, without_step
from compress_core.steps import AnyStep
from ui import words
from ui.language import N_, _
from ui.panels.widgets import put
from ui.session import measuring, recipe_field, values
from ui.session.state import Current

FOLD_HELP = N_(
    "In use, a batch norm only scales and shifts the output of the layer before it: that layer can "
    "do it itself. The network computes the same and has one layer less for each norm; what is "
    "quantized or pruned afterwards are the weights that really run."
)
RECALIBRATE_HELP = N_(
    "A batch norm subtracts the mean and divides by the spread that it saw in training. With other "
    "weights it sees other outputs: here it measures both anew, on training images, without a "
    "gradient. The test images stay unseen."
)
REST_HELP = N_(
    "Biases and norms are few, but in a small file their floats of 32 bits weigh as much as all "
    "weights. In 8 bits they take a quarter, and the answers hardly change. Tensors that would not "
    "be smaller, or would move too far, stay as they are."
)


def show_folding(current: Current, page: str) -> None:
    """The switch, where the network has batch norms that can be folded; `page` begins its key."""
    if norms_behind(current.original):
        label = _("Fold batch norms")
        _switch(current, f"{page}_fold", label, FoldBatchNorm(), _(FOLD_HELP))


def show_recalibration(current: Current, page: str) -> None:
    """The switch, where the network has batch norms; `page` begins its key."""
    if norms_with_statistics(current.compressed.base.module):
        key, label = f"{page}_recalibrate", _("Recalibrate norms")
        _switch(current, key, label, RecalibrateNorms(), _(RECALIBRATE_HELP))


def show_rest(current: Current, page: str) -> None:
    """The switch, where the network has biases or norms; `page` begins its key."""
    if rest_tensors(current.compressed.network):
        label = _("Biases and norms in 8 bit")
        _switch(current, f"{page}_rest", label, QuantizeRest(), _(REST_HELP))


def _switch(current: Current, key: str, label: str, step: AnyStep, text: str) -> None:
    """On while the recipe has a step of this kind for all layers."""
    put(key, own_step(current.recipe, step.kind) is not None)
    st.toggle(
        label, key=key, persist_state="session", on_change=set_norms, args=(key, step), help=text
    )


def set_norms(key: str, step: AnyStep) -> None:
    """The callback of a switch."""
    recipe = recipe_field.session_recipe()
    wanted = values.switched(key)
    recipe_field.set_recipe(
        with_step(recipe, step) if wanted else without_step(recipe, step.kind, ALL_LAYERS)
    )


def place_for_gain(current: Current) -> DeltaGenerator | None:
    """The place for `show_gain`, where the norms are recalibrated and there are test images."""
    recalibrates = bool(of_kinds(current.recipe, ("recalibrate",)))
    return st.empty() if recalibrates and not measuring.data_problem(current.model) else None


def show_gain(current: Current, place: DeltaGenerator | None) -> None:
    """What recalibration gives: the score with it and without, on the same test images.

    Last on a page, since it is measured twice.
    """
    if place is None:
        return
    without = without_kinds(current.recipe, ("recalibrate",))
    n = measuring.telling_size(current.model, without, current.recipe)
    if not n:
        why = measuring.why_none(current.model, without, current.recipe)
        place.markdown(_("Recalibrated norms. {why}", why=why))
        return
    before, after = (
        measuring.score(current.model, recipe, n)[0] for recipe in (without, current.recipe)
    )
    change = measuring.change(current.model, without, current.recipe, n)
    place.markdown(
        _(
            "Recalibrated norms: {metric} **{after}** with them, {before} without ({change} on the "
            "same {n:,} images).",
            metric=words.metric(after.metric),
            after=words.score(after),
            before=words.score(before),
            change=words.score_change(after.metric, change.difference),
            n=n,
        )
    )
