"""The table of the factorize page: what factors cost each layer, by the core's own count."""

from typing import Any

import streamlit as st

from compress_core import factor_steps
from compress_core.measurement.report import LayerRow
from compress_core.methods.low_rank import Form, matrix_shape, worthwhile_rank
from ui.factorize import factors
from ui.session import caches
from ui.session.state import Current

NUMBERS = ("weights before", "weights after", "MACs before", "MACs after", "bytes")


def show(current: Current) -> None:
    """Every layer that can be factorized; those that its factors made larger are flagged."""
    layers, before = current.compressed.base.layers, _before(current)
    rows = [row for row in current.size.layers if row.name in factor_steps.able(layers)]
    st.markdown("**Weights and multiply-accumulates of each layer**")
    st.dataframe(
        [_line(current, row, before[row.name]) for row in rows],
        hide_index=True,
        placeholder="—",
        column_config=dict.fromkeys(NUMBERS, st.column_config.NumberColumn(format="localized")),
        alt="Weights and multiply-accumulates of each layer",
    )
    st.caption(
        "Up to the break-even rank of its form a layer is not larger than before; an empty one "
        "means that each rank makes it larger. MACs: multiply-accumulates of one image."
    )


def _before(current: Current) -> dict[str, LayerRow]:
    size = caches.size(current.model, factors.network(current.recipe))
    return {row.name: row for row in size.layers}


def _line(current: Current, row: LayerRow, before: LayerRow) -> dict[str, Any]:
    stored = current.compressed.layers[row.name]
    form: Form = "channel" if stored.form == "plain" else stored.form
    m, n = matrix_shape(stored.layer.shape, form)
    return {
        "layer": row.name,
        "form": "one piece" if stored.form == "plain" else form,
        "as a matrix": f"{m} × {n}",
        "rank": ranks(stored.ranks) if stored.ranks else "full",
        "break-even": worthwhile_rank(stored.layer.shape, form) or None,
        "weights before": before.parameters,
        "weights after": row.parameters,
        "MACs before": before.macs,
        "MACs after": row.macs,
        "bytes": row.bytes,
        "note": "⚠ larger than before" if row.parameters > before.parameters else "",
    }


def ranks(ranks: tuple[int, ...]) -> str:
    return f"rank {ranks[0]}" if len(ranks) == 1 else f"ranks {ranks[0]} in, {ranks[1]} out"
