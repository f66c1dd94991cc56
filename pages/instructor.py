"""Instructor: where the class finds the server, how long it runs, and how busy it is."""

import os
import secrets
import time

import streamlit as st

from ui import classroom, words
from ui.classroom.limits import MOST_VISITORS, facts
from ui.classroom.serve import qr_code
from ui.session import turns
from ui.session.anytime import measurer

REFRESH_S = 5


def instructor() -> None:
    given = st.query_params.get("token", "")
    if not secrets.compare_digest(given.encode(), classroom.token().encode()):
        st.error("The console of `make class` says the address of this page.", title="Not for all")
        return
    st.title("Instructor", anchor=False)
    left, right = st.columns([2, 3])
    with left:
        st.image(qr_code(classroom.address()), width=320)
        st.markdown(f"The class opens **{classroom.address()}**.")
    with right:
        load()


@st.fragment(run_every=REFRESH_S)
def load() -> None:
    """How busy the server is, every few seconds."""
    busy = measurer().busyness()
    st.table(
        {
            "visitors": f"{facts.visitors} of {MOST_VISITORS}, at most {facts.most_visitors}",
            "up for": words.seconds(time.monotonic() - facts.started),
            "load of the machine": f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} processors",
            "pages that wait for their turn": f"{turns.runs.waiting}",
            "visitors who wait for a measurement": f"{busy}",
            "250 images take": f"{1000 * measurer().slice_s:.0f} ms",
            "refused": ", ".join(f"{why}: {n}" for why, n in facts.refused.items()) or "nothing",
        },
        border="horizontal",
    )


instructor()
