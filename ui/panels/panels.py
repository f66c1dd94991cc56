"""What pages share: sidebar, metrics strip, notices, a chart with its table, the missing data."""

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from compress_core import MODELS, DataError, Recipe
from compress_core.data import IDX_DATASETS, Dataset, download
from compress_core.methods.step import ALL_LAYERS
from compress_core.views.alarms import Alarm
from compress_core.wording.alarms import alarm_in_words
from ui import presenter, wake_up, words
from ui.panels import skipped
from ui.session import fragments, history, recipe_field, snapshots, state
from ui.session.state import Current

# No option of Streamlit keeps an element in view while the page scrolls, or keeps the place of one
# that is not there: the page below must not jump when an alarm comes or goes.
FRAME_STYLE = """<style>
@media (min-width: 640px) {
  div:has(> .st-key-strip) { position: sticky; top: 3.75rem; z-index: 100; }
}
.st-key-strip { background: light-dark(#FFFFFF, #12161B); }
.st-key-alarms { min-height: 3.6rem; justify-content: center; margin-block: -0.5rem; }
</style>"""
ALARM_ICONS = {
    "chance": ":material/casino:",
    "collapsed": ":material/block:",
    "no_effect": ":material/do_not_disturb_on:",
    "bytes_up": ":material/trending_up:",
}
Columns = Mapping[str, Any]  # a name and its values, any kind of array


def sidebar() -> None:
    """Model picker, the recipe, the presenter's switch."""
    with st.sidebar:
        st.selectbox(
            "Model",
            list(MODELS),
            key="model",
            bind="query-params",
            help="A trained network and its test set. The recipe stays when you change it.",
        )
        st.caption(MODELS[st.session_state.model].description)
        recipe()
        presenter.toggle()


@st.fragment(key=fragments.RECIPE)
def recipe() -> None:
    """The recipe in words with a way out of each step, and as text."""
    recipe_field.settle_recipe_text()
    recipe_field.assert_bound("recipe")
    steps = st.container()  # drawn after the text field: back and forward change that one
    st.text_input(
        "Recipe as text",
        key="recipe",
        bind="query-params",
        placeholder="prune:sparsity=0.9;quantize:bits=5",
        on_change=fragments.refresh,
        help="The same recipe as on the command line, steps joined by `;`. Edit, copy or "
        "paste it; the address of this page carries it too.",
    )
    with steps:
        _recipe_list(recipe_field.session_recipe())
    error = recipe_field.recipe_error()
    if error:
        st.error(f"{error}. The last recipe that could be read is shown.", title="Not a recipe")


def _recipe_list(recipe: Recipe) -> None:
    st.markdown("**Recipe**")
    if not recipe:
        st.caption("Nothing yet: the model as it was trained. Each method's page adds a step.")
    left_out = state.current().compressed.skipped
    for i, step in enumerate(recipe, start=1):
        text, button = st.columns([7, 1], vertical_alignment="center", gap="small")
        text.markdown(f"{i}. {words.describe(step)}")
        button.button(
            ":material/close:",
            key=f"remove_step_{i}",
            type="tertiary",
            help=f"Remove step {i}: {words.describe(step)}",
            on_click=_drop_step,
            args=(i - 1,),
        )
        skipped.show(step, left_out, key=f"left_out_{i}")
    with st.container(horizontal=True, gap="xsmall", key="recipe_row"):
        history.buttons()
        st.button(
            "Start over",
            key="start_over",
            help="Takes all steps out of the recipe.",
            disabled=not recipe,
            on_click=recipe_field.set_recipe,
            args=((),),
        )
        snapshots.pin_button()
    snapshots.menu()


def _drop_step(index: int) -> None:
    recipe = recipe_field.session_recipe()
    recipe_field.set_recipe((*recipe[:index], *recipe[index + 1 :]))


@st.fragment(key=fragments.ALARMS)
def alarms() -> None:
    """What the address or the recipe asked for and could not have, and what went wrong."""
    current = state.current()
    _notices(current)
    with st.container(key="alarms"):
        _alarms(state.current_alarms(current))


def _notices(current: Current) -> None:
    for text in st.session_state.notices:
        st.warning(text, icon=":material/link_off:")
    if st.session_state.notices:
        st.button(
            "Dismiss",
            key="dismiss_notices",
            help="Takes these notices away.",
            on_click=st.session_state.notices.clear,
        )
    for refusal in current.refusals:
        st.error(
            f"{refusal.reason}. The other steps are shown without it.",
            title=f"Left out: {words.describe(refusal.step)}",
        )


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
    """Size, ratio, sparsity and MACs of the present recipe."""
    size = state.current().size
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
    """Accuracy on the subset at once; on the whole test set as soon as the background has it."""
    current = state.current()
    if state.data_problem(current.model):
        st.metric("Accuracy", "—", delta_description="no test images")
        return
    with st.container(gap=None):
        n = state.measured_size(current.model, current.recipe)
        _accuracy_metric(current, n)
        waiting = state.wait_for_exact(current, shown=n)
        if waiting is not None:
            wake_up.show("accuracy_wake_up", waiting)


