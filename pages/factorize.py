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
from ui import controls, figures, harm_panel, panels, state, words

current = state.current()
colors = state.colors()
panels.heading(
    "Factorize",
    "Keep the r largest singular values of a layer and run it as two thinner layers. Only below "
    "the break-even rank is the pair smaller and faster.",
    r"W \approx U_r \Sigma_r V_r^\top, \qquad r < \frac{m\,n}{m + n}",
)
able = [name for name, layer in current.original.layers.items() if not layer.refuses_factors]
if not able:
    st.info("No layer of this model can run as a factor pair.")
else:
    layer = controls.choose_layer(current, "factorize_layer", layers=able)
    rank = controls.show_factorization(current, layer)
    original = current.original.layers[layer]
    rows = {row.name: row for row in current.size.layers}
    spectrum, break_even = original.profile.spectrum, break_even_rank(original.shape)
    curve = energy_curve(spectrum)
    m, n = matrix_shape(original.shape)
    factorized = rank < full_rank(original.shape)
    before, after = m * n, parameter_count(original.shape, rank) if factorized else m * n
    st.markdown(
        f"**{layer}** ({m} × {n}) at rank {rank} keeps {words.percent(float(curve[rank - 1]))} "
        f"of its energy with {after:,} weights of {before:,}"
        + (", :orange[more than before]." if after > before else ".")
    )

    left, right = st.columns(2)
    with left:
        panels.chart(
            figures.spectrum(spectrum, rank, break_even, colors),
            "factorize_spectrum",
            f"Singular values of {layer}",
            {"i": np.arange(1, len(spectrum) + 1), "σ": spectrum, "energy kept": curve},
        )
    with right:
        panels.chart(
            figures.energy_curve(curve, rank, break_even, colors),
            "factorize_energy_curve",
            "Energy kept by the first r singular values",
            {"rank": np.arange(1, len(curve) + 1), "energy kept": curve},
        )

    alone = tuple(step for step in current.recipe if step.kind == "factorize")
    dense = summaries.low_rank_view(state.compressed(current.model, alone).layers[layer])
    limit = summaries.colour_limit(dense["W"])
    for column, (name, picture) in zip(st.columns(3), dense.items(), strict=True):
        with column:
            panels.chart(
                figures.heatmap(
                    picture,
                    colors,
                    axes=("input", "output"),
                    title="weight",
                    limits=(-limit, limit),
                    height=260,
                ),
                f"factorize_{name}",
                name,
                {"output": np.arange(len(picture)), "mean |w|": np.abs(picture).mean(1)},
            )

    table = [rows[name] for name in able]
    st.markdown("**Weights and multiply-accumulates of each layer**")
    st.dataframe(
        {
            "layer": [row.name for row in table],
            "rank": [str(row.rank or "full") for row in table],
            "break-even": [break_even_rank(row.shape) for row in table],
            "weights before": [int(np.prod(row.shape)) for row in table],
            "weights after": [row.parameters for row in table],
            "MACs after": [row.macs for row in table],
            "bytes": [row.bytes for row in table],
        },
        hide_index=True,
        alt="Weights and multiply-accumulates of each layer",
    )

harm_panel.show(current)
