"""Recover: training that heals what compression has hurt, in a process of its own, shown live."""

import streamlit as st

from ui.panels.missing_data import needs_data
from ui.panels.page import heading
from ui.recover import controls, job_list, results, waiting
from ui.recover.methods import RETRAININGS, method_of
from ui.session import fragments, state


@fragments.body
def recover() -> None:
    current = state.current()
    top = st.container()  # its formula is that of the method
    if needs_data(current.model):
        method = next(iter(RETRAININGS))
    elif current.waiting:
        method = method_of(current.waiting[0])
        job_list.note_others(current)
        waiting.show(current)
        st.markdown(RETRAININGS[method].text)
    else:
        method = controls.show(current)
        job_list.note_others(current)
        results.show(current)
    with top:
        heading(
            "Recover",
            "Train what the recipe has left. The structure is held: pruned weights stay zero, "
            "codes stay codes.",
            RETRAININGS[method].formula,
        )
    job_list.show(current)


recover()
