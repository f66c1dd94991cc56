"""Factorize: one weight becomes a pair of thinner ones; the spectrum shows what that drops."""

import numpy as np
import streamlit as st

from compress_core import summaries
from compress_core.methods.low_rank import (
    break_even_rank,
    energy_curve,
    full_rank,
    matrix_shape,
    parameter_count,
)
from ui import figures, fragments, live, panels, state, words
from ui.controls.common import choose_layer
from ui.controls.factorize import show_factorization
from ui.state import Current


@fragments.body
def factorize() -> None:
    current = state.current()
    panels.heading(
        "Factorize",
        "Keep the r largest singular values of a layer and run it as two thinner layers. Only "
        "below the break-even rank is the pair smaller and faster.",
        r"W \approx U_r \Sigma_r V_r^\top, \qquad r < \frac{m\,n}{m + n}",
    )
    able = [name for name, layer in current.original.layers.items() if not layer.refuses_factors]
    if not able:
        st.info("No layer of this model can run as a factor pair.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        layer = choose_layer(current, "factorize_layer", layers=able)
        rank = show_factorization(current, layer)
    live.factorize(current, layer, rank)
    sentence(current, layer, rank)
    weights_before_after(current, layer)
    table(current, able)


def sentence(current: Current, layer: str, rank: int) -> None:
    """What the rank keeps and what it costs, in words; the spectrum as a table below."""
    original = current.original.layers[layer]
    spectrum = original.profile.spectrum
    curve = energy_curve(spectrum)
    m, n = matrix_shape(original.shape)
    after = parameter_count(original.shape, rank) if rank < full_rank(original.shape) else m * n
    st.markdown(
        f"**{layer}** ({m} × {n}) at rank {rank} keeps {words.percent(float(curve[rank - 1]))} "
        f"of its energy with {after:,} weights of {m * n:,}"
        + (", :orange[more than before]." if after > m * n else ".")
    )
    panels.twin(
        "factorize_spectrum",
        f"Singular values of {layer}",
        {"i": np.arange(1, len(spectrum) + 1), "σ": spectrum, "energy kept": curve},
    )


def weights_before_after(current: Current, layer: str) -> None:
    alone = tuple(step for step in current.recipe if step.kind == "factorize")
    dense = summaries.low_rank_view(state.compressed(current.model, alone).layers[layer])
    limit = summaries.colour_limit(dense["W"])
    for column, (name, picture) in zip(st.columns(3), dense.items(), strict=True):
        with column:
            panels.chart(
                figures.heatmap(
                    picture,
                    state.colors(),
                    axes=("input", "output"),
                    title="weight",
                    limits=(-limit, limit),
                    height=260,
                ),
                f"factorize_{name}",
                name,
                {"output": np.arange(len(picture)), "mean |w|": np.abs(picture).mean(1)},
            )


def table(current: Current, able: list[str]) -> None:
    rows = [row for row in current.size.layers if row.name in able]
    st.markdown("**Weights and multiply-accumulates of each layer**")
    st.dataframe(
        {
            "layer": [row.name for row in rows],
            "rank": [str(row.rank or "full") for row in rows],
            "break-even": [break_even_rank(row.shape) for row in rows],
            "weights before": [int(np.prod(row.shape)) for row in rows],
            "weights after": [row.parameters for row in rows],
            "MACs after": [row.macs for row in rows],
            "bytes": [row.bytes for row in rows],
        },
        hide_index=True,
        alt="Weights and multiply-accumulates of each layer",
    )


factorize()
