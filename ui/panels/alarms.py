"""What the address or the recipe asked for and could not have, and what went wrong."""

from collections.abc import Sequence

import streamlit as st

from compress_core.measurement.losses import Lost
from compress_core.views.alarms import Alarm
from compress_core.wording.alarms import alarm_in_words
from ui import words
from ui.core_sentences import of_core
from ui.language import _, n_
from ui.panels.widgets import number_field
from ui.session import address, alarming, fragments, state
from ui.session.state import Current

ALARM_ICONS = {
    "chance": ":material/casino:",
    "loss": ":material/trending_down:",
    "collapsed": ":material/block:",
    "no_effect": ":material/do_not_disturb_on:",
    "bytes_up": ":material/trending_up:",
}


@st.fragment(key=fragments.NOTICES)
def notices() -> None:
    """What the address or the recipe asked for and could not have, as plain text: anybody can write
    an address."""
    for text in st.session_state.notices:
        st.warning(_plain(text), icon=":material/link_off:")
    if st.session_state.notices:
        st.button(
            _("Dismiss"),
            key="dismiss_notices",
            help=_("Takes these notices away."),
            on_click=st.session_state.notices.clear,
        )
    for refusal in state.current().refusals:
        st.error(
            _(
                "{reason}. The other steps are shown without it.",
                reason=_plain(of_core(refusal.reason)),
            ),
            title=_("Left out: {step}", step=_plain(words.describe(refusal.step))),
        )


def _plain(text: str) -> str:
    return words.escape_markdown(words.clip(text))


@st.fragment(key=fragments.ALARMS)
def alarms() -> None:
    """What went wrong: how many alarms, and each behind a button, with the loss that is allowed."""
    current = state.current()
    found = alarming.current_alarms(current)
    icon = ":material/warning:" if found else ":material/check_circle:"
    with st.popover(
        _count(found),
        icon=icon,
        key="alarm_list",
        width="stretch",
        type="secondary" if found else "tertiary",
    ):
        if not found:
            st.caption(
                _(
                    "Not more than {allowed} lost for certain, no layer collapsed, no step without "
                    "effect.",
                    allowed=words.points(alarming.tolerance()),
                )
            )
        _list(found)
        if any(alarm.fact.culprit is None for alarm in found if isinstance(alarm.fact, Lost)):
            _which_step(current)
        _tolerance()


def _count(found: Sequence[Alarm]) -> str:
    return n_("1 alarm", "{n} alarms", len(found)) if found else _("No alarms")


def _list(found: Sequence[Alarm]) -> None:
    """The gravest first."""
    for alarm in found:
        st.warning(alarm_in_words(alarm, words.describe), icon=ALARM_ICONS[alarm.kind])


def _which_step(current: Current) -> None:
    st.button(
        _("Which step?"),
        key="which_step",
        icon=":material/troubleshoot:",
        help=_(
            "Measures the recipe's first step alone, then the first two, and so on, on a part of "
            "the test images, and names the step that lost most."
        ),
        on_click=alarming.ask_for_culprit,
        args=(current,),
    )


def _tolerance() -> None:
    """How much may be lost without an alarm; the address carries it."""
    usual, low, high = address.NUMBERS[alarming.TOLERANCE]
    points = number_field(
        _("Alarm above … points lost"),
        alarming.TOLERANCE,
        usual,
        low,
        high,
        step=0.5,
        format="%.4g",
        width="stretch",
        help=_("The loss must also be beyond its own 95 % interval."),
    )
    address.tell(alarming.TOLERANCE, f"{points:g}", usual=f"{usual:g}")
