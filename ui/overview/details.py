"""The network in tables: layers, bytes, MACs, and its mistakes."""

import pandas as pd
import streamlit as st

from compress_core.measurement.accuracy import confusion_matrix
from ui import figures, words
from ui.language import _
from ui.overview.coverage import show_coverage
from ui.panels.chart import chart, layer_column
from ui.panels.images import image_grid, shows_images
from ui.panels.missing_data import needs_data
from ui.session import measuring, state
from ui.session.state import Current

MOST_CLASSES = 50  # in one matrix of mistakes


def details(current: Current) -> None:
    """The network in tables, and what it gets wrong."""
    layer_boxes(current)
    show_coverage(current)
    left, right = st.columns([3, 2])
    with left:
        layer_table(current)
    with right:
        shares(current)
    if not needs_data(current.model) and measuring.metric(current.model) == "accuracy":
        mistakes(current)


def layer_boxes(current: Current) -> None:
    """The network as a row of boxes, one a layer."""
    with st.container(horizontal=True, gap="small"):
        for row in current.size.layers:
            with st.container(border=True, width="content"):
                weights = _("{n:,} weights", n=row.parameters)
                st.markdown(f"**{row.name}**  \n{words.shape(row.shape)}  \n{weights}")


def layer_table(current: Current) -> None:
    rows, layers = current.size.layers, current.original.layers
    st.markdown(_("**Layers**"))
    st.dataframe(
        pd.DataFrame(
            {
                _("layer"): [row.name for row in rows],
                _("kind"): [layers[row.name].kind for row in rows],
                _("weights"): [row.parameters for row in rows],
                _("bytes"): [row.bytes for row in rows],
                _("MACs"): [row.macs for row in rows],
                _("sparsity"): [100 * row.sparsity for row in rows],
                _("histogram of w"): [layers[row.name].profile.histogram(31)[0] for row in rows],
            }
        ),
        column_config={
            _("layer"): layer_column(row.name for row in rows),
            _("weights"): st.column_config.NumberColumn(format="localized"),
            _("bytes"): st.column_config.NumberColumn(
                format="localized", help=_("In the stored file.")
            ),
            _("MACs"): st.column_config.NumberColumn(format="localized", help=_("For one image.")),
            _("sparsity"): st.column_config.NumberColumn(format="%.1f %%"),
            _("histogram of w"): st.column_config.BarChartColumn(
                help=_("Of the original weights.")
            ),
        },
        hide_index=True,
        placeholder="—",
        alt=_("Layers with their weights, bytes, MACs, sparsity and histogram"),
    )


def shares(current: Current) -> None:
    """Where the bytes and the MACs are."""
    rows = current.size.layers
    parts = {_("MACs"): [row.macs for row in rows], _("bytes"): [row.bytes for row in rows]}
    chart(
        figures.shares([row.name for row in rows], parts, state.colors()),
        "overview_shares",
        _("Where the bytes and the MACs are"),
        {_("layer"): [row.name for row in rows], **parts},
    )


def mistakes(current: Current) -> None:
    """How the original does, and what the present model gets wrong."""
    n = measuring.telling_size(current.model, current.recipe)
    if not n:
        st.caption(measuring.why_none(current.model, current.recipe))
        return
    data = measuring.test_images(current.model, n)
    classes = measuring.class_tensor(current.model, current.recipe, n)
    baseline = measuring.score(current.model, (), n)[0]
    interval = words.interval(baseline.low, baseline.high)
    st.markdown(
        _(
            "The original is right on **{share}** of {n:,} test images, 95 % interval {interval}.",
            share=words.percent(baseline.value, 2),
            n=n,
            interval=interval,
        )
    )
    if len(data.class_names) > MOST_CLASSES:
        return
    left, right = st.columns(2)
    with left:
        counts = confusion_matrix(classes, data).numpy()
        names = list(map(words.class_name, data.class_names))
        chart(
            figures.confusion(counts, names, state.colors()),
            "overview_confusion",
            _("Mistakes of the present model, true × predicted class"),
            {_("true class"): names} | {name: counts[:, i] for i, name in enumerate(names)},
        )
    with right:
        if shows_images(data):
            st.markdown(_("**Test images, mistakes first**"))
            image_grid(data, classes)
