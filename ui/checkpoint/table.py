"""Which tensor: groups of tensors in a table, a search, and the tensors of the chosen group."""

import zlib
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from compress_core.checkpoint import Checkpoint, Entry, Group
from ui import words
from ui.checkpoint import opened
from ui.language import _
from ui.session import values

TABLE_HEIGHT = 330
ROW = "checkpoint_group"  # key: the group that was chosen last, by its label


def choose_tensor(checkpoint: Checkpoint) -> Entry | None:
    """The tensor that is drawn; None where the search finds none."""
    st.text_input(
        _("Search"),
        key="checkpoint_search",
        placeholder=_("part of a name, such as mlp or layers.7."),
        icon=":material/search:",
        label_visibility="collapsed",
        persist_state="session",
    )
    asked = values.text("checkpoint_search").strip()
    matched = [(group, _matching(group, asked)) for group in opened.groups(checkpoint)]
    found = [(group, names) for group, names in matched if names]
    if not found:
        st.caption(_("No tensor has {part} in its name.", part=words.escape_markdown(asked)))
        return None
    _show_groups([group for group, _names in found], asked)
    labels = [label(group) for group, _names in found]
    usual = max(range(len(found)), key=lambda i: (found[i][0].is_weight, found[i][0].params))
    row = labels.index(values.chosen(ROW, (labels[usual], *labels)))
    return checkpoint.entry(_choose_one(found[row][1]))


def _matching(group: Group, asked: str) -> list[str]:
    """The names of a group's tensors that have the text, all where their pattern has it."""
    names = [entry.name for entry in group.entries]
    return names if asked in group.pattern else [name for name in names if asked in name]


def label(group: Group) -> str:
    """Tells a group from all others: two may have one pattern and different shapes."""
    return f"{group.pattern} {group.shape} {group.dtype}"


def _show_groups(groups: Sequence[Group], asked: str) -> None:
    table = pd.DataFrame(
        {
            _("tensors"): [group.pattern for group in groups],
            _("count"): [group.count for group in groups],
            _("bytes"): [words.byte_size(group.bytes) for group in groups],
            _("shape"): [words.shape(group.shape) or "1" for group in groups],
            _("type"): [group.dtype for group in groups],
        }
    )
    event = st.dataframe(
        table,
        key=f"checkpoint_groups_{zlib.crc32(asked.encode()):08x}",  # rows are of one search
        hide_index=True,
        height=TABLE_HEIGHT,
        on_select="rerun",
        selection_mode="single-row",
        column_config={
            _("tensors"): st.column_config.TextColumn(width=212, pinned=True),
            _("count"): st.column_config.NumberColumn(width=46),
            _("bytes"): st.column_config.TextColumn(width=80),
        },
        alt=_("The groups of tensors"),
    )
    rows = event.selection.rows
    if rows and rows[0] < len(groups):
        st.session_state[ROW] = label(groups[rows[0]])


def _choose_one(names: Sequence[str]) -> str:
    name = values.chosen("checkpoint_tensor", names)
    values.repair("checkpoint_tensor", name)
    st.selectbox(
        _("Tensor"),
        names,
        key="checkpoint_tensor",
        persist_state="session",
        help=_("One tensor of the chosen row; type to search."),
    )
    return name
