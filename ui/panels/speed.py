"""Why no speed-up: bytes, MACs and time side by side, and the reason in words."""

import streamlit as st

from compress_core.jobs.work import Timing
from compress_core.measurement.cost import Latency
from compress_core.measurement.speed import Speed
from compress_core.recipe import format_recipe
from compress_core.wording.speed import speed_in_words
from ui import figures
from ui.core_sentences import of_core
from ui.language import N_, _
from ui.panels.chart import chart
from ui.panels.job_bar import waiting_for
from ui.session import jobs, measured, state
from ui.session.state import Current

HELP = N_(
    "Times the ONNX graph of the original and of the present recipe in onnxruntime, one thread, "
    "200 passes of one input each, in turns. A new structure is exported first, which takes "
    "seconds. Done once for everybody; two measurements never run at the same time."
)


def show(current: Current) -> None:
    """The panel; it measures only when asked to, and then keeps what it found."""
    st.subheader(_("Why no speed-up?"), anchor=False)
    if not current.recipe:
        st.caption(_("Nothing is compressed yet: add a step, or click a point above."))
        return
    work = Timing(current.model, format_recipe(current.recipe))
    job, speed = jobs.job_of(work), measured.speed(current.model, current.recipe)
    if job is not None and job.unfinished:
        waiting_for(job.id, "speed", _("Ends it; an earlier time is gone."))
        return
    st.button(
        _("Measure latency again") if speed else _("Measure latency"),
        key="trade_offs_latency",
        icon=":material/timer:",
        help=_(HELP),
        on_click=jobs.submit,
        args=(work,),
        kwargs={"anew": True},
    )
    if speed:
        _comparison(current, speed)
    elif job is not None and job.state == "failed":
        st.error(
            _("{reason}.", reason=of_core(job.reason)), title=_("The latency cannot be measured")
        )
    else:
        st.caption(
            _(
                "A smaller file, or fewer multiplications, need not take less time. This measures "
                "it here, on the server, and says why."
            )
        )


def _comparison(current: Current, speed: Speed) -> None:
    size = current.size
    before, after = speed.before, speed.after
    shares = {
        _("bytes"): 1 / size.compression_ratio,
        "MACs": 1 / speed.promise,
        _("time (p50)"): 1 / speed.speedup,
    }
    picture, text = st.columns([3, 2], gap="large", vertical_alignment="center")
    with picture:
        chart(
            figures.cost_after(shares, state.colors()),
            "trade_offs_cost",
            _("What is left of the original: bytes, MACs, time"),
            {
                _("cost"): [_("bytes"), "MACs", "p50, ms", "p95, ms"],
                _("original"): [
                    size.original_bytes,
                    speed.original_macs,
                    before.latency_ms_p50,
                    before.latency_ms_p95,
                ],
                _("present recipe"): [
                    size.stored_bytes,
                    speed.macs,
                    after.latency_ms_p50,
                    after.latency_ms_p95,
                ],
            },
        )
    with text:
        st.info(speed_in_words(speed), icon=":material/speed:")
        st.caption(
            _(
                "Original {before}; present recipe {after}.",
                before=_times(before),
                after=_times(after),
            )
        )


def _times(latency: Latency) -> str:
    return f"{latency.latency_ms_p50:.3g} ms (p95 {latency.latency_ms_p95:.3g})"
