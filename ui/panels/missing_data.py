"""Where the test images cannot be read on this machine: why, and their download."""

from typing import Any

import streamlit as st

from compress_core import DataError
from compress_core.data import FILES, download
from ui.session import caches, measuring


def needs_data(model: str, key: str = "download_data") -> bool:
    """True, with the remedy on the page, where the test images cannot be read on this machine.
    `key` tells several offers on one page apart."""
    problem = measuring.data_problem(model)
    if problem is None:
        return False
    name = caches.dataset_name(model)
    files = FILES.get(name)  # none of a dataset that comes with a library
    st.warning(problem, title=f"{files.title if files else name} cannot be read on this machine")
    if files and st.button(
        f"Download {files.title} ({files.download_bytes / 1e6:.0f} MB)",
        key=key,
        icon=":material/download:",
        help="The official files, into your user's cache; checked by their checksums.",
    ):
        bar = st.progress(0.0, text="Connecting…")
        try:
            download(files.name, lambda file, done: _move(bar, file, done))
        except DataError as error:
            bar.empty()
            st.error(str(error), title="The download failed")
        else:
            st.rerun()
    return True


def _move(bar: Any, file: str, done: float) -> None:
    bar.progress(min(done, 1.0), text=file)
