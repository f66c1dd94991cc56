"""The byte ledger: how many bytes the same weights take in every encoding that people use."""

from collections.abc import Hashable

import pandas as pd
import streamlit as st

from compress_core.measurement.ledger import OURS, LedgerRow, finding, ledger
from compress_core.recipe import Recipe
from compress_core.wording.ledger import ledger_in_words
from ui import figures, presenter
from ui.core_sentences import of_core
from ui.language import N_, _
from ui.panels.chart import chart
from ui.session import caches, state, turns
from ui.session.state import Current

SHORT = (N_("dense fp32"), N_("dense fp16"), N_("Huffman"))  # names of rows, no sentences


def show(current: Current) -> None:
    """The sentence to remember, bars, the table, and on demand each layer."""
    with_onnx = st.session_state.get("ledger_onnx") == _structure(current)
    # zstd and gzip take a second, most of it outside of the interpreter: others draw meanwhile
    with st.spinner(_("Weighing the files…")), turns.given_away():
        rows = weighed(current.model, current.recipe, with_onnx=with_onnx)
    st.markdown(_("**The byte ledger**: the same weights in every encoding that people use"))
    st.info(ledger_in_words(finding(rows, current.size.sparsity)), icon=":material/scale:")
    left, right = st.columns(2, gap="medium")
    with left:
        _bars(rows)
    with right:
        _table(rows)
        if not with_onnx:
            _onnx_button(current)
    _layers(rows)


@caches.keep_copies(max_entries=200, show_spinner=False)
def weighed(model: str, recipe: Recipe, *, with_onnx: bool) -> tuple[LedgerRow, ...]:
    """Each row but the bound is the length of a real file."""
    onnx = caches.onnx_file(model, recipe) if with_onnx else None
    return ledger(caches.compressed(model, recipe), onnx)


def _structure(current: Current) -> Hashable:
    """What the export of a graph depends on: another one takes seconds again."""
    rows = current.size.layers
    return current.model, tuple((row.shape, row.form, row.ranks, row.input_bits) for row in rows)


def _bars(rows: tuple[LedgerRow, ...]) -> None:
    sizes = {_name(row): row.total_bytes for row in rows if row.total_bytes is not None}
    bound = next((_name(row) for row in rows if row.is_bound), None)
    chart(
        figures.ledger_bars(
            list(sizes), list(sizes.values()), state.colors(), bound=bound, ours=of_core(OURS)
        ),
        "ledger_bars",
        _("Bytes of the whole model, the largest first"),
        {_("stored as"): list(sizes), _("bytes"): list(sizes.values())},
    )
    st.caption(
        _(
            ":violet[Our container] is the stored file of Take home. The hollow bar is the only "
            "one that is no file: the entropy bound. No code of single symbols with one histogram "
            "for each layer is shorter. Gap and context coding use more than that, and may be "
            "shorter."
        )
    )


def _table(rows: tuple[LedgerRow, ...]) -> None:
    dense = rows[0].total_bytes or 1
    totals = [row.total_bytes for row in rows]
    st.dataframe(
        {
            _("stored as"): [_name_or_bound(row) for row in rows],
            _("bytes"): pd.array(totals, "Int64"),
            _("× smaller"): [None if total is None else dense / total for total in totals],
            _("note"): [_note(row) for row in rows],
        },
        hide_index=True,
        placeholder="—",
        height="content",
        column_config={
            _("bytes"): st.column_config.NumberColumn(
                format="localized", help=_("Of the whole file.")
            ),
            _("× smaller"): st.column_config.NumberColumn(
                format="%.2f", help=_("Than dense fp32.")
            ),
        },
        alt=_("The byte ledger"),
    )


def _name(row: LedgerRow) -> str:
    return _(of_core(row.name))


def _name_or_bound(row: LedgerRow) -> str:
    return _("{name} (no file)", name=_name(row)) if row.is_bound else _name(row)


def _note(row: LedgerRow) -> str:
    if row.total_bytes is None and row.name.startswith("ONNX"):
        return _("not exported yet: see below")
    return of_core(row.note)


def _onnx_button(current: Current) -> None:
    st.button(
        _("Add the ONNX file"),
        key="ledger_add_onnx",
        icon=":material/account_tree:",
        help=_(
            "Exports the graph with its weights. It takes seconds, once for each structure; other "
            "sparsities and bits come at once."
        ),
        on_click=_add_onnx,
        args=(_structure(current),),
    )


def _add_onnx(structure: Hashable) -> None:
    st.session_state.ledger_onnx = structure


def _layers(rows: tuple[LedgerRow, ...]) -> None:
    """Bytes of each layer in each encoding; encodings without parts are left out."""
    if presenter.on():
        return
    label = _("Layer by layer")
    closed = st.expander(label, key="ledger_layers", type="compact", on_change="rerun")
    if not closed.open:
        return
    lines = [
        {_("stored as"): _name(row), **dict(row.layer_bytes), _("rest"): row.rest_bytes}
        | {_("whole file"): row.total_bytes}
        for row in rows
        if row.layer_bytes is not None
    ]
    numbers = {name for line in lines for name in line} - {_("stored as")}
    localized = st.column_config.NumberColumn(format="localized")
    closed.dataframe(
        lines,
        hide_index=True,
        placeholder="—",
        column_config=dict.fromkeys(numbers, localized),
        alt=_("The byte ledger, layer by layer"),
    )
    closed.caption(
        _(
            "*rest* are biases, norms and the header. gzip, zstd and ONNX see the file as a whole: "
            "they have no parts. The smallest of each layer make {ours}.",
            ours=of_core(OURS),
        )
    )
