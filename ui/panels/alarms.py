"""What the address or the recipe asked for and could not have, and what went wrong."""

from collections.abc import Sequence

import streamlit as st

from compress_core.views.alarms import Alarm
from compress_core.wording.alarms import alarm_in_words
from ui import words
from ui.session import fragments, measuring, state
from ui.session.state import Current

ALARM_ICONS = {
    "chance": ":material/casino:",
    "collapsed": ":material/block:",
    "no_effect": ":material/do_not_disturb_on:",
    "bytes_up": ":material/trending_up:",
}


@st.fragment(key=fragments.ALARMS)
def alarms() -> None:
    """What the address or the recipe asked for and could not have, and what went wrong."""
    current = state.current()
    _notices(current)
    with st.container(key="alarms"):
        _alarms(measuring.current_alarms(current))


def _notices(current: Current) -> None:
    for text in st.session_state.notices:
        st.warning(text, icon=":material/link_off:")
    if st.session_state.notices:
        st.button(
            "Dismiss",
            key="dismiss_notices",
            help="Takes these notices away.",
            on_click=st.session_state.notices.clear,
        )
    for refusal in current.refusals:
        st.error(
            f"{refusal.reason}. The other steps are shown without it.",
            title=f"Left out: {words.describe(refusal.step)}",
        )


def _alarms(found: Sequence[Alarm]) -> None:
    """The gravest alarm, the others behind a button; else a quiet line: nothing may jump."""
    if not found:
        st.caption(":material/check_circle: No alarms: no layer collapsed, no step without effect.")
        return
    gravest, *others = found
    with st.container(horizontal=True, vertical_alignment="center"):
        st.warning(alarm_in_words(gravest, words.describe), icon=ALARM_ICONS[gravest.kind])
        if others:
            with st.popover(f"{len(others)} more", key="more_alarms"):
                for alarm in others:
                    st.warning(alarm_in_words(alarm, words.describe), icon=ALARM_ICONS[alarm.kind])
