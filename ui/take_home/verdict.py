"""What to take for what, in one sentence, judged by the measured numbers."""

from collections.abc import Mapping

import streamlit as st

from compress_core.leaving.advice import Advice, advise
from compress_core.leaving.measuring import MeasuredFile
from compress_core.wording.exports import TITLES
from ui import words
from ui.language import _


def show(rows: Mapping[str, MeasuredFile]) -> None:
    """Nothing before anything is measured."""
    if any(row.file_bytes is not None for row in rows.values()):
        st.info(advice_in_words(advise(rows)), icon=":material/luggage:")


def advice_in_words(advice: Advice) -> str:
    parts = [_("With no more loss than the recipe:")]
    if advice.smallest:
        parts.append(_("smallest is **{file}**, {size};", **_facts(advice.smallest)))
    if advice.onnx and advice.onnx != advice.smallest:
        parts.append(_("smallest for other programs **{file}**, {size};", **_facts(advice.onnx)))
    if advice.fastest:
        parts.append(
            _(
                "fastest here **{file}**, {speedup} the speed of the original.",
                **_facts(advice.fastest),
            )
        )
    else:
        parts.append(_("none is clearly faster here than the original."))
    return " ".join(parts)


def _facts(row: MeasuredFile) -> dict[str, str]:
    return {
        "file": _(TITLES[row.name]),
        "size": words.byte_size(row.file_bytes or 0),
        "speedup": f"{row.speedup or 0:.2g}×",
    }
