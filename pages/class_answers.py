"""Class answers: what a class has predicted, without names, and the measured answer."""

import streamlit as st

from ui import figures, wake_up, words
from ui.core_sentences import of_core
from ui.language import _
from ui.learn import link
from ui.learn.answers.asked import NotYet
from ui.learn.bar import class_store
from ui.learn.class_figures import Shown, shown_of
from ui.learn.classes import Asked
from ui.panels.chart import chart
from ui.session import fragments, state, values

KEY = "class_answers_code"
LOOK_S = 2.0  # between two looks for new predictions


@fragments.body
def class_answers() -> None:
    st.title(_("Class answers"), anchor=False)
    st.markdown(
        _(
            "Predictions that were made under the code of a class: no names, kept in this "
            "server's memory for a day. A link with a code is made in the sidebar of any other "
            "page."
        )
    )
    if KEY not in st.session_state:
        st.session_state[KEY] = st.query_params.get("class", "")
    st.text_input(_("Code of the class"), key=KEY, max_chars=24, width=260, persist_state="session")
    code = values.text(KEY).strip()
    if not code:
        return
    if not link.CODE.fullmatch(code):
        said = words.escape_markdown(code[:40])  # the address may say anything
        st.error(
            _(
                "“{said}” is no code of a class: a code has {rule}.",
                said=said,
                rule=_(link.CODE_RULE),
            )
        )
        return
    st.query_params["class"] = code
    reveal = st.toggle(
        _("Show the measured answers"),
        key="class_answers_reveal",
        persist_state="session",
        help=_("Off while the class still predicts."),
    )
    _questions(code, reveal=reveal)


@st.fragment
def _questions(code: str, *, reveal: bool) -> None:
    """One histogram a question; it looks again by itself while the page is open."""
    found = class_store().questions(code)
    if not found:
        st.info(_("Nobody has predicted anything under this code yet, or a day has passed."))
    for i, question in enumerate(found):
        try:
            shown = shown_of(question, reveal=reveal)
        except NotYet as waiting:
            st.caption(f":material/hourglass_empty: {waiting}")
        except ValueError as error:
            reason = words.escape_markdown(words.clip(of_core(error)))
            st.warning(_("The answer cannot be measured: {reason}", reason=reason))
        else:
            _question(i, question, shown)
    wake_up.show_after("class_answers_wake_up", LOOK_S)


def _question(index: int, question: Asked, shown: Shown) -> None:
    figure = figures.predictions(
        shown.labels, shown.counts, state.colors(), x=shown.axis, measured=shown.measured
    )
    columns = {shown.axis: shown.labels, _("predictions"): shown.counts}
    asked = question.step.shown(question.step.question)
    chart(figure, f"class_answers_{index}", asked, columns)
    st.caption(_("{model}: {sentence}", model=question.model, sentence=shown.sentence))


class_answers()
