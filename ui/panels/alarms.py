"""What the address or the recipe asked for and could not have, and what went wrong."""

from collections.abc import Sequence

import streamlit as st

from compress_core.views.alarms import Alarm
from compress_core.wording.alarms import alarm_in_words
from ui import words
from ui.session import fragments, measuring, state

ALARM_ICONS = {
    "chance": ":material/casino:",
    "collapsed": ":material/block:",
    "no_effect": ":material/do_not_disturb_on:",
    "bytes_up": ":material/trending_up:",
}


@st.fragment(key=fragments.NOTICES)
def notices() -> None:
    """What the address or the recipe asked for and could not have."""
    for text in st.session_state.notices:
        st.warning(text, icon=":material/link_off:")
    if st.session_state.notices:
        st.button(
            "Dismiss",
            key="dismiss_notices",
            help="Takes these notices away.",
            on_click=st.session_state.notices.clear,
        )
    for refusal in state.current().refusals:
        st.error(
            f"{refusal.reason}. The other steps are shown without it.",
            title=f"Left out: {words.describe(refusal.step)}",
        )


@st.fragment(key=fragments.ALARMS)
def alarms() -> None:
    """What went wrong: how many alarms, and each behind a button; the place is always kept."""
    found = measuring.current_alarms(state.current())
    if not found:
        st.caption(
            ":material/check_circle: No alarms",
            help="No layer collapsed, no step without effect.",
        )
        return
    many = f"{len(found)} alarms" if len(found) > 1 else "1 alarm"
    with st.popover(many, icon=":material/warning:", key="alarm_list", width="content"):
        _list(found)


def _list(found: Sequence[Alarm]) -> None:
    """The gravest first."""
    for alarm in found:
        st.warning(alarm_in_words(alarm, words.describe), icon=ALARM_ICONS[alarm.kind])
