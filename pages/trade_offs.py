"""Trade-offs: accuracy against real bytes, MACs or time, every point a file that was measured."""

from collections.abc import Mapping

import streamlit as st

from compress_core.search.sweep import Family
from ui.figures import AXES, NEAR
from ui.panels import speed as speed_panel
from ui.panels.missing_data import needs_data
from ui.panels.page import heading
from ui.panels.widgets import choose
from ui.session import fragments, state, values
from ui.trade_offs import plane, work


@fragments.body
def trade_offs() -> None:
    current = state.current()
    heading(
        "Trade-offs",
        "Every point is a recipe: its file was encoded, its accuracy measured on the whole test "
        "set. Up and to the left is better. Click a point to apply it.",
        r"\text{accuracy} \pm 95\,\% \quad \text{against cost}",
    )
    if needs_data(current.model):
        return
    families = plane.families(current.model)
    chosen = [families[name] for name in choose_methods(families)]
    axis, closer = choose_view()
    sweeps = work.sweeps(current.model, chosen, current.recipe)
    timings = work.timings(sweeps) if axis == "latency" else ()
    with st.container():  # the chart below keeps its place
        work.offer((*sweeps, *timings))
    points = plane.collect(current, chosen, work.points(sweeps))
    plane.draw(current.model, points, plane.styles(families), axis, closer=closer)
    speed_panel.show(current)


def choose_methods(families: Mapping[str, Family]) -> list[str]:
    return st.pills(
        "Methods",
        list(families),
        selection_mode="multi",
        key="trade_offs_methods",
        default=[name for name in plane.TELLING if name in families],
        format_func=lambda name: name.replace("_", " "),
        persist_state="session",
        help="One curve each, from mild to strong, all other steps of your recipe left aside.",
    )


def choose_view() -> tuple[str, bool]:
    """What x is, a name of AXES, and whether only the best accuracies are in view."""
    with st.container(horizontal=True, gap="large", vertical_alignment="bottom"):
        name = choose(
            "Cost (x)",
            list(AXES),
            "trade_offs_x",
            "Bytes of the real file; multiply-accumulates of one input; or the measured time "
            "of one input in onnxruntime, one thread of this server.",
            in_address=False,
        )
        values.repair("trade_offs_closer", values.switched("trade_offs_closer"))
        closer = st.toggle(
            f"Only the best {100 * NEAR:.0f} points",
            key="trade_offs_closer",
            persist_state="session",
            help="Shows the accuracies near the best one, where the methods differ.",
        )
    return name, closer


trade_offs()
