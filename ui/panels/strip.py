"""The metrics strip over every page: accuracy, bytes, sparsity, multiply-accumulates."""

import zlib
from functools import partial
from typing import Any

import streamlit as st

from compress_core import Recipe
from compress_core.recipe import format_recipe
from ui import wake_up, words
from ui.session import fragments, measuring, state
from ui.session.state import Current

# No option of Streamlit keeps an element in view while the page scrolls, or keeps the place of one
# that is not there: the page below must not jump when an alarm comes or goes.
FRAME_STYLE = """<style>
@media (min-width: 640px) {
  div:has(> .st-key-strip) { position: sticky; top: 3.75rem; z-index: 100; }
}
.st-key-strip { background: light-dark(#FFFFFF, #12161B); }
.st-key-measuring { opacity: 0.4; }
.st-key-alarms { min-height: 3.6rem; justify-content: center; margin-block: -0.5rem; }
</style>"""


def strip() -> Any:
    """The frame of the metrics strip; returns the place of the accuracy, which is filled later."""
    st.html(FRAME_STYLE)
    with st.container(border=True, key="strip"):
        left, right = st.columns([1.9, 4])
        with right:
            sizes()
        return left


@st.fragment(key=fragments.SIZES)
def sizes() -> None:
    """Size, ratio, sparsity and MACs of the present recipe, which is measured from here on."""
    current = state.current()
    size = current.size
    measuring.wish(current.model, current.recipe)
    _pale_others(current)
    columns = st.columns([1.1, 0.9, 1, 1])
    columns[0].metric(
        "Size",
        words.byte_size(size.stored_bytes),
        delta_description=f"of {words.byte_size(size.original_bytes)}",
        help=f"{size.stored_bytes:,} bytes, header included: the file that Combine downloads.",
    )
    columns[1].metric(
        "Ratio",
        words.ratio(size.compression_ratio),
        delta_description="smaller" if size.compression_ratio > 1 else "larger",
        help="Original bytes (dense fp32 safetensors) / stored bytes.",
    )
    columns[2].metric(
        "Sparsity",
        words.percent(size.sparsity),
        delta_description="zeros",
        help="Zeros among the stored weights of the compressible layers.",
    )
    unchanged = size.macs == size.original_macs
    columns[3].metric(
        "MACs",
        words.count(size.macs),
        delta_description="unchanged" if unchanged else f"of {words.count(size.original_macs)}",
        help="Multiply-accumulates of one image. Zeros are still multiplied: only "
        "fewer channels or a factor pair change this number.",
    )


@st.fragment(key=fragments.ACCURACY)
def accuracy() -> None:
    """The score on the images that are measured by now; drawn again when there are more."""
    current = state.current()
    model, recipe = current.model, current.recipe
    if measuring.data_problem(model):
        name = words.metric(measuring.metric(model)).capitalize()
        st.metric(name, "—", delta_description="no test images")
        return
    n = measuring.measured_size(model, recipe, patience_s=measuring.WAIT_S)
    if n:
        st.session_state.score_shown = (current, n)
    with st.container(gap=None, key=_place(current) if n else "measuring"):
        _score_metric(*st.session_state.get("score_shown", (current, 0)), is_old=not n)
        after_s = measuring.next_in_s(model, recipe, n)
        if after_s is not None:
            wake_up.show_after("accuracy_wake_up", after_s, partial(_grow, model, recipe, n))


def _grow(model: str, recipe: Recipe, shown: int) -> None:
    """Draw the accuracy anew; if much more is known by now, also what depends on it."""
    fragments.refresh_accuracy(grown=measuring.grown(model, recipe, shown))


def _place(current: Current) -> str:
    """The key of the accuracy's place, another one for each state."""
    text = f"{current.original.digest} {format_recipe(current.recipe)}"
    return f"accuracy_{zlib.crc32(text.encode()):08x}"


def _pale_others(current: Current) -> None:
    """An accuracy is pale, and says nothing of itself, while the bytes beside it are already those
    of another state."""
    others = f'[class*="st-key-accuracy_"]:not(.st-key-{_place(current)})'
    st.html(
        f"<style>{others} {{ opacity: 0.4 }} "
        f'{others} [data-testid="stMetricDelta"] {{ visibility: hidden }}</style>'
    )


def _score_metric(current: Current, n: int, *, is_old: bool) -> None:
    """The score on n images. If it is an old one, it is pale; if there is none, a dash."""
    if is_old:
        name = words.metric(measuring.metric(current.model)).capitalize()
        before = words.score(measuring.score(current.model, current.recipe, n)[0]) if n else "—"
        st.metric(name, before, delta_description="measuring…")
        return
    found, change = measuring.score(current.model, current.recipe, n)
    exact = "exact, " if n == measuring.test_size(current.model) else ""
    interval = " … ".join(words.measured(found.metric, bound) for bound in (found.low, found.high))
    low, high = (
        words.score_change(found.metric, bound)
        for bound in (change.difference_low, change.difference_high)
    )
    st.metric(
        words.metric(found.metric).capitalize(),
        words.score(found, 2 if exact else 1),
        delta=f"{100 * change.difference:+.2f} pt" if current.recipe else None,
        delta_description=f"{exact}n = {found.n:,}",
        help=f"Right answers on {found.n:,} test images; Wilson 95 % interval {interval}. "
        "Change in percentage points against the original on the same images: "
        f"{change.gained} became right, {change.lost} wrong, 95 % interval {low} … {high}. First "
        "on a few images, as many of each class, in the end on the whole test set.",
    )
