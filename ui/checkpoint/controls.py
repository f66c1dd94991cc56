"""What to do to the tensor: a method and its settings, and the step that they make."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from compress_core import Prune, Quantize, Recipe
from compress_core.methods.quantization import FORMAT_BITS, MX_FORMATS, QuantizeFloat, QuantizeMX
from compress_core.methods.weight_sharing import ShareWeights
from ui.language import N_, _
from ui.panels.widgets import number_field
from ui.quantize.methods import LEAST_PERCENTILE, format_words
from ui.session import values

METHODS = (N_("prune"), N_("quantize"), N_("float"), N_("microscaling"), N_("share"))
NAMES = {
    "prune": N_("Prune"),
    "quantize": N_("Quantize"),
    "float": N_("Low-bit floats"),
    "microscaling": N_("Microscaling"),
    "share": N_("Share weights"),
}
BITS = (8, 6, 5, 4, 3, 2)
CLUSTERS = (256, 64, 32, 16, 8, 4, 2)
FORMATS = tuple(FORMAT_BITS)
MX_FORMAT_NAMES = tuple(MX_FORMATS)
GRANULARITIES = (N_("channel"), N_("group"), N_("tensor"))
CLIPPINGS = (N_("min_max"), N_("mse"), N_("percentile"))
MOST = 99.9  # percent of weights that are pruned at most


def show_controls() -> None:
    """The method; under it its settings, those that the picture does not have."""
    _select(
        _("Method"), METHODS, "checkpoint_method", lambda name: _(NAMES[name]), first="quantize"
    )
    method = chosen_method()
    if method == "prune":
        number_field(
            _("Sparsity, %"),
            "checkpoint_sparsity",
            50.0,
            0.0,
            MOST,
            step=0.1,
            format="%.1f",
            help=_("The share of weights that becomes zero. Drag it in the picture."),
        )
    elif method == "quantize":
        _select(_("Bits"), BITS, "checkpoint_bits", str, first=4)
    elif method == "float":
        _select(_("Format"), FORMATS, "checkpoint_format", format_words, first="nf4")
    elif method == "microscaling":
        _select(_("Format"), MX_FORMAT_NAMES, "checkpoint_mx", format_words, first="mxfp4")
    else:
        _select(_("Clusters"), CLUSTERS, "checkpoint_clusters", str, first=16)
    if method in {"quantize", "float"}:
        _select(_("One scale per"), GRANULARITIES, "checkpoint_granularity", _)
    if method == "quantize":
        _select(_("Range"), CLIPPINGS, "checkpoint_clipping", _)
        if values.chosen("checkpoint_clipping", CLIPPINGS) == "percentile":
            number_field(
                _("Percentile of |w|"),
                "checkpoint_percentile",
                99.9,
                LEAST_PERCENTILE,
                100.0,
                step=0.1,
            )


def chosen_method() -> str:
    return values.chosen("checkpoint_method", ("quantize", *METHODS))


def chosen_steps() -> Recipe:
    """What the controls say; nothing for a sparsity of 0."""
    method = chosen_method()
    if method == "prune":
        share = values.number("checkpoint_sparsity", 50.0, 0.0, MOST) / 100
        return (Prune(sparsity=round(share, 6), scope="layer"),) if share else ()
    if method == "share":
        return (ShareWeights(values.chosen("checkpoint_clusters", (16, *CLUSTERS))),)
    return (quantization(),)


def quantization() -> Quantize | QuantizeFloat | QuantizeMX:
    """The step of the controls, if the method is one that quantizes; affine for the others."""
    granularity: Any = values.chosen("checkpoint_granularity", GRANULARITIES)
    if chosen_method() == "float":
        return QuantizeFloat(values.chosen("checkpoint_format", ("nf4", *FORMATS)), granularity)
    if chosen_method() == "microscaling":
        return QuantizeMX(values.chosen("checkpoint_mx", ("mxfp4", *MX_FORMAT_NAMES)))
    clipping: Any = values.chosen("checkpoint_clipping", CLIPPINGS)
    return Quantize(
        bits=values.chosen("checkpoint_bits", (4, *BITS)),
        granularity=granularity,
        clipping=clipping,
        percentile=values.number("checkpoint_percentile", 99.9, LEAST_PERCENTILE, 100.0),
    )


def release(wish: dict[str, Any]) -> None:
    """The callback of a drag or of a choice in the picture: the controls say it from here on."""
    if "sparsity" in wish:
        st.session_state.checkpoint_sparsity = round(100 * float(wish["sparsity"]), 1)
    for field in ("bits", "format", "clusters", "clipping", "percentile"):
        if field in wish:
            key = "mx" if wish[field] in MX_FORMAT_NAMES else field  # each method has a list
            st.session_state[f"checkpoint_{key}"] = wish[field]


def _select(
    text: str, options: Sequence[Any], key: str, said: Callable[[Any], str], first: Any = None
) -> None:
    """A list of choices, one of them always chosen, `first` to begin with."""
    value = values.chosen(key, options if first is None else (first, *options))
    values.repair(key, value)
    st.selectbox(
        text, options, key=key, format_func=said, filter_mode=None, persist_state="session"
    )
