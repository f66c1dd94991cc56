"""The files side by side: a download of each, and a table of what was measured of it."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import streamlit as st

from compress_core import Recipe
from compress_core.leaving.exports import BY_NAME, EXPORTS, Export, leaves_codes_out, make_file
from compress_core.leaving.measuring import MeasuredFile, is_saturated
from compress_core.opening.opened import Opened
from compress_core.wording.exports import CODES_LEFT_OUT, NOTES, SATURATES, TITLES
from ui import words
from ui.core_sentences import of_core
from ui.language import _
from ui.session import caches, measuring
from ui.session.state import Current
from ui.take_home.html import Html, element

STYLE = Path(__file__).parent / "files.css"
COLUMNS = 7  # of numbers
NONE = "—"


def show(current: Current, rows: Mapping[str, MeasuredFile]) -> None:
    st.html(STYLE)
    refused = {export.name: why_not(export, current, rows) for export in EXPORTS}
    with st.container(horizontal=True, gap=None, key="take_home_files"):
        with st.container(width=230, gap=None, key="take_home_buttons"):
            for export in EXPORTS:
                _button(export, current, refused[export.name])
        st.html(table(current, rows, refused))
    if any(leaves_codes_out(export, current.recipe) for export in EXPORTS):
        st.caption(f"\\* {_(CODES_LEFT_OUT)}")
    if is_saturated(rows.values()):
        st.caption(_(SATURATES))


def why_not(export: Export, current: Current, rows: Mapping[str, MeasuredFile]) -> str:
    """Why a file cannot be made; empty if nothing is known against it."""
    row = rows.get(export.name)
    if row is not None and row.file_bytes is None:
        return row.reason
    if isinstance(current.original, Opened) and export.form == "onnx":
        facts = current.original.facts
        if export.calibrates and facts.runs and not facts.calibrates:
            return _("Its data are too few to put some aside, on which inputs are calibrated.")
        return facts.why_not_run
    problem = measuring.data_problem(current.model) if export.calibrates else None
    return export.refusal(current.compressed) or problem or ""


def title_of(export: Export, recipe: Recipe) -> str:
    """With a star where the file is of another recipe than the one on the screen."""
    star = " *" if leaves_codes_out(export, recipe) else ""
    return f"{_(TITLES[export.name])}{star}"


def _button(export: Export, current: Current, refused: str) -> None:
    """A download that is made when it is asked for."""
    st.download_button(
        title_of(export, current.recipe).replace("*", "\\*"),
        partial(make, current.model, current.recipe, export.name),
        file_name=export.file_name(current.original.name),
        mime="application/json" if export.form == "text" else "application/octet-stream",
        key=f"download_{export.name}",
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
        disabled=bool(refused),
        help=_(NOTES[export.name]),
    )


def make(model: str, recipe: Recipe, name: str) -> bytes:
    """The bytes of a file. Raises ValueError where it cannot be made."""
    return make_file(BY_NAME[name], caches.compressed(model, recipe))


def table(current: Current, rows: Mapping[str, MeasuredFile], refused: Mapping[str, str]) -> Html:
    """The numbers, in the lines of the buttons; the names are there for screen readers."""
    scored = next((row.score for row in rows.values() if row.score), None)
    metric = words.metric(scored.metric) if scored else _("accuracy")
    titles = (
        *(_("file"), _("bytes"), _("× smaller"), _("{metric} ± 95 %", metric=metric)),
        *(_("change"), _("p50, ms"), _("p95, ms"), _("speed-up")),
    )
    head = element("tr", *(element("th", title, scope="col") for title in titles))
    body = (
        _line(export, current, rows.get(export.name), refused[export.name]) for export in EXPORTS
    )
    return element(
        "div",
        element("table", element("thead", head), element("tbody", *body)),
        class_="files",
        tabindex="0",
    )


def _line(export: Export, current: Current, row: MeasuredFile | None, refused: str) -> Html:
    first = element("th", title_of(export, current.recipe), scope="row")
    if refused:
        return element("tr", first, _wide(of_core(refused), COLUMNS))
    if row is None:
        return element("tr", first, *_unmeasured(export, current))
    size = row.file_bytes or 0
    if export.form == "text":  # it is no network
        return element("tr", first, element("td", f"{size:,}"), _wide("", COLUMNS - 1))
    cells = (f"{size:,}", words.ratio(current.size.original_bytes / size))
    return element("tr", first, *(element("td", cell) for cell in cells), *_measured(row))


def _unmeasured(export: Export, current: Current) -> tuple[Html, ...]:
    """Of the stored file the bytes are known at any time."""
    if export.name != "stored":
        return (_wide(_("not measured yet"), COLUMNS),)
    size = current.size
    return (
        element("td", f"{size.stored_bytes:,}"),
        element("td", words.ratio(size.compression_ratio)),
        _wide(_("not measured yet"), COLUMNS - 2),
    )


def _measured(row: MeasuredFile) -> tuple[Html, ...]:
    score, change, after = row.score, row.change, row.after
    answers = (
        (element("td", words.score(score, 2)), element("td", _change_of(row)))
        if score and change
        else (_wide(_("not measured: {reason}", reason=of_core(row.reason)), 2),)
    )
    faster = NONE if row.name == "original" else f"{row.speedup or 0:.2f}×"
    times = (
        (f"{after.latency_ms_p50:.3g}", f"{after.latency_ms_p95:.3g}", faster)
        if after
        else (NONE,) * 3
    )
    return (*answers, *(element("td", time) for time in times))


def _change_of(row: MeasuredFile) -> str:
    assert row.score is not None
    assert row.change is not None
    return words.point_change(row.score.metric, row.change.difference)


def _wide(text: str, columns: int) -> Html:
    return element("td", text, colspan=str(columns), class_="none")
