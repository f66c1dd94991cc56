"""Prune: weights become zero, by one of five rules; the histogram shows which while one drags."""

from functools import partial

import streamlit as st

from compress_core.recipe import up_to
from compress_core.views.summaries import PrunedLayer
from ui import in_view, words
from ui.language import _
from ui.panels import farthest
from ui.panels.chart import twin
from ui.panels.norms import place_for_gain, show_gain
from ui.panels.page import exceptions, frame, framed_heading
from ui.prune import live, pictures
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
        st.caption(_(method.knows))
        sentence(current, choice, cuts[choice.layer])
        exceptions(current, "prune")
        farthest.show(current, "prune")
    with place.title:
        framed_heading(
            _("Prune"),
            _(
                "Remove the weights that matter least: :blue[kept] ones stay, :orange[pruned] ones "
                "become zero."
            ),
            rf"\text{{mask}} = {method.formula}, \qquad w' = w \cdot \text{{mask}}",
        )
    with place.live:
        live.show(current, choice, cuts)
    gain = place_for_gain(current)
    twin(
        "prune_layers",
        _("Sparsity of each layer"),
        {
            _("layer"): list(cuts),
            _("sparsity, %"): [100 * cut.sparsity for cut in cuts.values()],
            _("energy kept, %"): [100 * cut.energy_kept for cut in cuts.values()],
            _("threshold"): [cut.threshold for cut in cuts.values()],
        },
    )
    in_view.lazily("prune_pictures", partial(pictures.show, layers, choice.layer))
    show_gain(current, gain)


def sentence(current: Current, choice: Choice, cut: PrunedLayer) -> None:
    """What is left of the drawn layer, and how large a weight had to go."""
    layer = choice.layer
    factors = current.compressed.layers[layer].rank is not None
    facts = {
        "what": _("both factors of {layer}", layer=layer) if factors else layer,
        "share": words.percent(1 - cut.sparsity),
        "energy": words.percent(cut.energy_kept),
    }
    if choice.method == "random":
        text = _(
            "**{what}** keeps {share} of its weights and {energy} of their energy Σw².", **facts
        )
    else:
        text = _(
            "**{what}** keeps {share} of its weights and {energy} of their energy Σw²; the largest "
            "pruned weight is {largest:.4f}.",
            **facts,
            largest=cut.threshold,
        )
    st.markdown(text)


prune()
