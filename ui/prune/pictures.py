"""Prune: where the zeros are, in all layers and in one."""

import streamlit as st

from compress_core.stored import StoredLayers
from compress_core.views import summaries
from ui import figures
from ui.language import _
from ui.panels.chart import chart
from ui.session import state


def show(layers: StoredLayers, layer: str) -> None:
    """Where the zeros are: by blocks of output channels, and weight by weight in one layer."""
    colors, names = state.colors(), list(layers)
    left, right = st.columns(2)
    with left:
        blocks = summaries.heatmap_rows(layers)
        chart(
            figures.heatmap(
                blocks,
                colors,
                axes=(_("block of output channels"), _("layer")),
                title=_("sparsity"),
                rows=names,
                ends=(colors.kept, colors.pruned),
            ),
            "prune_heatmap",
            _("Sparsity of layers × blocks of output channels"),
            {_("layer"): names}
            | {_("block {i}", i=i): blocks[:, i] for i in range(blocks.shape[1])},
        )
    with right:
        density = summaries.kept_thumbnail(layers[layer])
        chart(
            figures.mask_picture(density, colors),
            "prune_mask",
            _("Mask of {layer}, output × input", layer=layer),
            {_("output"): range(len(density)), _("kept, %"): 100 * density.mean(1)},
        )
