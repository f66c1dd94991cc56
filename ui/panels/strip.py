"""The line over every page: score, bytes, sparsity, multiply-accumulates, alarms.

Each number says for which model and recipe it is, and its value, as attributes of its element:
while one drags, the live picture lays its estimates over the numbers, and its small plane takes the
measured point from here (`strip.js`).
"""

from collections.abc import Sequence
from functools import partial
from html import escape
from typing import Any

import streamlit as st

from compress_core import MODELS, Recipe
from compress_core.measurement.accuracy import PairedDifference
from compress_core.measurement.report import Size
from compress_core.measurement.scores import Score
from compress_core.recipe import of_kinds
from ui import wake_up, words
from ui.core_sentences import of_core
from ui.language import N_, _
from ui.panels.missing_data import needs_data
from ui.session import fragments, measuring, state
from ui.session.state import ROOT, Current

STYLE = ROOT / "ui" / "frame.css"
UNCHANGED = N_("unchanged")
ERRAND_S = 4.0  # after which it is looked whether an errand has come back


def strip() -> tuple[Any, Any]:
    """The frame of the line; returns the places of score and alarms, which are filled later."""
    st.html(STYLE)
    with st.container(horizontal=True, key="strip"):
        score_place = st.container(width="content", key="score")
        with st.container(width="content"):
            sizes()
        return score_place, st.container(key="alarms")


@st.fragment(key=fragments.SIZES)
def sizes() -> None:
    """Size, ratio, sparsity and MACs of the present recipe, which is measured from here on."""
    current = state.current()
    size, is_untouched = current.size, not current.recipe
    measuring.wish(current.model, current.recipe)
    cells = (
        _cell(
            current,
            "bytes",
            (size.stored_bytes,),
            words.byte_size(size.stored_bytes),
            _(UNCHANGED) if is_untouched else words.smaller(size.compression_ratio),
            _("of {size}", size=words.byte_size(size.original_bytes)),
            _(
                "Size: {stored:,} bytes, header included: the stored file of Take home. "
                "Ratio: original bytes (dense fp32 safetensors) / stored bytes.",
                stored=size.stored_bytes,
            ),
        ),
        _cell(
            current,
            "sparsity",
            (size.sparsity,),
            words.percent(size.sparsity),
            "",
            _("zeros"),
            _("Sparsity: zeros among the stored weights of the compressible layers."),
        ),
        _cell(
            current,
            "macs",
            (size.macs,),
            words.count(size.macs),
            "",
            _macs_before(size),
            _(
                "Multiply-accumulates of one image. Zeros are still multiplied: only fewer "
                "channels or a factor pair change this number."
            ),
        ),
    )
    st.html(f'{_pale_others(current)}<div class="strip">{"".join(cells)}</div>', width="content")


def _pale_others(current: Current) -> str:
    """While these bytes stand beside the score of another state, that one is pale, and does not say
    of how many images it is."""
    others = f'.strip .score:not([data-of="{current.label}"])'
    pale = f"{others} .what {{ opacity: 0.55 }} {others} .below {{ visibility: hidden }}"
    return f"<style>{pale}</style>"


def _macs_before(size: Size) -> str:
    if size.macs == size.original_macs:
        return _("MACs")
    return _("MACs of {original}", original=words.count(size.original_macs))


@st.fragment(key=fragments.ACCURACY)
def accuracy() -> None:
    """The score on the images that are measured by now; drawn again when there are more."""
    current = state.current()
    model, recipe = current.model, current.recipe
    name = words.metric(measuring.metric(model)).capitalize()
    if measuring.data_problem(model):
        _no_images(current, name)
        return
    with st.container(gap=None):
        n = measuring.measured_size(model, recipe, patience_s=measuring.WAIT_S)
        problem = measuring.problem(model, recipe)
        cell = _score_cell(current, n) if n else _cell_without(current, name, problem)
        st.html(f'<div class="strip{"" if n else " old"}">{cell}</div>', width="content")
        after_s = None if problem else measuring.next_in_s(model, recipe, n)
        if after_s is None and measuring.waits_for_errand():
            after_s = ERRAND_S
        if after_s is not None:
            wake_up.show_after("accuracy_wake_up", after_s, partial(_grow, model, recipe, n))


