"""Combine: the bytes by layer, by part of the file, and by stage."""

import streamlit as st

from ui import figures
from ui.combine import stages
from ui.language import N_, _
from ui.panels.chart import chart
from ui.panels.widgets import choose
from ui.session import caches, measuring, state
from ui.session.state import Current

FILES = (N_("plain until encoded"), N_("coded after each stage"))
FILES_HELP = N_(
    "plain until encoded: every weight at full width until the last stage, so that zeros save "
    "nothing before they are coded. coded after each stage: as small as the file gets each time."
)


def show(current: Current) -> None:
    files = choose(
        _("Files in between"),
        FILES,
        "combine_files",
        _(FILES_HELP),
        on_change=lambda: None,
        width=240,
    )
    left, right = st.columns(2)
    with left:
        layers_before_after(current)
    with right:
        stage_by_stage(current, files)


def layers_before_after(current: Current) -> None:
    """Bytes of each layer, and where in the file they are."""
    rows, size, colors = current.size.layers, current.size, state.colors()
    names = [row.name for row in rows]
    before, after = [row.original_bytes for row in rows], [row.bytes for row in rows]
    chart(
        figures.bytes_before_after(names, before, after, colors),
        "combine_bytes",
        _("Bytes of each layer"),
        {
            _("layer"): names,
            _("original"): before,
            _("compressed"): after,
            _("encoding"): [", ".join(row.encodings) for row in rows],
        },
    )
    rest = size.original_bytes - sum(before)
    parts = {  # from the bottom up
        _("compressed"): [*after, size.rest_bytes + size.header_bytes],
        _("original"): [*before, rest],
    }
    segments = [*names, _("rest")]
    chart(
        figures.shares(segments, parts, colors, x=_("share of the file")),
        "combine_shares",
        _("What the file consists of"),
        {_("part"): segments, **parts},
    )
    st.caption(
        _(
            "The rest of the file: {rest:,} bytes of biases and norms, {header:,} of header.",
            rest=size.rest_bytes,
            header=size.header_bytes,
        )
    )


def stage_by_stage(current: Current, files: str) -> None:
    """The file after each stage; the bars add up to the stored file, to the byte."""
    if files == FILES[0]:
        found = caches.stages_of(current.model, current.recipe)
        after = [(stage.name, stage.file_bytes) for stage in found]
    else:
        after = measuring.stage_bytes(current)
        if not current.recipe:
            after.append(("encode", current.size.stored_bytes))
    labels = stages.shown_names([stage for stage, _size in after])
    sizes = [size for _stage, size in after]
    chart(
        figures.waterfall(labels, sizes, state.colors()),
        "combine_waterfall",
        _("Bytes of the file, stage by stage"),
        {_("after"): labels, _("bytes"): sizes},
    )
    bars = _(
        "What each stage took off the file; all bars together are the stored file, to the byte."
    )
    kind = (
        _("Zeros weigh as much as other weights until they are encoded.")
        if files == FILES[0]
        else _("After each stage the file was encoded as small as it gets.")
    )
    st.caption(f"{bars} {kind}")
