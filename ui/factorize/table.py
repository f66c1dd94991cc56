"""The table of the factorize page: what factors cost each layer, by the core's own count."""

from typing import Any

import streamlit as st

from compress_core import factor_steps
from compress_core.measurement.report import LayerRow
from compress_core.methods.low_rank import Form, matrix_shape, worthwhile_rank
from ui.factorize import factors
from ui.language import N_, _
from ui.session import caches
from ui.session.state import Current

NUMBERS = (
    N_("weights before"),
    N_("weights after"),
    N_("MACs before"),
    N_("MACs after"),
    N_("bytes"),
)


def show(current: Current) -> None:
    """Every layer that can be factorized; those that its factors made larger are flagged."""
    layers, before = current.compressed.base.layers, _before(current)
    rows = [row for row in current.size.layers if row.name in factor_steps.able(layers)]
    st.markdown(_("**Weights and multiply-accumulates of each layer**"))
    st.dataframe(
        [_line(current, row, before[row.name]) for row in rows],
        hide_index=True,
        placeholder="—",
        column_config=dict.fromkeys(
            map(_, NUMBERS), st.column_config.NumberColumn(format="localized")
        ),
        alt=_("Weights and multiply-accumulates of each layer"),
    )
    st.caption(
        _(
            "Up to the break-even rank of its form a layer is not larger than before; an empty one "
            "means that each rank makes it larger. MACs: multiply-accumulates of one image."
        )
    )


def _before(current: Current) -> dict[str, LayerRow]:
    size = caches.size(current.model, factors.network(current.recipe))
    return {row.name: row for row in size.layers}


def _line(current: Current, row: LayerRow, before: LayerRow) -> dict[str, Any]:
    stored = current.compressed.layers[row.name]
    form: Form = "channel" if stored.form == "plain" else stored.form
    m, n = matrix_shape(stored.layer.shape, form)
    return {
        _("layer"): row.name,
        _("form"): _("one piece") if stored.form == "plain" else _(form),
        _("as a matrix"): f"{m} × {n}",
        _("rank"): ranks(stored.ranks) if stored.ranks else _("full"),
        _("break-even"): worthwhile_rank(stored.layer.shape, form) or None,
        _("weights before"): before.parameters,
        _("weights after"): row.parameters,
        _("MACs before"): before.macs,
        _("MACs after"): row.macs,
        _("bytes"): row.bytes,
        _("note"): _("⚠ larger than before") if row.parameters > before.parameters else "",
    }


def ranks(ranks: tuple[int, ...]) -> str:
    if len(ranks) == 1:
        return _("rank {rank}", rank=ranks[0])
    return _("ranks {r_in} in, {r_out} out", r_in=ranks[0], r_out=ranks[1])
