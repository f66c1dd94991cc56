"""A chart under its title, and its numbers as a table."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from ui import presenter, words
from ui.language import _

Columns = Mapping[str, Any]  # a name and its values, any kind of array


def chart(figure: go.Figure, key: str, title: str, table: Columns | None, **options: Any) -> Any:
    """A chart under its title, which is plain text, and the same numbers as a table for those who
    read; None where a table below tells them for several charts."""
    if presenter.on():
        presenter.enlarge(figure)
    st.markdown(f"**{words.escape_markdown(title)}**")
    event = st.plotly_chart(
        figure,
        key=key,
        alt=title,
        config={"displaylogo": False, "displayModeBar": False},
        **options,
    )
    if table is not None:
        twin(key, title, table)
    return event


def layer_column(names: Iterable[str]) -> Any:
    """The configuration of a table's column of layers: as wide as the longest name needs."""
    longest = max(map(len, names), default=0)
    return st.column_config.TextColumn(width=max(70, 30 + 7 * longest), pinned=True)


def twin(key: str, title: str, table: Columns) -> None:
    """What a picture shows, as a table behind a click; not for the projector."""
    if presenter.on():
        return
    closed = st.expander(_("As a table"), key=f"{key}_table", type="compact", on_change="rerun")
    if closed.open:
        alt = _("{title}, as a table", title=title)
        closed.dataframe(pd.DataFrame(dict(table)), hide_index=True, placeholder="—", alt=alt)
