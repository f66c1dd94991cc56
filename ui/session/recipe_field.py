"""The recipe's text field: the one place where the recipe lives.

The sidebar draws it, bound to the address; pages write it in callbacks, before the run that shows
it.
"""

import time

import streamlit as st

from compress_core import Recipe
from compress_core.recipe import format_recipe, parse_recipe
from ui.session import fragments, values

ECHO_S = 5.0  # how long a busy browser may send back a recipe that is replaced already


def session_recipe() -> Recipe:
    """The recipe of the text field, or the last one that could be read."""
    settle_recipe_text()
    try:
        recipe = parse_recipe(values.text("recipe"))
    except ValueError:
        return parse_recipe(st.session_state.last_recipe)
    st.session_state.last_recipe = values.text("recipe")
    return recipe


def recipe_error() -> str | None:
    """Why the text field holds no recipe, or None."""
    try:
        parse_recipe(values.text("recipe"))
    except ValueError as error:
        return str(error)
    return None


def set_recipe(recipe: Recipe) -> None:
    """The last act of a callback: what shows the recipe runs anew."""
    set_recipe_text(format_recipe(recipe))


def set_recipe_text(text: str) -> None:
    """The same with the recipe's text."""
    write_recipe_text(text)
    fragments.refresh()


def write_recipe_text(text: str) -> None:
    """Into the text field, and beside it: see `settle_recipe_text`."""
    settle_recipe_text()
    st.session_state.recipe_echoes.append((st.session_state.recipe_written, time.monotonic()))
    st.session_state.recipe = st.session_state.recipe_written = text


def settle_recipe_text() -> None:
    """Undo what a browser sends back of a recipe that a callback has replaced meanwhile.

    Until its text field is redrawn, every message of the browser carries the old text, and
    Streamlit would take that for a wish. What the browser's back button brings is one.
    """
    now, text = time.monotonic(), values.text("recipe")
    echoes = [(old, at) for old, at in st.session_state.recipe_echoes if now - at < ECHO_S]
    st.session_state.recipe_echoes = echoes
    if text == st.session_state.recipe_written:
        return
    if not values.went_back() and text in {old for old, _ in echoes}:
        st.session_state.recipe = st.session_state.recipe_written
    else:
        st.session_state.recipe_written = text


def assert_bound(key: str, value: str) -> None:
    """Let a widget of the address keep what a callback wrote into it.

    A callback that ends in st.rerun loses Streamlit's note of it, and the address's old value would
    win. What the browser's back button asks for still wins over this.
    """
    st.session_state[key] = value
