"""A training on its way: progress, curves and weights, as its job tells them, and Stop.

Only what is shown here runs again, once a second, and only while the job does.
"""

from collections.abc import Sequence

import streamlit as st

from compress_core.events import Epoch, Event
from compress_core.jobs.job import Job
from compress_core.recipe import format_step, parse_step
from compress_core.steps import AnyStep
from compress_core.tasks import METRICS
from ui import figures, wake_up, words
from ui.core_sentences import of_core
from ui.language import _
from ui.panels.chart import chart
from ui.panels.job_bar import job_bar
from ui.recover import progress
from ui.session import jobs, measuring, state, values
from ui.session.state import Current


@st.fragment
def show(current: Current, job_id: str) -> None:
    """The job as it is now; when it has ended, the whole app shows what came of it."""
    job = jobs.find(job_id)
    if job is None or not job.unfinished:
        st.rerun()
    events = jobs.events(job)
    _bar(job, events, current.waiting[0])
    run = progress.present_run(events)
    if run:
        layer = _numbers(current, run, progress.seconds_left(events))
        _pictures(current, run, layer)
    wake_up.show("recover_wake_up", wake_up.SECOND)


def _bar(job: Job, events: Sequence[Event], titled: AnyStep) -> None:
    """How far the step is that is being trained; `titled` has its name above."""
    told = progress.last_progress(events)
    job_bar(
        told.fraction if told else 0.0,
        _in_words(job, told.text if told else "", titled),
        key="recover_stop",
        stop=jobs.stop,
        of=job,
        help_text=_stop_help(job),
    )


def _in_words(job: Job, told: str, titled: AnyStep) -> str:
    if job.state == "queued":
        return _("Waiting: others train now")
    if not told:
        return _("Starting a process of its own")
    step, how_far = told.rpartition(": ")[::2]
    if step in {"", format_step(titled)}:
        return of_core(how_far)
    named = words.describe(parse_step(step))
    return _("{step}: {how_far}", step=named, how_far=of_core(how_far))


def _stop_help(job: Job) -> str:
    if set(job.users) > {jobs.user()}:
        return _("Others wait for it too: it goes on for them.")
    return _("Ends it after the batch that it works on. Resume goes on from the last epoch.")


def _numbers(current: Current, run: Sequence[Epoch], left: float | None) -> str:
    """The last epoch in numbers, and beside them the choice of the layer that is drawn."""
    last, kind = run[-1], measuring.metric(current.model)
    columns = st.columns([1, 1, 0.8, 1, 0.9, 1, 1.3])
    columns[0].metric(_("Epoch"), _("{n} of {total}", n=last.epoch, total=last.epochs))
    columns[1].metric(_("Time left"), "…" if left is None else words.seconds(left))
    columns[2].metric(_("Loss"), f"{last.loss:.3g}")
    columns[3].metric(
        words.metric(kind).capitalize(),
        words.measured(kind, last.accuracy),
        help=_("On training images that are held out; the test images are for the end."),
    )
    columns[4].metric(_("Zeros"), words.percent(last.sparsity))
    if last.stored_bytes is not None:
        columns[5].metric(_("Size"), words.byte_size(last.stored_bytes))
    with columns[6]:
        return choose_layer(run)


def _pictures(current: Current, run: Sequence[Epoch], layer: str) -> None:
    """The curves so far, and the weights of a layer after the last epoch."""
    left, right = st.columns(2)
    with left:
        curves(current, {_("this training"): run})
    with right:
        frames = [frame for epoch in run for frame in epoch.frames if frame.layer == layer]
        chart(
            figures.weights_of_epoch(frames[-1], state.colors(), top=figures.tallest(frames)),
            "recover_weights",
            _("Weights of {layer}, zeros left out", layer=layer),
            None,
        )


def curves(current: Current, runs: dict[str, Sequence[Epoch]]) -> None:
    """Loss and score of one or two trainings in one chart."""
    kind = measuring.metric(current.model)
    share = METRICS[kind].is_share
    name = _("{metric}, %", metric=words.metric(kind)) if share else words.metric(kind)
    rows = [(run, epoch) for run, epochs in runs.items() for epoch in epochs]
    chart(
        figures.training_curves(runs, state.colors(), metric=name),
        "recover_curves",
        _("Loss, and accuracy on held-out training images"),
        {
            _("training"): [run for run, _ in rows],
            _("epoch"): [epoch.epoch for _, epoch in rows],
            _("loss"): [epoch.loss for _, epoch in rows],
            name: [(100 if share else 1) * epoch.accuracy for _, epoch in rows],
            _("zeros, %"): [100 * epoch.sparsity for _, epoch in rows],
            _("bytes"): [epoch.stored_bytes for _, epoch in rows],
            _("seconds"): [epoch.seconds for _, epoch in rows],
        },
    )


def choose_layer(run: Sequence[Epoch]) -> str:
    """Whose weights are drawn: the weight with most values that are not zero, to begin with."""
    frames = sorted(run[-1].frames, key=lambda frame: -sum(frame.counts))
    names = [frame.layer for frame in frames]
    value = values.chosen("recover_layer", names)
    values.repair("recover_layer", value)
    st.selectbox(_("Weights of"), names, key="recover_layer", persist_state="session")
    return value
