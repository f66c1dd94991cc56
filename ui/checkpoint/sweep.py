"""All tensors at several bits: a job, its progress, and what it has found so far."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from compress_core.checkpoint import (
    SWEPT_BITS,
    Checkpoint,
    GroupRow,
    SweepRow,
    bit_steps,
    by_group,
    of_whole,
    row_from_json,
)
from compress_core.jobs.job import Job
from compress_core.jobs.work import Weighing, load_points
from ui import figures, words
from ui.checkpoint import opened
from ui.core_sentences import of_core
from ui.language import _, n_
from ui.panels.chart import chart
from ui.panels.job_bar import waiting_for
from ui.session import executor, jobs, state

BEST_DB = 50.0  # the end of the colour scale: beyond it nothing is seen of the error
BITS_OF = dict(zip(bit_steps(), SWEPT_BITS, strict=True))


def show(checkpoint: Checkpoint) -> None:
    """The job's buttons, and the rows that are there."""
    st.markdown(_("**Every tensor at {bits} bits**", bits=", ".join(map(str, SWEPT_BITS))))
    work = Weighing(str(checkpoint.path), checkpoint.identity, bit_steps())
    job = jobs.job_of(work)
    if job is not None and job.unfinished:
        waiting_for(job.id, "checkpoint_sweep", _("End it; what was weighed is kept."))
    else:
        _button(work, job)
    rows = _rows(job)
    if rows:
        _show_rows(checkpoint, rows)


def _button(work: Weighing, job: Job | None) -> None:
    if job is not None and job.state == "failed":
        st.warning(of_core(job.reason), title=_("Not weighed"))
    if job is not None and job.state == "done":
        return
    text = _("Weigh all tensors") if job is None else _("Go on")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            text,
            key="checkpoint_sweep_start",
            icon=":material/play_arrow:",
            on_click=jobs.submit,
            args=(work,),
            disabled=bool(executor.problem()),
            help=executor.problem() or None,
        )
        st.caption(
            _(
                "Affine, one scale for each output channel; some rows of every tensor, encoded for "
                "real and scaled up."
            ),
            width="content",
        )


def _rows(job: Job | None) -> list[SweepRow]:
    """What the job has weighed, also while it runs and after it was stopped."""
    found = executor.present()
    if job is None or found is None:
        return []
    return [row_from_json(row) for row in load_points(found.store.kept(job.id))]


def _show_rows(checkpoint: Checkpoint, rows: Sequence[SweepRow]) -> None:
    groups = by_group(rows, opened.groups(checkpoint))
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _heatmap(groups)
    with right:
        done = len({row.tensor for row in rows})
        _whole(checkpoint, rows, complete=done == len(checkpoint.weights))
        refused = {row.tensor: row.refused for row in rows if row.refused}
        for name, why in list(refused.items())[:3]:
            st.caption(f"{words.escape_markdown(name)}: {of_core(why)}")


def _heatmap(rows: Sequence[GroupRow]) -> None:
    patterns, steps = list(dict.fromkeys(row.pattern for row in rows)), list(BITS_OF)
    values = np.full((len(patterns), len(steps)), np.nan, np.float32)
    for row in rows:
        place = patterns.index(row.pattern), steps.index(row.step)
        values[place] = BEST_DB if row.sqnr_db is None else row.sqnr_db
    picture = figures.heatmap(
        values,
        state.colors(),
        axes=(_("bits"), ""),
        title=_("SQNR, dB"),
        rows=patterns,
        limits=(0.0, BEST_DB),
    )
    picture.update_xaxes(tickvals=list(range(len(steps))), ticktext=list(map(str, SWEPT_BITS)))
    picture.update_traces(texttemplate="%{z:.0f}")
    chart(
        picture,
        "checkpoint_heatmap",
        _("Signal to quantization noise of each group"),
        {
            _("tensors"): [row.pattern for row in rows],
            _("bits"): [BITS_OF[row.step] for row in rows],
            _("bytes"): [row.stored_bytes for row in rows],
            _("of"): [row.own_bytes for row in rows],
            _("SQNR, dB"): [row.sqnr_db for row in rows],
        },
    )


def _whole(checkpoint: Checkpoint, rows: Sequence[SweepRow], *, complete: bool) -> None:
    st.markdown(_("**The whole checkpoint**"))
    found = of_whole(rows, checkpoint)
    st.dataframe(
        {
            _("bits"): [BITS_OF[row.step] for row in found],
            _("bytes"): [words.byte_size(row.stored_bytes) for row in found],
            _("× smaller"): [row.own_bytes / row.stored_bytes for row in found],
            _("SQNR, dB"): [row.sqnr_db for row in found],
        },
        hide_index=True,
        placeholder="—",
        height="content",
        column_config={
            _("× smaller"): st.column_config.NumberColumn(format="%.2f"),
            _("SQNR, dB"): st.column_config.NumberColumn(format="%.1f"),
        },
        alt=_("The whole checkpoint at each width"),
    )
    seen = sum(row.weighed.seen for row in rows if row.weighed)
    weights = sum(row.weighed.weights for row in rows if row.weighed)
    st.caption(
        _(
            "Of {size}; scaled up from {share} of the weights.",
            share=words.percent(seen / weights),
            size=words.byte_size(checkpoint.bytes),
        )
    )
    if not complete:
        n = len(checkpoint.weights) - len({row.tensor for row in rows})
        st.caption(
            n_(
                "1 tensor is not weighed yet: it counts as it is.",
                "{n} tensors are not weighed yet: they count as they are.",
                n,
            )
        )
