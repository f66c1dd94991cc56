"""In the sidebar: an instructor makes a link of what is on the screen, with a question."""

import secrets

import streamlit as st

from ui import presenter, words
from ui.core_sentences import of_core
from ui.language import N_, _
from ui.learn import hiding, link
from ui.learn.link import MEASURES, MOST_QUESTION, Question
from ui.session import address, recipe_field, state, values
from ui.session.state import ROOT

START_HELP = N_(
    "The link opens with the untouched model, and the steps are applied when a prediction is "
    "checked. Off: it opens with the recipe as it is now, and that is measured. The page's choices "
    "are in the link either way."
)
OPTIONS_HELP = N_("With options, one of them is chosen; without, a number is asked for.")
CLASS_HELP = N_(
    "The link carries a code. Predictions are collected under it, without names, in this server's "
    "memory, for a day; who has the code sees them."
)
HIDE_HELP = N_("Controls that whoever opens the link neither sees nor reaches.")


def show(page: str) -> None:
    """The panel; it makes the link when asked to, of what is on the screen then."""
    if page in ("learn", "class_answers"):
        return
    with st.sidebar, st.container(key="link_panel"):
        _panel(page)


@st.fragment
def _panel(page: str) -> None:
    closed = st.expander(
        _("Make a link of this screen"),
        icon=":material/link:",
        type="compact",
        key="link_open",
        on_change="rerun",
    )
    if closed.open:  # few visitors are instructors
        with closed:
            _question()
            _state(page)
            if st.button(_("Make the link"), key="link_make", width="stretch"):
                _made(page)


def _question() -> None:
    """What is asked, what is measured, and what can be chosen."""
    values.repair("link_ask", values.text("link_ask"))
    values.repair("link_measure", values.chosen("link_measure", MEASURES))
    values.repair("link_options", values.text("link_options"))
    st.text_area(
        _("Question"),
        key="link_ask",
        max_chars=MOST_QUESTION,
        height=80,
        persist_state="session",
    )
    st.selectbox(
        _("What is measured"),
        list(MEASURES),
        key="link_measure",
        format_func=lambda name: _(MEASURES[name][0]),
        filter_mode=None,
        persist_state="session",
    )
    st.text_input(
        _("Options, with | between them"),
        key="link_options",
        placeholder=_("less than 1 | 1 to 5 | more"),
        help=_(OPTIONS_HELP),
        persist_state="session",
    )


def _state(page: str) -> None:
    """What is hidden, where it begins, and whether a class predicts together."""
    labels = hiding.labels(page)
    values.repair(_hide_key(page), _hidden(page))
    values.repair("link_start", values.switched("link_start", True))
    values.repair("link_class", values.switched("link_class"))
    st.multiselect(
        _("Hide"),
        list(labels),
        placeholder=_("Choose options"),
        key=_hide_key(page),
        persist_state="session",
        format_func=lambda key: _(labels[key]),
        help=_(HIDE_HELP),
    )
    for label, key, text in (
        (_("Begin with the untouched model"), "link_start", _(START_HELP)),
        (_("Collect the predictions of a class"), "link_class", _(CLASS_HELP)),
    ):
        st.toggle(label, key=key, persist_state="session", help=text)


def _hide_key(page: str) -> str:
    return f"link_hide_{page}"


def _hidden(page: str) -> list[str]:
    """The chosen keys, checked."""
    found = st.session_state.get(_hide_key(page))
    chosen = found if isinstance(found, list) else []
    return [key for key in hiding.labels(page) if key in chosen]


def _made(page: str) -> None:
    """The link, to be copied, or why there is none."""
    code = secrets.token_hex(4) if values.switched("link_class") else ""
    try:
        made = _link(page, code)
    except ValueError as error:
        st.error(words.escape_markdown(words.clip(of_core(error))), title=_("No link"))
        return
    st.code(made, language=None, wrap_lines=True)
    if code:
        st.page_link(
            st.Page(ROOT / "pages" / "class_answers.py"),
            label=_("The answers of the class"),
            icon=":material/bar_chart:",
            query_params={"class": code},
        )


def _link(page: str, code: str) -> str:
    if not values.text("link_ask").strip():
        raise ValueError(_("There is no question: write one above."))
    recipe, apart = values.text("recipe"), values.switched("link_start", True)
    if recipe_field.problem_of(values.text(recipe_field.TYPED)):
        raise ValueError(_("The recipe cannot be read: mend it in its field first."))
    options = tuple(filter(None, map(str.strip, values.text("link_options").split(link.SEPARATOR))))
    question = Question(
        ask=values.text("link_ask").strip(),
        measure=values.chosen("link_measure", MEASURES),
        options=options,
        goal=recipe if apart and recipe else None,
        hides=tuple(_hidden(page)),
        class_code=code,
    )
    here = (st.context.url or "").rstrip("/")  # with or without the page: Streamlit 1.67 has both
    return link.write(
        here.removesuffix(f"/{page}"),
        "" if page == "overview" else page,
        question,
        model=state.chosen_model(),
        recipe="" if apart else recipe,
        present="1" if presenter.on() else "",
        **_choices(page),
    )


def _choices(page: str) -> dict[str, str]:
    """What the address says of the page's own choices, and of the numbers beside the recipe."""
    prefix = f"{page.split('_')[0]}_"
    own = [key for key in (*address.CHOICES, *address.LAYERS) if key.startswith(prefix)]
    return {key: st.query_params[key] for key in (*own, *address.NUMBERS) if key in st.query_params}
