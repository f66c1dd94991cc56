"""A place to drop files: they stream to the server's disk, however large, and are shown as they go.

A page calls `show` and gets what has arrived. `app.py` serves `routes.ROUTES`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeGuard

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ui import language, scripts
from ui.live_histogram.routes import PREFIX as SCRIPTS
from ui.upload.routes import NAME_HEADER, PREFIX, store
from ui.upload.store import Grant, Upload

FOLDER = Path(__file__).parent
TOOLS = f"""
const at = name => new URL(`{SCRIPTS}/${{name}}`, document.baseURI);
const [{{ _, speak }}, {{ make }}] = await Promise.all(
  ["texts.js", "controls.js"].map(name => import(at(name))),
);
"""

__all__ = ["Upload", "discard", "finished", "show"]


def show(
    key: str,
    label: str,
    suffixes: Sequence[str],
    help: str = "",  # noqa: A002  # Streamlit's word for it
    *,
    several: bool = False,
    on_finish: Callable[[], None] = lambda: None,
) -> tuple[Upload, ...]:
    """Draw the place to drop files and return what has arrived there, newest choice only.

    `suffixes` are the accepted ends of names (".onnx", ".safetensors.index.json"); with `several`
    also a whole folder may be chosen, and each name has its path in it (`cats/1.png`). `on_finish`
    is a callback. The files stay for an hour after the last call of `finished`, and count against
    the session's quota until then: `discard` them as soon as they are read.
    """
    accepted = tuple(suffix.lower() for suffix in suffixes)
    component()(
        key=key,
        data={
            "address": f"{PREFIX}/{_token(key, accepted)}",
            "header": NAME_HEADER,
            "label": label,
            "help": help,
            "suffixes": accepted,
            "several": several,
            "most": store().quota.session_files,
            "language": language.current(),
            "texts": language.in_context(language.current(), language.FROM_SCRIPTS),
        },
        on_finished_change=on_finish,
    )
    return finished(key)


def finished(key: str) -> tuple[Upload, ...]:
    """What has arrived at the place called `key`; nothing of it that is gone by now."""
    state = st.session_state.get(key)
    ids = getattr(state, "finished", None)
    return store().find(_session(), ids) if _are_ids(ids) else ()


def discard(uploads: Sequence[Upload]) -> None:
    """Delete files that are no longer needed."""
    store().discard(uploads)


def component() -> Any:
    """The component, registered on first use: the registry belongs to the running server."""
    parts = [TOOLS, *((FOLDER / name).read_text() for name in ("sending.js", "choosing.js"))]
    return st.components.v2.component(
        "upload",
        html='<div class="upload"></div>',
        css=(FOLDER / "style.css").read_text(),
        js="\n".join([*parts, scripts.telling(FOLDER / "drop_zone.js")]),
    )


def _token(key: str, suffixes: tuple[str, ...]) -> str:
    """The token of this session's place; the same one over reruns."""
    grant = Grant(_session(), suffixes, language.current())
    name = f"{key}_upload_token"
    st.session_state[name] = token = store().grant(grant, st.session_state.get(name))
    return token


def _session() -> str:
    context = get_script_run_ctx(suppress_warning=True)
    return context.session_id if context else ""


def _are_ids(ids: object) -> TypeGuard[list[str]]:
    """A browser may send anything."""
    return isinstance(ids, list) and all(isinstance(each, str) for each in ids)
