"""What the plane needs measured, as jobs: quick ones at once, the others when somebody asks.

A curve is one job and a time is one, the same for everybody: they outlive page, browser and server,
and the plane grows with them.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import streamlit as st

from compress_core import Recipe
from compress_core.jobs.work import Sweep, Timing
from compress_core.recipe import format_recipe
from compress_core.search.sweep import Family, Row
from ui import wake_up
from ui.core_sentences import of_core
from ui.language import N_, _, n_
from ui.panels.job_bar import job_bar
from ui.session import caches, executor, fragments, jobs, measured

# What a page may have measured unasked: seconds on the digits, whose images are few and small.
UNASKED = 100_000  # images times points
SHOWN_REASONS = 3  # more would push the plane off the screen
MEASURE_HELP = N_(
    "Measured once for everybody, by a process of its own: all pages stay usable, the curves "
    "grow meanwhile, and what is measured is kept."
)

Measuring = Sweep | Timing


def sweeps(model: str, families: Iterable[Family], recipe: Recipe) -> tuple[Sweep, ...]:
    """A job for each curve, and for the original and the present recipe where no curve has them."""
    curves = [family.recipes for family in families]
    on_curves = {known for curve in curves for known in curve}
    singles = [(single,) for single in dict.fromkeys(((), recipe)) if single not in on_curves]
    return tuple(Sweep(model, tuple(map(format_recipe, curve))) for curve in (*singles, *curves))


def points(works: Iterable[Sweep]) -> dict[Recipe, Row]:
    """All that these have measured by now."""
    return {recipe: row for work in works for recipe, row in measured.points(work).items()}


def timings(works: Sequence[Sweep]) -> tuple[Timing, ...]:
    """A job for the time of each recipe that was not refused."""
    refused = {format_recipe(recipe) for recipe, row in points(works).items() if "refused" in row}
    wanted = dict.fromkeys((work.model, text) for work in works for text in work.recipes)
    return tuple(Timing(model, text) for model, text in wanted if text not in refused)


def offer(works: Sequence[Measuring]) -> None:
    """Have measured what is left of these: at once where it is quick, else behind a button; and
    another button measures here what only ships."""
    _submit_quick([work for work in works if _left(work)])
    todo = [work for work in works if _left(work)]
    running = [work for work in works if _is_running(work)]
    if running:
        asked = [work for work in works if work in running or _done(work) == _size(work)]
        progress(asked, sum(map(_done, asked)), running)
    if executor.present():
        with st.container(horizontal=True):
            if idle := [work for work in todo if work not in running]:
                _button(idle)
            if again := [work for work in works if _only_ships(work) and work not in running]:
                _again_button(again)
    for reason in list(dict.fromkeys(_reasons(works, todo)))[:SHOWN_REASONS]:
        told = _("{reason}. What could be measured is there.", reason=reason)
        st.warning(told, title=_("Not measured"))


def _reasons(works: Sequence[Measuring], todo: Sequence[Measuring]) -> Iterator[str]:
    """Why some points cannot be measured, and why some were not."""
    for row in points(work for work in works if isinstance(work, Sweep)).values():
        if "refused" in row:
            yield of_core(row["refused"])
    for job in filter(None, map(jobs.job_of, todo)):
        if job.state == "failed":
            yield of_core(job.reason)
    if todo and (problem := executor.problem()):
        yield problem


def _left(work: Measuring) -> int:
    """How many points or times are still to be measured."""
    if isinstance(work, Sweep):
        return len(set(work.recipes)) - len(measured.points(work))
    job = jobs.job_of(work)
    return int(job is None or job.state != "done")


def _done(work: Measuring) -> int:
    """How many points or times this machine has measured."""
    return len(measured.measured_here(work)) if isinstance(work, Sweep) else 1 - _left(work)


def _only_ships(work: Measuring) -> bool:
    """Whether all points are known, and some of them only because they ship."""
    return not _left(work) and _done(work) < _size(work)


def tell_origin(works: Sequence[Sweep]) -> None:
    """How many points ship with the project, and how many were measured here; nothing where none
    ships."""
    here = {recipe for work in works for recipe in measured.measured_here(work)}
    shipped = {recipe for work in works for recipe in measured.shipped(work)} - here
    if shipped:
        st.caption(
            n_(
                "1 point shipped: measured by the project, on the whole test set, with this same "
                "code. Measured here: {here}.",
                "{n} points shipped: measured by the project, on the whole test set, with this "
                "same code. Measured here: {here}.",
                len(shipped),
                here=len(here),
            )
        )
    elif reason := next((measured.why_none_ship(work.model) for work in works), None):
        st.caption(_("None of these points ships: {reason}.", reason=of_core(reason)))


def _size(work: Measuring) -> int:
    """How many points or times it measures."""
    return len(set(work.recipes)) if isinstance(work, Sweep) else 1


def _images(work: Measuring) -> int:
    return len(caches.test_data(work.model))


def _is_running(work: Measuring) -> bool:
    job = jobs.job_of(work)
    return job is not None and job.unfinished


def _submit_quick(todo: Sequence[Measuring]) -> None:
    """Sweeps that nobody has asked for yet, if all are quick; times are never measured unasked."""
    if executor.present() is None:
        return
    new = [work for work in todo if isinstance(work, Sweep) and jobs.job_of(work) is None]
    if sum(_images(work) * _left(work) for work in new) <= UNASKED:
        jobs.submit_all(new)


@st.fragment
def progress(works: Sequence[Measuring], before: int, running: Sequence[Measuring]) -> None:
    """How far these are, and Stop; the plane is drawn again when more than `before` is measured, or
    one of those `running` has ended."""
    total, done = sum(map(_size, works)), sum(map(_done, works))
    states = {job.state for job in map(jobs.job_of, running) if job}
    waits = "queued" in states and "running" not in states
    job_bar(
        done / total,
        _("{done} of {total} measured: waiting, others measure now", done=done, total=total)
        if waits
        else _("{done} of {total} measured…", done=done, total=total),
        key="trade_offs_stop",
        stop=jobs.stop_all,
        of=running,
        help_text=_("Keeps what is measured so far."),
    )
    wake_up.show("trade_offs_wake_up", wake_up.SECOND, partial(_grow, works, before, running))


def _grow(works: Sequence[Measuring], before: int, running: Sequence[Measuring]) -> None:
    if sum(map(_done, works)) > before or not all(map(_is_running, running)):
        st.rerun([fragments.BODY])


def _button(idle: Sequence[Measuring]) -> None:
    points = sum(_left(work) for work in idle if isinstance(work, Sweep))
    times = sum(isinstance(work, Timing) for work in idle)
    parts = []
    if points:
        parts.append(
            n_(
                "1 point on {images:,} images each",
                "{n} points on {images:,} images each",
                points,
                images=_images(idle[0]),
            )
        )
    if times:
        parts.append(n_("the latency of 1 point", "the latency of {n} points", times))
    st.button(
        _("Measure {what}", what=_(" and ").join(parts)),
        key="trade_offs_measure",
        icon=":material/timer:",
        help=MEASURE_HELP,
        on_click=jobs.submit_all,
        args=(idle,),
    )


def _again_button(works: Sequence[Measuring]) -> None:
    points = sum(map(_size, works))
    shipped = n_(
        "1 point shipped with the project.", "{n} points shipped with the project.", points
    )
    st.button(
        _("Measure again here"),
        key="trade_offs_again",
        icon=":material/refresh:",
        type="tertiary",
        help=f"{shipped} {_(MEASURE_HELP)}",
        on_click=jobs.submit_all,
        args=(works,),
    )
