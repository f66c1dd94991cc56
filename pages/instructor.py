"""Instructor: where the class finds the server, how long it runs, and how busy it is."""

import os
import secrets
import time

import streamlit as st

from ui import classroom, words
from ui.classroom.limits import MOST_VISITORS, facts
from ui.classroom.serve import qr_code
from ui.language import _
from ui.session import turns
from ui.session.anytime import measurer

REFRESH_S = 5


def instructor() -> None:
    given = st.query_params.get("token", "")
    if not secrets.compare_digest(given.encode(), classroom.token().encode()):
        st.error(
            _("The console of `make class` says the address of this page."),
            title=_("Not for all"),
        )
        return
    st.title(_("Instructor"), anchor=False)
    left, right = st.columns([2, 3])
    with left:
        st.image(qr_code(classroom.address()), width=320)
        st.markdown(_("The class opens **{address}**.", address=classroom.address()))
    with right:
        load()


@st.fragment(run_every=REFRESH_S)
def load() -> None:
    """How busy the server is, every few seconds."""
    busy, slice_ms = measurer().busyness(), 1000 * measurer().slice_s
    refused = ", ".join(f"{_(why)}: {n}" for why, n in facts.refused.items())
    st.table(
        {
            _("visitors"): _(
                "{now} of {most}, at most {peak}",
                now=facts.visitors,
                most=MOST_VISITORS,
                peak=facts.most_visitors,
            ),
            _("up for"): words.seconds(time.monotonic() - facts.started),
            _("load of the machine"): _(
                "{load:.1f} on {cores} processors", load=os.getloadavg()[0], cores=os.cpu_count()
            ),
            _("pages that wait for their turn"): f"{turns.runs.waiting}",
            _("visitors who wait for a measurement"): f"{busy}",
            _("250 images take"): f"{slice_ms:.0f} ms",
            _("refused"): refused or _("nothing"),
        },
        border="horizontal",
    )


instructor()
