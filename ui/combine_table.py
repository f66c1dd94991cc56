"""The editable table of the combine page: a layer's cells → the steps of that layer."""

from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import streamlit as st

from compress_core import Factorize, Prune, Quantize, Recipe, from_json
from compress_core.methods.low_rank import full_rank
from compress_core.methods.quantization import BITS
from compress_core.recipe_edit import step_for, with_layer_step
from ui import state, words
from ui.controls.quantize import FLOAT
from ui.state import Current


@dataclass(frozen=True)
class Cell:
    """An edit: the layer, the column, and the new value (None for an emptied cell)."""

    layer: str
    column: str
    value: Any


def show(current: Current) -> None:
    """The table; an edit changes the recipe at once."""
    rows = current.size.layers
    alone = tuple(step for step in current.recipe if step.kind != "quantize")
    pruned = {row.name: row for row in state.size(current.model, alone).layers}
    table = pd.DataFrame(
        {
            "layer": [row.name for row in rows],
            "shape": [words.shape(row.shape) for row in rows],
            "prune, %": [round(100 * pruned[row.name].sparsity, 1) for row in rows],
            "rank": pd.array([row.rank for row in rows], dtype="Int64"),
            "bits": [row.bits for row in rows],
            "bytes": [row.bytes for row in rows],
            "ratio": [row.original_bytes / row.bytes for row in rows],
            "SQNR, dB": [row.sqnr_db for row in rows],
            "stored as": [", ".join(row.encodings) for row in rows],
        }
    )
    version = st.session_state.setdefault("combine_version", 0)
    st.data_editor(
        table,
        key=f"combine_table_{version}",
        hide_index=True,
        disabled=["layer", "shape", "bytes", "ratio", "SQNR, dB", "stored as"],
        column_config={
            "prune, %": st.column_config.NumberColumn(
                min_value=0.0,
                max_value=99.9,
                step=0.1,
                required=True,
                help="Sparsity of this layer before quantization. 0: this layer is not pruned.",
            ),
            "rank": st.column_config.NumberColumn(
                min_value=1, step=1, help="Rank of the factor pair. Empty: not factorized."
            ),
            "bits": st.column_config.SelectboxColumn(
                options=[*BITS, FLOAT], required=True, help="32: not quantized."
            ),
            "bytes": st.column_config.NumberColumn(format="localized"),
            "ratio": st.column_config.NumberColumn(format="%.2f×"),
            "SQNR, dB": st.column_config.NumberColumn(format="%.1f", help="Empty: unchanged."),
            "stored as": st.column_config.TextColumn(
                help="The smallest encoding, chosen by real size, of each stored weight."
            ),
        },
        on_change=_apply,
        args=([row.name for row in rows],),
        alt="The recipe, layer by layer",
    )


def _apply(names: list[str]) -> None:
    edits = st.session_state[f"combine_table_{st.session_state.combine_version}"]["edited_rows"]
    st.session_state.combine_version += 1  # a fresh editor: the recipe has the edits from here on
    recipe = state.session_recipe()
    layers = state.original(st.session_state.model).layers
    for row, cells in edits.items():
        name = names[int(row)]
        for column, value in cells.items():
            cell = Cell(name, column, value)
            recipe = edited(recipe, cell, tuple(layers), full_rank(layers[name].shape))
    state.set_recipe(recipe)


def recipe_upload() -> None:
    """A recipe's JSON file in place of the present recipe."""
    st.file_uploader(
        "Load a recipe (JSON)",
        type="json",
        key="combine_upload",
        on_change=_take_upload,
        help="What *Recipe (JSON)* or the library's `to_json` wrote. It replaces the recipe.",
    )
    if st.session_state.get("combine_upload_error"):
        st.error(st.session_state.combine_upload_error, title="Not a recipe of ours")


def _take_upload() -> None:
    file = st.session_state.combine_upload
    st.session_state.combine_upload_error = None
    if file is None:
        return
    try:
        state.set_recipe(from_json(file.getvalue().decode()))
    except UnicodeDecodeError:
        st.session_state.combine_upload_error = f"{file.name} is no text, so no JSON"
    except ValueError as error:  # not JSON, another version, an unknown step or field
        st.session_state.combine_upload_error = f"{file.name}: {error}"


def edited(recipe: Recipe, cell: Cell, names: tuple[str, ...], full: int) -> Recipe:
    """The recipe after one edit; the full rank, 0 % and 32 bits take the layer out of that kind."""
    layer = (cell.layer,)
    if cell.column == "prune, %":
        sparsity = round((cell.value or 0.0) / 100, 6)
        step = Prune(sparsity, scope="layer", layers=layer) if sparsity else None
        return with_layer_step(recipe, "prune", cell.layer, step, names)
    if cell.column == "rank":
        rank = int(cell.value) if cell.value else full
        pair = Factorize(rank=rank, layers=layer) if rank != full else None
        return with_layer_step(recipe, "factorize", cell.layer, pair, names)
    if cell.value == FLOAT:
        return with_layer_step(recipe, "quantize", cell.layer, None, names)
    like = step_for(recipe, "quantize", cell.layer) or Quantize()
    assert isinstance(like, Quantize)
    codes = replace(like, bits=int(cell.value))
    return with_layer_step(recipe, "quantize", cell.layer, codes, names)
