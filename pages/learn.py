"""Learn: lessons and challenges on the real pages; how far one is, the browser itself remembers."""

import secrets

import streamlit as st

from ui.language import _
from ui.learn import progress
from ui.learn.lesson import Challenge, Lesson
from ui.learn.lessons import LESSONS
from ui.learn.lessons.challenges import CHALLENGES
from ui.session import fragments
from ui.session.state import ROOT

FORGET = "learn_forget_word"


@fragments.body
def learn() -> None:
    st.title(_("Learn"), anchor=False)
    st.markdown(
        _(
            "Lessons of five minutes on the real pages: predict a number, move the control, and "
            "see what is measured. Each is in the address, so a link to it can be sent around."
        )
    )
    done = progress.known(forget=str(st.session_state.get(FORGET, "")))
    for start in range(0, len(LESSONS), 2):
        row = LESSONS[start : start + 2]
        for column, lesson in zip(st.columns(2), row, strict=False):
            with column:
                _lesson(lesson, done)
    st.subheader(_("Challenges"), anchor=False)
    for column, challenge in zip(st.columns(len(CHALLENGES)), CHALLENGES, strict=True):
        with column:
            _challenge(challenge, done)
    st.caption(_("Your progress is kept by this browser alone."))
    st.button(
        _("Forget my progress"),
        key="learn_forget",
        type="tertiary",
        on_click=_forget,
        disabled=not done,
        help=_("Takes all marks away."),
    )


def _forget() -> None:
    st.session_state[FORGET] = secrets.token_hex(4)


def _lesson(lesson: Lesson, done: frozenset[str]) -> None:
    """Title, sentence, how far one is, and the link to the first step that is not done."""
    steps = len(lesson.steps)
    open_steps = [n for n in range(1, steps + 1) if f"{lesson.name}/{n}" not in done]
    at = open_steps[0] if open_steps else 1
    with st.container(border=True, key=f"learn_{lesson.name}", gap="xsmall"):
        mark = _mark(steps - len(open_steps), steps)
        st.markdown(f"**{_(lesson.title)}**{mark}  \n{_(lesson.text)}")
        label = _("Begin") if at == 1 else _("Go on with step {at} of {steps}", at=at, steps=steps)
        if not open_steps:
            label = _("Once more")
        st.page_link(
            st.Page(ROOT / "pages" / f"{lesson.steps[at - 1].page}.py"),
            label=label,
            icon=":material/play_arrow:",
            query_params={"lesson": lesson.name, "at": str(at)},
        )


def _challenge(challenge: Challenge, done: frozenset[str]) -> None:
    with st.container(border=True, key=f"learn_{challenge.name}", gap="xsmall"):
        solved = f"{challenge.name}/1" in done
        st.markdown(f"**{_(challenge.title)}**{_mark(int(solved), 1)}  \n{_(challenge.text)}")
        st.page_link(
            st.Page(ROOT / "pages" / f"{challenge.page}.py"),
            label=_("Try it"),
            icon=":material/flag:",
            query_params={"lesson": challenge.name},
        )


def _mark(done: int, of: int) -> str:
    if not done:
        return ""
    if done == of:
        return " :green[:material/check_circle:]"
    return " " + _(":gray[{done} of {of}]", done=done, of=of)


learn()
