"""Prune: weights become zero, by one of five rules; the histogram shows which while one drags."""

from functools import partial

import streamlit as st

from compress_core.recipe import up_to
from compress_core.stored import StoredLayers
from compress_core.views import summaries
from compress_core.views.summaries import PrunedLayer
from ui import figures, in_view, words
from ui.panels import farthest
from ui.panels.chart import chart, twin
from ui.panels.norms import place_for_gain, show_gain
from ui.panels.page import exceptions, frame, framed_heading
from ui.prune import live
from ui.prune.controls import Choice, show_pruning
from ui.prune.methods import METHODS
from ui.session import caches, fragments, state
from ui.session.state import Current


@fragments.body
def prune() -> None:
    current = state.current()
    place = frame()
    # without later steps: quantization would move the weights against the threshold
    pruned = up_to(current.recipe, "prune")
    layers = caches.compressed(current.model, pruned).layers
    cuts = caches.cuts(current.model, pruned)
    with place.controls:
        choice = show_pruning(current, cuts)
        method = METHODS[choice.method]
        st.caption(method.knows)
        sentence(current, choice, cuts[choice.layer])
        exceptions(current, "prune")
        farthest.show(current, "prune")
    with place.title:
        framed_heading(
            "Prune",
            "Remove the weights that matter least: :blue[kept] ones stay, :orange[pruned] ones "
            "become zero.",
            rf"\text{{mask}} = {method.mask}, \qquad w' = w \cdot \text{{mask}}",
        )
    with place.live:
        live.show(current, choice, cuts)
    gain = place_for_gain(current)
    twin(
        "prune_layers",
        "Sparsity of each layer",
        {
            "layer": list(cuts),
            "sparsity, %": [100 * cut.sparsity for cut in cuts.values()],
            "energy kept, %": [100 * cut.energy_kept for cut in cuts.values()],
            "threshold": [cut.threshold for cut in cuts.values()],
        },
    )
    in_view.lazily("prune_pictures", partial(pictures, layers, choice.layer))
    show_gain(current, gain)


def sentence(current: Current, choice: Choice, cut: PrunedLayer) -> None:
    """What is left of the drawn layer, and how large a weight had to go."""
    layer = choice.layer
    factors = current.compressed.layers[layer].rank is not None
    what = f"both factors of {layer}" if factors else layer
    text = (
        f"**{what}** keeps {words.percent(1 - cut.sparsity)} of its weights and "
        f"{words.percent(cut.energy_kept)} of their energy Σw²"
    )
    if choice.method != "random":
        text += f"; the largest pruned weight is {cut.threshold:.4f}"
    st.markdown(f"{text}.")


def pictures(layers: StoredLayers, layer: str) -> None:
    """Where the zeros are: by blocks of output channels, and weight by weight in one layer."""
    colors, names = state.colors(), list(layers)
    left, right = st.columns(2)
    with left:
        blocks = summaries.heatmap_rows(layers)
        chart(
            figures.heatmap(
                blocks,
                colors,
                axes=("block of output channels", "layer"),
                title="sparsity",
                rows=names,
                ends=(colors.kept, colors.pruned),
            ),
            "prune_heatmap",
            "Sparsity of layers × blocks of output channels",
            {"layer": names} | {f"block {i}": blocks[:, i] for i in range(blocks.shape[1])},
        )
    with right:
        density = summaries.kept_thumbnail(layers[layer])
        chart(
            figures.mask_picture(density, colors),
            "prune_mask",
            f"Mask of {layer}, output × input",
            {"output": range(len(density)), "kept, %": 100 * density.mean(1)},
        )


prune()
