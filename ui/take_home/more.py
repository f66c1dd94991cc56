"""What else leaves: the recipe in Python and for the console, a link, a report, the decoder."""

import shlex
from collections.abc import Mapping
from functools import partial
from urllib.parse import urlencode

import streamlit as st

from compress_core import Recipe
from compress_core.leaving.decoder import decoder_source
from compress_core.leaving.library_lines import library_lines
from compress_core.leaving.measuring import MeasuredFile
from compress_core.leaving.report import FileFacts, report_facts
from compress_core.leaving.script import OwnModel, file_name, python_script
from compress_core.measurement.report import Report, measure_size
from compress_core.opening.opened import Opened
from compress_core.recipe import format_recipe, format_step, of_kinds, to_json
from compress_core.steps import TRAINING
from compress_core.wording.exports import TITLES
from ui.language import _
from ui.session import caches
from ui.session.state import Current
from ui.take_home import upload
from ui.take_home.own import own_model
from ui.take_home.report import html_report

Rows = Mapping[str, MeasuredFile]
DECODER = "lone_decoder.py"


def show(current: Current, rows: Rows) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        _documents(current, rows)
        _section(_("The same in Python"), script(current))
        _others(current.recipe)
    with right:
        _section(_("The recipe, one step a line"), recipe_lines(current.recipe))
        _section(_("All these files from the command line"), command(current))
        _section(_("A link to this screen"), link(current))
        upload.recipe_upload()


def _section(title: str, code: str) -> None:
    """A title and a text with a button that copies it."""
    st.markdown(f"**{title}**")
    _code(code)


def _code(text: str) -> None:
    # in one colour: those of Streamlit's languages are too pale for many eyes
    st.code(text, language=None, wrap_lines=True)


def _documents(current: Current, rows: Rows) -> None:
    with st.container(horizontal=True):
        st.download_button(
            _("Report (HTML)"),
            partial(report, current.model, current.recipe, dict(rows), own_model(current)),
            file_name=f"{current.original.name}.report.html",
            mime="text/html",
            key="download_report",
            icon=":material/description:",
            on_click="ignore",
            help=_(
                "One file with numbers, pictures and the script, for homework or a pull request. "
                "It needs no network. What is measured above stands in it."
            ),
        )
        st.download_button(
            _("Lone decoder (Python)"),
            decoder_source,
            file_name=DECODER,
            mime="text/x-python",
            key="download_decoder",
            icon=":material/code:",
            on_click="ignore",
            help=_(
                "One file that decodes the stored file with numpy alone, so that "
                "the stored file outlives this project."
            ),
        )


def report(model: str, recipe: Recipe, rows: Rows, own: OwnModel | None = None) -> str:
    """The HTML report, with what is measured of the files by now."""
    compressed = caches.compressed(model, recipe)
    files = [_facts_of(row) for row in rows.values() if row.file_bytes is not None]
    measured = _measured(model, recipe, rows)
    return html_report(report_facts(compressed, measured, files=files, own=own))


def _facts_of(row: MeasuredFile) -> FileFacts:
    latency = row.after.latency_ms_p50 if row.after else None
    return FileFacts(_(TITLES[row.name]), row.file_bytes or 0, row.score, latency, row.reason)


def _measured(model: str, recipe: Recipe, rows: Rows) -> Report | None:
    """What was measured of the stored file, beside the original's; None before it was."""
    before, after = (rows.get(name) for name in ("original", "stored"))
    if not (before and before.score and after and after.score and after.change):
        return None
    return Report(
        to_json(recipe),
        measure_size(caches.compressed(model, recipe)),
        after.score,
        before.score,
        after.change,
        caches.judge(model).reason,
    )


def recipe_lines(recipe: Recipe) -> str:
    return "\n".join(map(format_step, recipe)) or _("(no step: the network as it came)")


def script(current: Current) -> str:
    """What gives the same numbers; of weights without a network there is no such script."""
    if isinstance(current.original, Opened) and not current.original.facts.runs:
        return _("# without a network around the weights nothing can be measured")
    return python_script(current.original.name, current.recipe, own=own_model(current))


def command(current: Current) -> str:
    """What makes and measures all files, on a machine that has not trained the recipe yet, too."""
    own = own_model(current)
    model = shlex.join(own.options) if own else current.model
    steps = "".join(f" \\\n  --step {shlex.quote(format_step(step))}" for step in current.recipe)
    train = " --train" if of_kinds(current.recipe, (TRAINING,)) else ""
    call = f"python -m compress_core take-home {model}{steps}"
    return f"{call} \\\n  --out {file_name(current.original.name)}{train}"


def link(current: Current) -> str:
    """The address of this page with model and recipe."""
    here = (st.context.url or "").partition("?")[0].rstrip("/").removesuffix("/take_home")
    query = {"model": current.model, "recipe": format_recipe(current.recipe)}
    return f"{here}/take_home?{urlencode({name: text for name, text in query.items() if text})}"


def _others(recipe: Recipe) -> None:
    """The lines of other libraries, a step after the other."""
    lines = library_lines(recipe)
    if not lines:
        return
    st.markdown(_("**In torch.nn.utils.prune and torchao**, where they can do it"))
    for line in lines:
        name = f" ({line.library})" if line.library else ""
        st.caption(f"`{line.step}`{name}: {line.note}")
        if line.code:
            _code(line.code)
