"""The editable table of the combine page: a layer's cells → the steps of that layer."""

from typing import Any

import pandas as pd
import streamlit as st

from compress_core.methods.quantization import BITS as WIDTHS
from compress_core.methods.weight_sharing import MAX_CLUSTERS, ShareWeights
from compress_core.recipe import up_to
from ui import words
from ui.combine import edits
from ui.combine.edits import BITS, CHANNELS, CLUSTERS, PRUNE, RANK, Cell
from ui.language import N_, _
from ui.panels.chart import layer_column
from ui.panels.widgets import with_exception
from ui.quantize.methods import FLOAT
from ui.session import caches, recipe_field, state
from ui.session.state import Current
from ui.steps import said

STORED_AS = N_("stored as")
READ_ONLY = (
    N_("layer"),
    N_("shape"),
    N_("how"),
    N_("bytes"),
    N_("ratio"),
    N_("SQNR, dB"),
    STORED_AS,
)


def show(current: Current) -> None:
    """The table; an edit changes the recipe at once."""
    table = cells(current)
    st.data_editor(
        table,
        key=_key(table),
        hide_index=True,
        placeholder="—",
        disabled=READ_ONLY,
        column_config=_columns(table, {row.bits for row in current.size.layers}),
        on_change=_apply,
        args=(table,),
        alt=_("The recipe, layer by layer"),
    )


def cells(current: Current) -> pd.DataFrame:
    """Every layer's settings, read from the stored layers: the results, not the steps."""
    rows = current.size.layers
    early = up_to(current.recipe, "prune")
    pruned = {row.name: row.sparsity for row in caches.size(current.model, early).layers}
    cut = [100 * (1 - row.shape[0] / row.original_shape[0]) for row in rows]
    clusters = [_clusters(current, row.name) for row in rows]
    return pd.DataFrame(
        {
            "layer": [row.name for row in rows],
            "shape": [words.shape(row.shape) for row in rows],
            CHANNELS: [round(share, 1) for share in cut],
            RANK: pd.array([row.ranks[-1] if row.ranks else None for row in rows], "Int64"),
            PRUNE: [round(100 * pruned[row.name], 1) for row in rows],
            BITS: [row.bits for row in rows],
            CLUSTERS: pd.array(clusters, "Int64"),
            "how": [_how(current, row.name) for row in rows],
            "bytes": [row.bytes for row in rows],
            "ratio": [row.original_bytes / row.bytes for row in rows],
            "SQNR, dB": [row.sqnr_db for row in rows],
            STORED_AS: [", ".join(row.encodings) for row in rows],
        }
    )


def _clusters(current: Current, layer: str) -> int | None:
    step = current.compressed.winners("share").get(layer)
    return step.clusters if isinstance(step, ShareWeights) else None


def _how(current: Current, layer: str) -> str:
    """The methods at work in a layer, in the order they act."""
    acting = (act.step for act in current.compressed.acts if layer in act.names)
    return " · ".join(said(step).method for step in acting) or "—"


def _columns(table: pd.DataFrame, bits: set[int]) -> dict[str, Any]:
    """How the columns are titled, edited and explained; `bits` are those in use."""
    config = st.column_config
    found = {
        "layer": layer_column(table["layer"]),
        "shape": config.TextColumn(),
        **_setting_columns(bits),
        "how": config.TextColumn(
            width=150, help=_("The methods at work. An edited cell keeps its method.")
        ),
        "bytes": config.NumberColumn(format="localized"),
        "ratio": config.NumberColumn(format="%.2f×"),
        "SQNR, dB": config.NumberColumn(
            format="%.1f", help=_("Empty: unchanged, or of another shape.")
        ),
        STORED_AS: config.TextColumn(
            help=_("The smallest encoding, chosen by real size, of each stored weight.")
        ),
    }
    return {name: column | {"label": _(name)} for name, column in found.items()}


def _setting_columns(bits: set[int]) -> dict[str, Any]:
    """The columns whose cells are edited."""
    config = st.column_config
    return {
        CHANNELS: config.NumberColumn(
            min_value=0.0,
            max_value=99.0,
            step=1.0,
            required=True,
            help=_("Output channels that are removed for good; the layers behind shrink, too."),
        ),
        RANK: config.NumberColumn(
            min_value=1,
            step=1,
            help=_("Rank of the factors (r_out of three). Empty: not factorized."),
        ),
        PRUNE: config.NumberColumn(
            min_value=0.0,
            max_value=99.9,
            step=0.1,
            required=True,
            help=_("Sparsity of this layer before quantization. 0: this layer is not pruned."),
        ),
        BITS: config.SelectboxColumn(
            options=sorted({*WIDTHS, FLOAT} | bits),
            required=True,
            help=_(
                "Nominal bits of a weight, by the method under *how*. 32: not quantized. Of "
                "shared weights those of an index; other bits end the sharing."
            ),
        ),
        CLUSTERS: config.NumberColumn(
            min_value=2,
            max_value=MAX_CLUSTERS,
            step=1,
            help=_(
                "Entries of the codebook. Empty: not shared. It ends this layer's quantization."
            ),
        ),
    }


def _key(table: pd.DataFrame) -> str:
    """The editor's key. A new key makes a new editor, without edits and without the focus. So it
    changes only if the editor holds an edit whose result in the table is another value."""
    version = st.session_state.setdefault("combine_version", 0)
    if _open_edits(table, f"combine_table_{version}"):
        version = st.session_state.combine_version = version + 1
        st.session_state.combine_wrote = None
    return f"combine_table_{version}"


def _open_edits(table: pd.DataFrame, key: str) -> list[Cell]:
    """The edits in the editor that the table does not show yet."""
    found = st.session_state.get(key) or {}
    return [
        Cell(str(table["layer"].iloc[int(row)]), column, value)
        for row, columns in found.get("edited_rows", {}).items()
        if int(row) < len(table)
        for column, value in columns.items()
        if column in edits.EDITS and not _same(table[column].iloc[int(row)], value)
    ]


def _same(shown: Any, value: Any) -> bool:
    if pd.isna(shown) or value is None:
        return bool(pd.isna(shown)) and value is None
    return float(shown) == float(value)


def _apply(table: pd.DataFrame) -> None:
    """Write into the recipe what was edited since the table was drawn.

    When new data contains an edit, the editor drops the edit and reports that at once. The browser
    may not know the new recipe by then and send the old one, so the recipe is set again.
    """
    version = st.session_state.get("combine_version", 0)
    layers = state.current().compressed.base.layers
    shapes = {name: layer.shape for name, layer in layers.items()}
    opened = _open_edits(table, f"combine_table_{version}")
    cells = [cell for cell in opened if cell.layer in shapes]  # the model may be another by now
    if cells:
        recipe = recipe_field.session_recipe()
        for cell in cells:
            recipe = edits.edited(recipe, cell, shapes, with_exception)
        st.session_state.combine_wrote = recipe
        recipe_field.set_recipe(recipe)
    elif st.session_state.get("combine_wrote") is not None:
        recipe, st.session_state.combine_wrote = st.session_state.combine_wrote, None
        recipe_field.set_recipe(recipe)
