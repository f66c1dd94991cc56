"""Prune: the smallest weights become zero; the histogram shows which while one drags."""

import streamlit as st

from compress_core import summaries
from compress_core.stored import StoredLayers
from ui import figures, fragments, live, panels, state, words
from ui.controls.prune import show_pruning


@fragments.body
def prune() -> None:
    current = state.current()
    panels.heading(
        "Prune",
        "Remove the weights that matter least: those of small magnitude. :blue[Kept] weights stay "
        "as they are, :orange[pruned] ones become zero.",
        r"\text{mask} = |w| > t, \qquad w' = w \cdot \text{mask}",
    )
    # what pruning alone does: later quantization would move the weights under the threshold
    before_codes = tuple(step for step in current.recipe if step.kind != "quantize")
    layers = state.compressed(current.model, before_codes).layers
    cuts = state.cuts(current.model, before_codes)
    layer = show_pruning(current, cuts)
    live.prune(current, layer, cuts)
    what = layer if layers[layer].rank is None else f"both factors of {layer}"
    random = st.session_state.prune_method == "random"
    st.markdown(
        f"**{what}** keeps {words.percent(1 - cuts[layer].sparsity)} of its weights and "
        f"{words.percent(cuts[layer].energy_kept)} of their energy Σw²"
        + ("." if random else f"; the largest pruned weight is {cuts[layer].threshold:.4f}.")
    )
    panels.twin(
        "prune_layers",
        "Sparsity of each layer",
        {
            "layer": list(cuts),
            "sparsity, %": [100 * cut.sparsity for cut in cuts.values()],
            "energy kept, %": [100 * cut.energy_kept for cut in cuts.values()],
            "threshold": [cut.threshold for cut in cuts.values()],
        },
    )
    pictures(layers, layer)


def pictures(layers: StoredLayers, layer: str) -> None:
    """Where the zeros are: by blocks of output channels, and weight by weight in one layer."""
    colors, names = state.colors(), list(layers)
    left, right = st.columns(2)
    with left:
        blocks = summaries.heatmap_rows(layers)
        panels.chart(
            figures.heatmap(
                blocks,
                colors,
                axes=("block of output channels", "layer"),
                title="sparsity",
                rows=names,
            ),
            "prune_heatmap",
            "Sparsity of layers × blocks of output channels",
            {"layer": names} | {f"block {i}": blocks[:, i] for i in range(blocks.shape[1])},
        )
    with right:
        density = summaries.kept_thumbnail(layers[layer])
        panels.chart(
            figures.mask_picture(density, colors),
            "prune_mask",
            f"Mask of {layer}, output × input",
            {"output": range(len(density)), "kept, %": 100 * density.mean(1)},
        )


prune()
