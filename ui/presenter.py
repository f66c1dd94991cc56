"""Presenter mode for the projector (`?present=1`): larger type, the sidebar folded, no footers."""

import plotly.graph_objects as go
import streamlit as st

from ui.language import _
from ui.session import fragments, values

KEY = "present"
# Streamlit sizes everything in rem; so do our own styles.
# The numbers are read from the last row of the room.
LARGER = "<style>html { font-size: 20px; } html .strip .what { font-size: 1.6rem; }</style>"
FONT_SIZE = 18  # of figures, whose text does not follow the page's


def on() -> bool:
    """Whether the room sees the large type; before the toggle is drawn the address says it."""
    said = st.query_params.get(KEY) in ("1", "true")
    values.repair(KEY, values.switched(KEY, said))
    return values.switched(KEY)


def apply() -> None:
    """The style of this run, and the address as the toggle has it."""
    if on():
        st.html(LARGER)
        if st.query_params.get(KEY) != "1":
            st.query_params[KEY] = "1"
    elif KEY in st.query_params:
        del st.query_params[KEY]


def enlarge(figure: go.Figure) -> None:
    """Larger type in a figure; each kind is named, else the app's theme decides."""
    font = {"size": FONT_SIZE}
    figure.update_layout(font=font, legend_font=font)
    figure.update_xaxes(tickfont=font, title_font=font)
    figure.update_yaxes(tickfont=font, title_font=font)


def toggle() -> None:
    st.toggle(
        _("Presenter mode"),
        key=KEY,
        persist_state="session",
        on_change=fragments.refresh_app,
        help=_(
            "For the projector: larger type and this sidebar folded. The arrow at the top left "
            "brings it back."
        ),
    )
