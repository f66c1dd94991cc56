"""The network in tables: layers, bytes, MACs, and its mistakes."""

import pandas as pd
import streamlit as st

from compress_core.measurement.accuracy import confusion_matrix
from ui import figures, words
from ui.overview.coverage import show_coverage
from ui.panels.chart import chart, layer_column
from ui.panels.images import image_grid
from ui.panels.missing_data import needs_data
from ui.session import measuring, state
from ui.session.state import Current


def details(current: Current) -> None:
    """The network in tables, and what it gets wrong."""
    layer_boxes(current)
    show_coverage(current)
    left, right = st.columns([3, 2])
    with left:
        layer_table(current)
    with right:
        shares(current)
    if not needs_data(current.model):
        mistakes(current)


def layer_boxes(current: Current) -> None:
    """The network as a row of boxes, one a layer."""
    with st.container(horizontal=True, gap="small"):
        for row in current.size.layers:
            with st.container(border=True, width="content"):
                st.markdown(
                    f"**{row.name}**  \n{words.shape(row.shape)}  \n{row.parameters:,} weights"
                )


def layer_table(current: Current) -> None:
    rows, layers = current.size.layers, current.original.layers
    st.markdown("**Layers**")
    st.dataframe(
        pd.DataFrame(
            {
                "layer": [row.name for row in rows],
                "kind": [layers[row.name].kind for row in rows],
                "weights": [row.parameters for row in rows],
                "bytes": [row.bytes for row in rows],
                "MACs": [row.macs for row in rows],
                "sparsity": [100 * row.sparsity for row in rows],
                "histogram of w": [layers[row.name].profile.histogram(31)[0] for row in rows],
            }
        ),
        column_config={
            "layer": layer_column(row.name for row in rows),
            "weights": st.column_config.NumberColumn(format="localized"),
            "bytes": st.column_config.NumberColumn(format="localized", help="In the stored file."),
            "MACs": st.column_config.NumberColumn(format="localized", help="For one image."),
            "sparsity": st.column_config.NumberColumn(format="%.1f %%"),
            "histogram of w": st.column_config.BarChartColumn(help="Of the original weights."),
        },
        hide_index=True,
        placeholder="—",
        alt="Layers with their weights, bytes, MACs, sparsity and histogram",
    )


def shares(current: Current) -> None:
    """Where the bytes and the MACs are."""
    rows = current.size.layers
    parts = {"MACs": [row.macs for row in rows], "bytes": [row.bytes for row in rows]}
    chart(
        figures.shares([row.name for row in rows], parts, state.colors()),
        "overview_shares",
        "Where the bytes and the MACs are",
        {"layer": [row.name for row in rows], **parts},
    )


def mistakes(current: Current) -> None:
    """How the original does, and what the present model gets wrong."""
    n = measuring.telling_size(current.model, current.recipe)
    if not n:
        st.caption(measuring.why_none(current.model, current.recipe))
        return
    data = measuring.test_images(current.model, n)
    classes = measuring.class_tensor(current.model, current.recipe, n)
    baseline, _ = measuring.score(current.model, (), n)
    interval = words.interval(baseline.low, baseline.high)
    st.markdown(
        f"The original is right on **{words.percent(baseline.value, 2)}** of {n:,} test "
        f"images, 95 % interval {interval}."
    )
    left, right = st.columns(2)
    with left:
        counts = confusion_matrix(classes, data).numpy()
        chart(
            figures.confusion(counts, data.class_names, state.colors()),
            "overview_confusion",
            "Mistakes of the present model, true × predicted class",
            {"true class": data.class_names}
            | {name: counts[:, i] for i, name in enumerate(data.class_names)},
        )
    with right:
        st.markdown("**Test images, mistakes first**")
        image_grid(data, classes)
