"""Trade-offs: accuracy against real bytes, MACs or time, every point a file that was measured."""

from collections.abc import Mapping

import streamlit as st

from compress_core.search.sweep import Family
from ui.figures import AXES, NEAR
from ui.language import _
from ui.panels import speed as speed_panel
from ui.panels.missing_data import needs_data
from ui.panels.page import heading
from ui.panels.widgets import choose
from ui.session import fragments, state, values
from ui.trade_offs import plane, work


@fragments.body
def trade_offs() -> None:
    current = state.current()
    score, cost = _("accuracy"), _("against cost")
    heading(
        _("Trade-offs"),
        _(
            "Every point is a recipe: its file was encoded, its accuracy measured on the whole "
            "test set. Up and to the left is better. Click a point to apply it."
        ),
        rf"\text{{{score}}} \pm 95\,\% \quad \text{{{cost}}}",
    )
    lacks_images = needs_data(current.model)
    families = plane.families(current.model)
    chosen = [families[name] for name in choose_methods(families)]
    view = choose_view()
    sweeps = work.sweeps(current.model, chosen, current.recipe)
    timings = work.timings(sweeps) if view.axis == "latency" else ()
    with st.container():  # the chart below keeps its place
        work.offer((*([] if lacks_images else sweeps), *timings))
        work.tell_origin(sweeps)
    with st.container():
        points = plane.collect(current, chosen, work.points(sweeps))
        plane.draw(current.model, points, plane.styles(families), view)
    speed_panel.show(current)


def choose_methods(families: Mapping[str, Family]) -> list[str]:
    return st.pills(
        _("Methods"),
        list(families),
        selection_mode="multi",
        key="trade_offs_methods",
        default=[name for name in plane.TELLING if name in families],
        format_func=plane.shown_name,
        persist_state="session",
        help=_("One curve each, from mild to strong, all other steps of your recipe left aside."),
    )


def choose_view() -> plane.View:
    """What x and y are."""
    with st.container(horizontal=True, gap="large", vertical_alignment="bottom"):
        name = choose(
            _("Cost (x)"),
            list(AXES),
            "trade_offs_x",
            _(
                "Bytes of the real file; multiply-accumulates of one input; or the measured time "
                "of one input in onnxruntime, one thread of this server."
            ),
            in_address=False,
        )
        losses = switch(
            "trade_offs_losses",
            _("Loss on a log axis"),
            _(
                "Shows the points that each recipe loses against the original, on a logarithmic "
                "axis: small losses are as far apart as large ones. What loses nothing stands at "
                "“no loss”."
            ),
        )
        closer = switch(
            "trade_offs_closer",
            _("Only the best {n:.0f} points", n=100 * NEAR),
            _("Shows the accuracies near the best one, where the methods differ."),
            disabled=losses,
        )
    return plane.View(name, closer, losses)


def switch(key: str, label: str, text: str, *, disabled: bool = False) -> bool:
    values.repair(key, values.switched(key))
    return st.toggle(label, key=key, persist_state="session", help=text, disabled=disabled)


trade_offs()