def _no_images(current: Current, name: str) -> None:
    """A dash, and beside it on every page the way to the test images."""
    missing = _("Without test images nothing is measured but bytes, sparsity and MACs.")
    if current.model not in MODELS:
        below = _("not measured: weights only")
        cell = _cell(current, "score", (), "—", "", below, missing)
        st.html(f'<div class="strip">{cell}</div>', width="content")
        return
    below = _("{metric}: no test images", metric=name)
    cell = _cell(current, "score", (), "—", "", below, missing)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(f'<div class="strip">{cell}</div>', width="content")
        with st.popover(_("Get them"), icon=":material/download:", key="get_images"):
            needs_data(current.model, key="download_images")


def _grow(model: str, recipe: Recipe, shown: int) -> None:
    """Where much more is known by now, what depends on it is drawn anew, too."""
    errand, gains = measuring.take_errand(), bool(of_kinds(recipe, ("recalibrate",)))
    if errand or measuring.grown(model, recipe, shown):
        fragments.refresh_measured(body=errand or gains)


def _cell_without(current: Current, name: str, problem: str) -> str:
    """Where there is no number: why there will be none, or that it is on its way."""
    if not problem:
        return _waiting_cell(current, name)
    said = of_core(problem)
    below = _("{metric} cannot be measured: {problem}", metric=name, problem=said)
    return _cell(current, "score", (), "—", "", below, said)


def _waiting_cell(current: Current, name: str) -> str:
    """The last score, while there is none of the present state; a dash where there was none."""
    of, before = st.session_state.get("score_text", ("", "—"))
    before = before if of == current.model else "—"
    text = _("No image is measured yet: the server measures for others, for each in turn.")
    below = _("{metric}: being measured…", metric=name)
    return _cell(current, "score", (), before, "", below, text)


def _score_cell(current: Current, n: int) -> str:
    found, change = measuring.score(current.model, current.recipe, n)
    exact = n == measuring.test_size(current.model)
    shown = words.score(found, 2 if exact else 1)
    st.session_state.score_text = current.model, shown
    images = N_("{metric}, exact, n = {n:,}") if exact else N_("{metric}, n = {n:,}")
    return _cell(
        current,
        "score",
        (found.value, found.low, found.high, found.n),
        shown,
        words.point_change(found.metric, change.difference) if current.recipe else _(UNCHANGED),
        _(images, metric=words.metric(found.metric).capitalize(), n=found.n),
        _score_help(found, change),
        worse=found.kind.lost(change.difference) > 0,
    )


def _score_help(found: Score, change: PairedDifference) -> str:
    interval = " … ".join(words.measured(found.metric, bound) for bound in (found.low, found.high))
    low, high = (
        words.score_change(found.metric, bound)
        for bound in (change.difference_low, change.difference_high)
    )
    if change.gained is None:
        return _(
            "{metric} on {n:,} rows; 95 % interval {interval}. Change against the original on the "
            "same rows: 95 % interval {low} … {high}.",
            metric=words.metric(found.metric).capitalize(),
            n=found.n,
            interval=interval,
            low=low,
            high=high,
        )
    return _(
        "{metric} on {n:,} test images; Wilson 95 % interval {interval}. Change in percentage "
        "points against the original on the same images: {gained} became right, {lost} wrong, "
        "95 % interval {low} … {high}. First on a few images, as many of each class, in the end "
        "on the whole test set.",
        metric=words.metric(found.metric).capitalize(),
        n=found.n,
        interval=interval,
        gained=change.gained,
        lost=change.lost,
        low=low,
        high=high,
    )


def _cell(
    current: Current,
    name: str,
    values: Sequence[float],
    what: str,
    beside: str,
    below: str,
    text: str,
    *,
    worse: bool = False,
) -> str:
    """A number with what stands beside and below it, as HTML; `text` explains it on hover and
    focus. `values` are for strip.js: the number, and of a score its interval and n."""
    numbers = " ".join(map(str, values))
    tone = " worse" if worse else ""
    return (
        f'<div class="{name}" data-strip="{name}" data-of="{current.label}" '
        f'data-values="{numbers}" data-estimated="{escape(_("estimate"))}" '
        f'tabindex="0"><div class="what"><span>{escape(what)}</span> '
        f'<span class="beside{tone}">{escape(beside)}</span></div>'
        f'<div class="below">{escape(below)}</div>'
        f'<span class="tip" role="tooltip">{escape(text)}</span></div>'
    )
