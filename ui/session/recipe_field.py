"""The recipe's text: the one place where the recipe lives, and the field in which it is typed.

The sidebar draws two fields. One is bound to the address and not seen; pages write it in callbacks,
before the run that shows it. In the other one people type, and what is a recipe goes over into the
first: a browser writes what stands in a bound field into the address before anybody has read it.
"""

import time

import streamlit as st

from compress_core import Recipe
from compress_core.recipe import format_recipe, parse_recipe
from ui.core_sentences import of_core
from ui.language import _
from ui.session import fragments, values

TYPED = "recipe_typed"  # key of the field in which one types
ECHO_S = 5.0  # how long a busy browser may send back a recipe that is replaced already


def session_recipe() -> Recipe:
    """The present recipe; what cannot be read never becomes it."""
    settle_recipe_text()
    return parse_recipe(st.session_state.recipe_written)


def problem_of(text: str) -> str | None:
    """Why a text is no recipe, or None."""
    try:
        parse_recipe(text)
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
    """Write the text into the field, and keep a copy for `settle_recipe_text`."""
    settle_recipe_text()
    st.session_state.recipe_echoes.append((st.session_state.recipe_written, time.monotonic()))
    st.session_state.recipe = st.session_state.recipe_written = text


def settle_recipe_text() -> None:
    """Undo what a browser sends back of a recipe that a callback has replaced meanwhile; pass over
    what an old address brings that is no recipe.

    Until its text field is redrawn, every message of the browser carries the old text, and
    Streamlit would take that for an edit. A text from the browser's back button is kept.
    """
    text = values.text("recipe")
    if text == st.session_state.recipe_written or problem_of(text):
        return
    if not values.went_back() and _is_echo(text):
        st.session_state.recipe = st.session_state.recipe_written
    else:
        st.session_state.recipe_written = text


def _is_echo(text: str) -> bool:
    """Whether a callback has replaced this text a moment ago."""
    now = time.monotonic()
    echoes = [(old, at) for old, at in st.session_state.recipe_echoes if now - at < ECHO_S]
    st.session_state.recipe_echoes = echoes
    return text in {old for old, _ in echoes}


def field() -> None:
    """Where the recipe is typed. Text that cannot be read stays here to be corrected, with its
    message, until the recipe changes; address and history do not hear of it."""
    with st.container(key="recipe_in_address"):  # not seen: frame.css
        st.text_input(_("Recipe in the address"), key="recipe", bind="query-params")
    settle_recipe_text()  # the browser's back and forward change the one above
    _show_recipe_as_typed()
    st.text_input(
        _("Recipe as text"),
        key=TYPED,
        persist_state="session",
        placeholder="prune:sparsity=0.9;quantize:bits=5",
        on_change=_take_typed,
        help=_(
            "The same recipe as on the command line, steps joined by `;`. Edit, copy or "
            "paste it; the address of this page carries it too."
        ),
    )
    problem = problem_of(values.text(TYPED))
    if problem:
        said = _("{problem}. The recipe is as it was.", problem=of_core(problem))
        st.error(said, title=_("Not a recipe"))


def _show_recipe_as_typed() -> None:
    """Once the recipe has changed, the field shows the new one."""
    text = st.session_state.recipe_written
    if st.session_state.get("recipe_shown") != text:
        st.session_state.recipe_echoes.append((values.text(TYPED), time.monotonic()))
        st.session_state[TYPED] = st.session_state.recipe_shown = text


def _take_typed() -> None:
    """What was typed becomes the recipe, if it is one."""
    text = values.text(TYPED)
    if _is_echo(text):
        st.session_state[TYPED] = st.session_state.recipe_written
    elif not problem_of(text):
        set_recipe_text(text)


def assert_bound(key: str, value: str) -> None:
    """Let a widget that is bound to the address keep what a callback wrote into it.

    After a callback that ends in st.rerun, Streamlit forgets this value, and the old one in the
    address would win. The browser's back button still wins over this.
    """
    st.session_state[key] = value