def _accuracy_metric(current: Current, n: int) -> None:
    found, change = state.accuracy(current.model, current.recipe, n)
    half = (found.accuracy_high - found.accuracy_low) / 2
    exact = "exact, " if n == state.test_size(current.model) else ""
    interval = words.interval(found.accuracy_low, found.accuracy_high)
    low, high = 100 * change.difference_low, 100 * change.difference_high
    st.metric(
        "Accuracy",
        f"{words.percent(found.accuracy, 2 if exact else 1)} ± {100 * half:.1f}",
        delta=f"{100 * change.difference:+.2f} pt" if current.recipe else None,
        delta_description=f"{exact}n = {found.n:,}",
        help=f"Right answers on {found.n:,} test images; Wilson 95 % interval {interval}. "
        "Change in percentage points against the original on the same images: "
        f"{change.gained} became right, {change.lost} wrong, 95 % interval {low:+.2f} … "
        f"{high:+.2f} points. First on a class-balanced subset, then, in the background, on the "
        "whole test set.",
    )


def _alarms(found: Sequence[Alarm]) -> None:
    """The gravest alarm, the others behind a button; else a quiet line: nothing may jump."""
    if not found:
        st.caption(":material/check_circle: No alarms: no layer collapsed, no step without effect.")
        return
    gravest, *others = found
    with st.container(horizontal=True, vertical_alignment="center"):
        st.warning(alarm_in_words(gravest, words.describe), icon=ALARM_ICONS[gravest.kind])
        if others:
            with st.popover(f"{len(others)} more", key="more_alarms"):
                for alarm in others:
                    st.warning(alarm_in_words(alarm, words.describe), icon=ALARM_ICONS[alarm.kind])


def chart(figure: go.Figure, key: str, title: str, table: Columns | None, **options: Any) -> Any:
    """A chart under its title, and the same numbers as a table for those who read; None where a
    table below tells them for several charts."""
    if presenter.on():
        presenter.enlarge(figure)
    st.markdown(f"**{title}**")
    event = st.plotly_chart(
        figure,
        key=key,
        alt=title,
        config={"displaylogo": False, "displayModeBar": False},
        **options,
    )
    if table is not None:
        twin(key, title, table)
    return event


def twin(key: str, title: str, table: Columns) -> None:
    """What a picture shows, as a table behind a click; not for the projector."""
    if presenter.on():
        return
    closed = st.expander("As a table", key=f"{key}_table", type="compact", on_change="rerun")
    if closed.open:
        closed.dataframe(pd.DataFrame(dict(table)), hide_index=True, alt=f"{title}, as a table")


def heading(title: str, sentence: str, formula: str) -> None:
    """A page's title, its one sentence, and its one formula, which wraps where it is narrow."""
    if presenter.on():  # the room has the sentence from the one who presents
        with st.container(horizontal=True, vertical_alignment="center", gap="large"):
            st.title(title, anchor=False, width="content")
            st.latex(formula, width="content")
        return
    st.title(title, anchor=False)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(sentence, width=560)
        st.latex(formula, width="content")


def exceptions(current: Current, kind: str) -> None:
    """A line on the layers that have a step of their own, which a page's controls do not show."""
    steps = current.compressed.winners(kind)
    own = {name: step for name, step in steps.items() if step.layers != ALL_LAYERS}
    if own:
        listed = "; ".join(f"{name}: {words.describe(step)}" for name, step in own.items())
        st.caption(f"With a step of their own: {listed}.")


def needs_data(model: str) -> bool:
    """True, with the remedy on the page, where the test images cannot be read on this machine."""
    problem = state.data_problem(model)
    if problem is None:
        return False
    files = IDX_DATASETS[state.dataset_name(model)]
    st.warning(problem, title=f"{files.title} cannot be read on this machine")
    if st.button(
        f"Download {files.title} ({files.download_bytes / 1e6:.0f} MB)",
        key="download_data",
        icon=":material/download:",
        help="The official files, into your user's cache; checked by their checksums.",
    ):
        bar = st.progress(0.0, text="Connecting…")
        try:
            download(files.folder, lambda file, done: _move(bar, file, done))
        except DataError as error:
            bar.empty()
            st.error(str(error), title="The download failed")
        else:
            st.rerun()
    return True


def _move(bar: Any, file: str, done: float) -> None:
    bar.progress(min(done, 1.0), text=file)


def image_grid(data: Dataset, classes: Tensor, *, limit: int = 12) -> None:
    """Some test images with true and predicted class, wrong ones first."""
    wrong_first = (classes == data.labels).int().argsort(stable=True)[:limit]
    with st.container(horizontal=True, gap="small"):
        for index in wrong_first.tolist():
            true, found = (data.class_names[int(c[index])] for c in (data.labels, classes))
            right = true == found
            text = f":material/check: {true}" if right else f"{true} → :orange[**{found}**]"
            captioned(data.images[index], text, alt=f"a {true}, taken for {found}")


def captioned(image: Tensor, text: str, *, alt: str, width: int = 92) -> None:
    """One test image over its caption, a tile of a grid."""
    with st.container(width=width, gap=None):
        st.image(_address_of(picture(image)), width=72, alt=alt)
        st.caption(text)


def _address_of(pixels: NDArray[np.uint8]) -> str:
    """The picture itself as an address: a file of Streamlit's may be gone when a browser that has
    turned the page asks for it."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def picture(image: Tensor) -> NDArray[np.uint8]:
    """A grey image (1, H, W) in [0, 1], enlarged by whole pixels to about 72."""
    pixels = (image[0] * 255).byte()
    factor = max(1, 72 // pixels.shape[0])
    enlarged: NDArray[np.uint8] = (
        pixels.repeat_interleave(factor, 0).repeat_interleave(factor, 1).numpy()
    )
    return enlarged
