"""Rows → Plotly figures. No streamlit here, and no arithmetic on weights: only drawing.

Every figure has a fixed height and its `uirevision`, so that zoom survives a new threshold.
"""

from ui.figures.base import heatmap, layer_bars
from ui.figures.results import (
    bytes_before_after,
    change_by_class,
    confusion,
    shares,
    trade_off_plane,
    waterfall,
)
from ui.figures.weights import (
    channel_bars,
    energy_curve,
    error_histogram,
    levels_histogram,
    mask_picture,
    pruning_histogram,
    spectrum,
    weight_histogram,
)

__all__ = [
    "bytes_before_after",
    "change_by_class",
    "channel_bars",
    "confusion",
    "energy_curve",
    "error_histogram",
    "heatmap",
    "layer_bars",
    "levels_histogram",
    "mask_picture",
    "pruning_histogram",
    "shares",
    "spectrum",
    "trade_off_plane",
    "waterfall",
    "weight_histogram",
]
