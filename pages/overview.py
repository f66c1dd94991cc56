"""Overview: something that moves, the doors to the methods, then the network in tables."""

from functools import partial

import streamlit as st

from ui import in_view
from ui.language import _
from ui.overview.details import details
from ui.overview.first_minute import doors, first_minute
from ui.session import fragments, state


@fragments.body
def overview() -> None:
    current = state.current()
    first_minute(current)
    doors()
    st.subheader(_("The network, layer by layer"), anchor=False)
    in_view.lazily("overview_details", partial(details, current), height=900)


overview()
