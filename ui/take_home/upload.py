"""A recipe comes back: its JSON file in place of the present recipe."""

import streamlit as st

from compress_core import from_json
from ui import classroom
from ui.core_sentences import of_core
from ui.language import _
from ui.session import recipe_field


def recipe_upload() -> None:
    """A recipe's JSON file in place of the present recipe; a server for a class takes none."""
    if classroom.token():
        return
    st.file_uploader(
        _("Load a recipe (JSON)"),
        type="json",
        key="take_home_upload",
        on_change=_take_upload,
        help=_("What *Recipe (JSON)* or the library's `to_json` wrote. It replaces the recipe."),
    )
    if st.session_state.get("take_home_upload_error"):
        st.error(st.session_state.take_home_upload_error, title=_("Not a recipe of ours"))


def _take_upload() -> None:
    file = st.session_state.get("take_home_upload")
    st.session_state.take_home_upload_error = None
    if file is None:
        return
    try:
        recipe_field.set_recipe(from_json(file.getvalue().decode()))
    except UnicodeDecodeError:
        st.session_state.take_home_upload_error = _("{file} is no text, so no JSON", file=file.name)
    except ValueError as error:  # not JSON, another version, an unknown step or field
        st.session_state.take_home_upload_error = f"{file.name}: {of_core(error)}"
