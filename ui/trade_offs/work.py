"""Measuring the points of the plane: quick ones at once, the others on request, in slices.

A rerun of a fragment does not interrupt running work; only a rerun of the whole app does. So long
work stands in the page's script, outside its fragment, and ends after each slice. Stop acts before
the next point, any other click after the slice, and the curves grow meanwhile.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import streamlit as st

from compress_core import Recipe, load_dataset
from ui import words
from ui.panels.latency import latencies
from ui.session import caches
from ui.session.points import measured_points

# What a page may measure unasked: a few seconds on the digits, whose images are few and small.
UNASKED = 100_000  # images times points
SLICE_S = 2.0  # of work, then the whole app runs anew, which takes a tenth of that
MEASURE_HELP = "The curves appear when they are measured; this is done once for everybody."
# what is to be done, in words; how, with a callback for the time that it waits for its turn
Job = tuple[str, Callable[[Callable[[], object]], object]]


def offer(model: str, recipes: Sequence[Recipe], *, latency: bool = False) -> None:
    """Measure what is not measured yet: at once where it is quick, else behind a button.

    With `latency` each recipe is also timed, which is never done unasked.
    """
    wanted = model, tuple(dict.fromkeys(recipes)), latency
    st.session_state.trade_offs_wanted = wanted
    points, times = missing(*wanted)
    images = len(load_dataset(caches.dataset_name(model)))
    with st.container():  # the chart below keeps its place
        if not times and images * len(points) <= UNASKED:
            _measure_at_once(jobs(*wanted))
        elif asked_for(model) is None:
            st.button(
                _question(len(points), images, len(times)),
                key="trade_offs_measure",
                icon=":material/timer:",
                help=MEASURE_HELP,
                on_click=_ask,
                args=(model,),
            )


def missing(
    model: str, recipes: Sequence[Recipe], latency: bool
) -> tuple[list[Recipe], list[Recipe]]:
    """The recipes without a point, and, where latency is wanted, those without a time."""
    points, speeds = measured_points(), latencies()
    untimed = [recipe for recipe in recipes if latency and not speeds.known(model, recipe)]
    return [recipe for recipe in recipes if not points.known(model, recipe)], untimed


def jobs(model: str, recipes: Sequence[Recipe], latency: bool) -> list[Job]:
    """What is left to do, the points first."""
    points, times = missing(model, recipes, latency)
    return [
        *((words.describe_recipe(recipe), partial(_point, model, recipe)) for recipe in points),
        *(
            (f"latency of {words.describe_recipe(recipe)}", partial(_time, model, recipe))
            for recipe in times
        ),
    ]


def _point(model: str, recipe: Recipe, _waiting: Callable[[], object]) -> None:
    measured_points().measure(model, recipe)


def _time(model: str, recipe: Recipe, waiting: Callable[[], object]) -> None:
    latencies().measure(model, recipe, waiting)


def _question(points: int, images: int, times: int) -> str:
    parts = [f"{points} point{'s' * (points > 1)} on {images:,} images each"] * (points > 0)
    parts += [f"the latency of {times} point{'s' * (times > 1)}"] * (times > 0)
    return f"Measure {' and '.join(parts)}"


def _measure_at_once(todo: Sequence[Job]) -> None:
    """Under a progress bar, which goes again."""
    if todo:
        bar = st.progress(0.0, text="Measuring…")
        for i, job in enumerate(todo):
            if not _do(job, i, len(todo), bar):
                return
        bar.empty()


def _ask(model: str) -> None:
    st.session_state.trade_offs_asked = model, 0
    st.rerun()


def _stop() -> None:
    st.session_state.trade_offs_asked = None


def asked_for(model: str) -> int | None:
    """How many jobs are done since this model was asked for; None where it was not."""
    asked = st.session_state.get("trade_offs_asked")
    return asked[1] if asked and asked[0] == model else None


def go_on() -> None:
    """A slice of the work that was asked for. Stands outside of every fragment."""
    model, recipes, latency = st.session_state.get("trade_offs_wanted", ("", (), False))
    done = asked_for(model)
    todo = jobs(model, recipes, latency) if done is not None else []
    if done is None or not todo:
        _stop()
        return
    bar = st.progress(0.0, text="Measuring…")
    st.button("Stop", key="trade_offs_stop", on_click=_stop, help="Keeps what is measured so far.")
    end, total = time.monotonic() + SLICE_S, done + len(todo)
    for i, job in enumerate(todo, start=done):
        if not _do(job, i, total, bar):
            _stop()
            return
        st.session_state.trade_offs_asked = model, i + 1
        if time.monotonic() > end:
            break
    st.rerun()


def _do(job: Job, done: int, total: int, bar: Any) -> bool:
    """One job; False, with the reason on the page, where it cannot be done."""
    text, act = job
    show = partial(bar.progress, done / total)
    show(text=f"{done + 1} of {total}: {text}")
    try:
        act(partial(show, text=f"{done + 1} of {total}: waiting, others measure now"))
    except ValueError as error:
        st.warning(f"{error}. The other points are there.", title=f"Not measured: {text}")
        return False
    return True
