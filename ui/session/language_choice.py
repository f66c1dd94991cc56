"""Which language the reader gets: the browser's, until somebody chooses one in the sidebar or in
the address (`?lang=zh`)."""

import streamlit as st

from ui.language import KEY, LANGUAGES, _, current, telling_script, usual
from ui.session import fragments, recipe_field, values

CHOICE = "language"  # key of the switch
DRAWN = "language_drawn"  # the language of the last run


def ensure() -> None:
    """First of all: the language of this run. The session holds what the address is to say, which
    is nothing where the browser says the same."""
    is_told = KEY not in st.session_state or values.went_back()
    said = st.query_params.get(KEY, "") if is_told else values.text(KEY)
    recipe_field.assert_bound(KEY, said if said in LANGUAGES and said != usual() else "")
    values.repair(CHOICE, current())
    if st.session_state.get(DRAWN) != current():
        _keep_choices()
        st.session_state[DRAWN] = current()


def _keep_choices() -> None:
    """Let every choice be what it was.

    A list of choices sends what it shows. In another language Streamlit 1.67 does not find that
    among the choices, and takes the first one; unless the session sets it in this run.
    """
    for key in list(st.session_state):
        value = st.session_state.get(key)
        shown = value if isinstance(value, list | tuple) else [value]
        if shown and all(isinstance(part, str) for part in shown):
            st.session_state[key] = value


def tell() -> None:
    """The page tells the browser in which language it is."""
    st.html(telling_script(current()), unsafe_allow_javascript=True)


def switch() -> None:
    """The choice at the top of the sidebar: whoever cannot read the page looks there. Each language
    is named in itself."""
    with st.container(key="language_in_address"):  # not seen: frame.css
        st.text_input(_("Language in the address"), key=KEY, bind="query-params")
    with st.container(key="language_switch"):
        st.segmented_control(
            "Language · 语言",
            list(LANGUAGES),
            format_func=LANGUAGES.__getitem__,
            required=True,
            key=CHOICE,
            label_visibility="collapsed",
            persist_state="session",
            on_change=_choose,
        )


def _choose() -> None:
    chosen = values.chosen(CHOICE, LANGUAGES)
    st.session_state[KEY] = "" if chosen == usual() else chosen
    fragments.refresh_app()
