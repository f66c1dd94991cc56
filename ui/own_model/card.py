"""What an opened network is: its file, inputs and outputs, how it agrees with onnxruntime."""

from collections.abc import Sequence

import streamlit as st

from compress_core.opening.facts import Facts, Port
from ui import words
from ui.core_sentences import of_core
from ui.language import N_, _
from ui.session.state import ROOT, Current

KINDS = {
    "onnx": N_("ONNX"),
    "safetensors": N_("safetensors"),
    "state_dict": N_("state dict of PyTorch"),
}
NEXT = (
    ("prune", "content_cut", N_("Prune")),
    ("quantize", "straighten", N_("Quantize")),
    ("share_weights", "workspaces", N_("Share weights")),
    ("factorize", "call_split", N_("Factorize")),
    ("trade_offs", "scatter_plot", N_("Trade-offs")),
)


def show(current: Current, facts: Facts) -> None:
    """The card of the present model, which was opened."""
    st.subheader(words.escape_markdown(facts.title), anchor=False)
    st.markdown(_in_numbers(current, facts))
    _agreement(facts)
    if facts.runs:
        _ports(facts)
        _judged(facts)
    for note in facts.notes:
        st.caption(words.escape_markdown(of_core(note)))
    _doors()


def _in_numbers(current: Current, facts: Facts) -> str:
    return _(
        "{format}, {file}; weights of {weights} in their own types, in **{layers:,} layers**, "
        "which are {share} of the parameters.",
        format=_(KINDS.get(facts.kind, facts.kind)),
        file=words.byte_size(facts.source_bytes),
        weights=words.byte_size(facts.stored_bytes),
        layers=len(current.original.layers),
        share=words.percent(current.size.coverage.fraction),
    )


def _judged(facts: Facts) -> None:
    """By which metric, and on what."""
    name = words.metric(facts.metric_name).capitalize()
    said = _("Judged by **{metric}**: {why}.", metric=name, why=of_core(facts.reason))
    st.markdown(said)
    st.caption(words.escape_markdown(f"{'. '.join(map(of_core, facts.data))}."))


def _agreement(facts: Facts) -> None:
    """How far its answers are from onnxruntime's, or why it does not run."""
    if not facts.runs:
        st.warning(words.escape_markdown(of_core(facts.why_not_run)), title=_("Weights only"))
    elif facts.difference is not None:
        st.success(
            _(
                "Run beside onnxruntime on generated inputs: the largest difference is "
                "{difference} of the output's range.",
                difference=format(facts.difference, ".1e"),
            ),
            icon=":material/check_circle:",
        )
    if facts.foreign:
        st.caption(
            _(
                "{n} operators run in onnxruntime itself, and have no gradient: {names}.",
                n=len(facts.foreign),
                names=words.escape_markdown(", ".join(facts.foreign[:5])),
            )
        )


def _ports(facts: Facts) -> None:
    ports = [(_("input"), port) for port in facts.inputs]
    ports += [(_("output"), port) for port in facts.outputs]
    st.dataframe(
        {
            "": [kind for kind, _port in ports],
            _("name"): [port.name for _kind, port in ports],
            _("type"): [port.dtype for _kind, port in ports],
            _("shape"): [shape_of(port) for _kind, port in ports],
        },
        hide_index=True,
        alt=_("Inputs and outputs of the network"),
    )


def shape_of(port: Port) -> str:
    """Its sizes; a free one by its name, or a question mark."""
    sizes: Sequence[int | str | None] = port.shape
    return " × ".join("?" if size is None else str(size) for size in sizes) or _("a number")


def _doors() -> None:
    with st.container(horizontal=True, gap="small"):
        for page, icon, title in NEXT:
            st.page_link(
                st.Page(ROOT / "pages" / f"{page}.py"),
                label=_(title),
                icon=f":material/{icon}:",
                width="content",
            )
