"""Rows → Plotly figures. No widgets here, and no arithmetic on weights: only drawing. A figure
speaks the reader's language, so it is never kept; the texts that it is given are translated.

Every figure has a fixed height and its `uirevision`, so that zoom survives a new threshold.
"""

from ui.figures.base import heatmap
from ui.figures.codes import (
    codebook_histogram,
    codebook_usage,
    coder_bars,
    context_classes,
    gap_strip,
    huffman_tree,
    symbol_histogram,
)
from ui.figures.curve_styles import Style, curve_styles
from ui.figures.plane import (
    AXES,
    NEAR,
    Axis,
    Losses,
    Place,
    look_closer,
    losses_of,
    metric_of,
    trade_off_plane,
    value,
)
from ui.figures.predictions import predictions
from ui.figures.results import (
    bytes_before_after,
    change_by_class,
    confusion,
    cost_after,
    ledger_bars,
    shares,
    waterfall,
)
from ui.figures.spectra import spectrum_curve
from ui.figures.training import tallest, time_lapse, training_curves, weights_of_epoch
from ui.figures.weights import (
    before_after,
    channel_bars,
    error_histogram,
    input_histogram,
    mask_picture,
)

__all__ = [
    "AXES",
    "NEAR",
    "Axis",
    "Losses",
    "Place",
    "Style",
    "before_after",
    "bytes_before_after",
    "change_by_class",
    "channel_bars",
    "codebook_histogram",
    "codebook_usage",
    "coder_bars",
    "confusion",
    "context_classes",
    "cost_after",
    "curve_styles",
    "error_histogram",
    "gap_strip",
    "heatmap",
    "huffman_tree",
    "input_histogram",
    "ledger_bars",
    "look_closer",
    "losses_of",
    "mask_picture",
    "metric_of",
    "predictions",
    "shares",
    "spectrum_curve",
    "symbol_histogram",
    "tallest",
    "time_lapse",
    "trade_off_plane",
    "training_curves",
    "value",
    "waterfall",
    "weights_of_epoch",
]
