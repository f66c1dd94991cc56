"""Factorize: the spectrum as a table, and the weight beside what stands in its place."""

import numpy as np
import streamlit as st

from compress_core.recipe import up_to
from compress_core.views import summaries
from compress_core.views.ranks import singular_values
from ui import figures
from ui.factorize import factors
from ui.factorize.factors import Choice
from ui.language import _
from ui.panels.chart import chart, twin
from ui.session import caches, state
from ui.session.state import Current


def spectrum(current: Current, settings: Choice) -> None:
    values = singular_values(factors.drawn(current, settings))
    twin(
        "factorize_spectrum",
        _("Singular values of {layer}", layer=settings.layer),
        {"i": np.arange(1, len(values) + 1), "σ / σ₁": values / (values[0] or 1)},
    )


def weights_before_after(current: Current, layer: str) -> None:
    """The weight, what stands in its place before pruning and codes, and the difference."""
    alone = up_to(current.recipe, "factorize")
    dense = summaries.low_rank_view(caches.compressed(current.model, alone).layers[layer])
    limit = summaries.colour_limit(dense["W"])
    for column, (name, picture) in zip(st.columns(3), dense.items(), strict=True):
        with column:
            chart(
                figures.heatmap(
                    picture,
                    state.colors(),
                    axes=(_("input"), _("output")),
                    title=_("weight"),
                    limits=(-limit, limit),
                    height=260,
                ),
                f"factorize_{name}",
                _("{what} of {layer}", what=name, layer=layer),
                {_("output"): np.arange(len(picture)), _("mean |w|"): np.abs(picture).mean(1)},
            )
