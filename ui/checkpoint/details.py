"""Below the picture: the tensor's singular values, and its bytes in every encoding."""

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from compress_core.checkpoint import (
    Checkpoint,
    Entry,
    Profiles,
    check_spectrum,
    energy_kept,
    estimated_seconds,
)
from compress_core.checkpoint.reading import matrix_shape
from compress_core.checkpoint.spectrum import Values
from compress_core.jobs.work import Spectrum
from compress_core.recipe import Recipe
from ui import figures, words
from ui.checkpoint import opened
from ui.core_sentences import of_core
from ui.language import _
from ui.panels.chart import chart
from ui.panels.job_bar import waiting_for
from ui.session import executor, jobs, state

SHARES = (0.5, 0.9, 0.99)  # of the energy, whose ranks are told


def show(checkpoint: Checkpoint, entry: Entry, steps: Recipe) -> None:
    left, right = st.columns(2, gap="medium")
    with left:
        _spectrum(checkpoint, entry)
    with right:
        _ledger(checkpoint, entry, steps)


def _spectrum(checkpoint: Checkpoint, entry: Entry) -> None:
    st.markdown(_("**Singular values**"))
    try:
        check_spectrum(entry)
    except ValueError as error:
        st.caption(of_core(error))
        return
    values = Profiles(checkpoint).spectrum(entry)
    if values is None:
        _ask(checkpoint, entry)
    else:
        _draw(entry, values)


def _ask(checkpoint: Checkpoint, entry: Entry) -> None:
    work = Spectrum(str(checkpoint.path), checkpoint.identity, entry.name)
    job = jobs.job_of(work)
    if job is not None and job.unfinished:
        waiting_for(job.id, "checkpoint_spectrum", _("End it; what was computed is lost."))
        return
    if job is not None and job.state == "failed":
        st.warning(of_core(job.reason))
    again = job is not None and job.state == "done"  # its result was removed to make room
    st.caption(
        _(
            "About {seconds} on this machine: the smaller Gram matrix, summed over blocks of rows, "
            "and its eigenvalues. They are kept.",
            seconds=words.seconds(estimated_seconds(entry)),
        )
    )
    st.button(
        _("Compute them"),
        key="checkpoint_spectrum_start",
        icon=":material/functions:",
        on_click=jobs.submit,
        args=(work,),
        kwargs={"anew": again},
        disabled=bool(executor.problem()),
        help=executor.problem() or None,
    )


def _draw(entry: Entry, values: Values) -> None:
    energies = energy_kept(values)
    rows, columns = matrix_shape(entry)
    even = int(rows * columns / (rows + columns))
    told = ", ".join(
        _("{share} at rank {rank:,}", share=words.percent(share, 0), rank=_rank(energies, share))
        for share in SHARES
    )
    chart(
        figures.spectrum_curve(values, energies, state.colors()),
        "checkpoint_spectrum_chart",
        _("Spectrum of {name}", name=entry.name),
        {_("rank"): range(1, len(values) + 1), "σ": values, _("energy kept"): energies},
    )
    st.caption(
        _("Energy kept: {told}. Two factors are smaller below rank {even:,}.", told=told, even=even)
    )


def _rank(energies: NDArray[np.float64], share: float) -> int:
    """The least rank that keeps this share."""
    return int(energies.searchsorted(share)) + 1


def _ledger(checkpoint: Checkpoint, entry: Entry, steps: Recipe) -> None:
    st.markdown(_("**The byte ledger** of this tensor"))
    found = opened.ledger(checkpoint, entry.name, steps)
    sizes = [line.bytes for line in found.lines]
    st.dataframe(
        {
            _("stored as"): [
                _("{name} (no file)", name=_(of_core(line.name)))
                if line.is_bound
                else _(of_core(line.name))
                for line in found.lines
            ],
            _("bytes"): pd.array(sizes, "Int64"),
            _("× smaller"): [entry.bytes / size if size else None for size in sizes],
        },
        hide_index=True,
        placeholder="—",
        height="content",
        column_config={
            _("bytes"): st.column_config.NumberColumn(format="localized"),
            _("× smaller"): st.column_config.NumberColumn(
                format="%.2f", help=_("Than in its own type.")
            ),
        },
        alt=_("The byte ledger"),
    )
    if found.seen < found.weights:
        st.caption(
            _(
                "≈ scaled up from {seen} of {n} weights; headers are not counted.",
                seen=words.count(found.seen),
                n=words.count(found.weights),
            )
        )
