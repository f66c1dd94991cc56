"""Why no speed-up: bytes, MACs and time side by side, and the reason in words."""

import streamlit as st

from compress_core.measurement.cost import Latency
from compress_core.measurement.speed import Speed
from compress_core.wording.speed import speed_in_words
from ui import figures
from ui.panels.chart import chart
from ui.panels.latency import latencies
from ui.session import state
from ui.session.state import Current

HELP = (
    "Times the ONNX graph of the original and of the present recipe in onnxruntime, one thread, "
    "200 passes of one input each, in turns. A new structure is exported first, which takes "
    "seconds. Done once for everybody; two measurements never run at the same time."
)


def show(current: Current) -> None:
    """The panel; it measures only when asked to, and then keeps what it found."""
    st.subheader("Why no speed-up?", anchor=False)
    if not current.recipe:
        st.caption("Nothing is compressed yet: add a step, or click a point above.")
        return
    speed = latencies().known(current.model, current.recipe)
    label = "Measure latency again" if speed else "Measure latency"
    if st.button(label, key="trade_offs_latency", icon=":material/timer:", help=HELP):
        speed = _measured(current)
    if speed:
        _comparison(current, speed)
    else:
        st.caption(
            "A smaller file, or fewer multiplications, need not take less time. This measures it "
            "here, on the server, and says why."
        )


def _measured(current: Current) -> Speed | None:
    place = st.empty()
    latencies().forget(current.model, current.recipe)
    try:
        with place, st.spinner("Measuring the latency before and after…", show_time=True):
            return latencies().measure(current.model, current.recipe, lambda: st.empty())
    except ValueError as error:
        st.error(f"{error}.", title="The latency cannot be measured")
        return None


def _comparison(current: Current, speed: Speed) -> None:
    size = current.size
    before, after = speed.before, speed.after
    shares = {
        "bytes": 1 / size.compression_ratio,
        "MACs": 1 / speed.promise,
        "time (p50)": 1 / speed.speedup,
    }
    picture, text = st.columns([3, 2], gap="large", vertical_alignment="center")
    with picture:
        chart(
            figures.cost_after(shares, state.colors()),
            "trade_offs_cost",
            "What is left of the original: bytes, MACs, time",
            {
                "cost": ["bytes", "MACs", "p50, ms", "p95, ms"],
                "original": [
                    size.original_bytes,
                    speed.original_macs,
                    before.latency_ms_p50,
                    before.latency_ms_p95,
                ],
                "present recipe": [
                    size.stored_bytes,
                    speed.macs,
                    after.latency_ms_p50,
                    after.latency_ms_p95,
                ],
            },
        )
    with text:
        st.info(speed_in_words(speed), icon=":material/speed:")
        st.caption(f"Original {_times(before)}; present recipe {_times(after)}.")


def _times(latency: Latency) -> str:
    return f"{latency.latency_ms_p50:.3g} ms (p95 {latency.latency_ms_p95:.3g})"
