"""Which networks a session may choose: those that are there for everybody, and those that it has
opened or has followed a link to."""

import streamlit as st

from compress_core.opening.store import public_name
from compress_core.sources import is_known, model_names
from ui.language import Later, _

OPENED = "opened_models"


def names() -> list[str]:
    """What the list in the sidebar offers."""
    return [*model_names(), *opened()]


def opened() -> list[str]:
    """The session's own that are still there, the last one first."""
    found: list[str] = st.session_state.get(OPENED, [])
    return [name for name in found if is_known(name)]


def forget_gone() -> list[str]:
    """The session's own that are not there any more, which are its own no longer."""
    left = opened()
    gone = [name for name in st.session_state.get(OPENED, []) if name not in left]
    st.session_state[OPENED] = left
    return gone


def gone_notice(name: str) -> Later:
    """What is said in the place of an opened network that is not there any more."""
    return Later(
        lambda: _(
            "The network {name} is not on this server any more: it is deleted a day after its last "
            "use at the latest. Open its file again on the page Your own model.",
            name=public_name(name),
        )
    )


def add(name: str) -> None:
    """Offer a network to this session, if it is not offered to everybody."""
    if name not in model_names():
        others = [other for other in opened() if other != name]
        st.session_state[OPENED] = [name, *others]
