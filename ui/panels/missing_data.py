"""Where the test images cannot be read on this machine: why, and their download."""

from typing import Any

import streamlit as st

from compress_core import MODELS, DataError
from compress_core.data import FILES, download
from ui.core_sentences import of_core
from ui.language import _
from ui.session import caches, measuring


def needs_data(model: str, key: str = "download_data") -> bool:
    """True, with the remedy on the page, where the test images cannot be read on this machine.
    `key` tells several offers on one page apart."""
    problem = measuring.data_problem(model)
    if problem is None:
        return False
    name = caches.data_name(model)
    if model not in MODELS:
        st.info(of_core(problem), icon=":material/info:")
        return True
    files = FILES.get(name)  # none of a dataset that comes with a library
    title = files.title if files else name
    st.warning(of_core(problem), title=_("{dataset} cannot be read on this machine", dataset=title))
    if files and st.button(
        _(
            "Download {dataset} ({megabytes:.0f} MB)",
            dataset=title,
            megabytes=files.download_bytes / 1e6,
        ),
        key=key,
        icon=":material/download:",
        help=_("The official files, into your user's cache; checked by their checksums."),
    ):
        bar = st.progress(0.0, text=_("Connecting…"))
        try:
            download(files.name, lambda file, done: _move(bar, file, done))
        except DataError as error:
            bar.empty()
            st.error(of_core(error), title=_("The download failed"))
        else:
            st.rerun()
    return True


def _move(bar: Any, file: str, done: float) -> None:
    bar.progress(min(done, 1.0), text=file)
