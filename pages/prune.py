"""Prune: the smallest weights become zero; the histogram shows which."""

import streamlit as st

from compress_core import summaries
from ui import controls, figures, harm_panel, panels, state, words

current = state.current()
colors = state.colors()
panels.heading(
    "Prune",
    "Remove the weights that matter least: those of small magnitude. :blue[Kept] weights stay as "
    "they are, :orange[pruned] ones become zero.",
    r"\text{mask} = |w| > t, \qquad w' = w \cdot \text{mask}",
)

# what pruning alone does: later quantization would move the weights under the threshold
before_codes = tuple(step for step in current.recipe if step.kind != "quantize")
layers = state.compressed(current.model, before_codes).layers
cuts = {name: summaries.pruning_cut(stored) for name, stored in layers.items()}
layer = controls.show_pruning(current, cuts)
cut, names = cuts[layer], list(layers)

random = st.session_state.prune_method == "random"
what = layer if layers[layer].rank is None else f"both factors of {layer}"
st.markdown(
    f"**{what}** keeps {words.percent(1 - cut.sparsity)} of its weights and "
    f"{words.percent(cut.energy_kept)} of their energy Σw²"
    + ("." if random else f"; the largest pruned weight is {cut.threshold:.4f}.")
)

left, right = st.columns([3, 2])
with left:
    bins = summaries.masked_histogram(layers[layer])
    threshold = None if random else cut.threshold
    panels.chart(
        figures.pruning_histogram(bins.kept, bins.pruned, bins.edges, colors, threshold=threshold),
        "prune_histogram",
        f"Weights of {what}",
        {"from": bins.edges[:-1], "to": bins.edges[1:], "kept": bins.kept, "pruned": bins.pruned},
    )
with right:
    sparsities = [100 * cuts[name].sparsity for name in names]
    panels.chart(
        figures.layer_bars(
            names, sparsities, colors, x="sparsity, %", color=colors.pruned, limit=100
        ),
        "prune_layers",
        "Sparsity of each layer",
        {
            "layer": names,
            "sparsity, %": sparsities,
            "energy kept, %": [100 * cuts[name].energy_kept for name in names],
            "threshold": [cuts[name].threshold for name in names],
        },
    )

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

harm_panel.show(current)
