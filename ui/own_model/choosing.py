"""The place to drop a model, and how far its opening is."""

import streamlit as st

from ui import upload, wake_up, words
from ui.core_sentences import of_core
from ui.language import _
from ui.own_model.opening import Opening, begin
from ui.session import fragments, models

FILE, DATA, OPENING = "own_model_file", "own_data_file", "own_opening"
SUFFIXES = (".onnx", ".safetensors", ".pt", ".pth", ".th", ".bin")
CANCEL_AFTER_S = 2.0  # before that a button would only flash


def show() -> None:
    """The drop zone; below it what becomes of the file."""
    upload.show(
        FILE,
        _("Your model"),
        SUFFIXES,
        _("ONNX, safetensors, or a state dict of PyTorch, in one file."),
        on_finish=_open_file,
    )
    if opening() is not None:
        _progress()


def opening() -> Opening | None:
    """The session's file that was opened last, or is being opened."""
    found = st.session_state.get(OPENING)
    return found if isinstance(found, Opening) else None


def start(found: Opening) -> None:
    """Follow this one from now on; one that is still on its way ends."""
    before = opening()
    if before is not None and not before.is_over:
        before.cancel()
    st.session_state[OPENING] = found


def _open_file() -> None:
    arrived = upload.finished(FILE)
    if arrived:
        start(begin(arrived[0].name, arrived[0].path, {}))


@st.fragment
def _progress() -> None:
    found = opening()
    if found is None or found.name in models.opened():
        return
    if found.name:  # it was opened while another page was shown
        st.button(
            _("Work with {title}", title=words.escape_markdown(found.title)),
            key="own_take_model",
            type="primary",
            on_click=_finish,
        )
    elif found.cancelled:
        st.caption(_("Cancelled: nothing of the file was kept."))
    elif found.problem:
        st.error(words.escape_markdown(of_core(found.problem)), title=_("It cannot be opened"))
    else:
        _is_being_opened(found)


def _is_being_opened(found: Opening) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            _(
                ":material/hourglass_top: Opening {title} in a sandbox: checked, imported, run "
                "once beside onnxruntime. {seconds:.0f} s",
                title=words.escape_markdown(found.title),
                seconds=found.seconds,
            )
        )
        if found.seconds > CANCEL_AFTER_S:
            st.button(_("Cancel"), key="own_cancel", icon=":material/stop:", on_click=found.cancel)
    wake_up.show("own_wake_up", 2, _finish)


def _finish() -> None:
    """Before it is looked at again: what is open by now becomes the session's model."""
    found = opening()
    if found is None or not found.is_over:
        return
    upload.discard((*upload.finished(FILE), *upload.finished(DATA)))
    if found.name:
        models.add(found.name)
        st.session_state.model = found.name
    fragments.refresh_app()
