"""The bar over a page while a lesson is on: the question, the prediction, and what was measured."""

import secrets
from typing import Any

import streamlit as st

from compress_core import DataError, Recipe
from compress_core.recipe import parse_recipe
from ui import wake_up, words
from ui.core_sentences import of_core
from ui.language import _
from ui.learn import challenges, hiding, place, prediction, progress
from ui.learn.answers import ANSWERS
from ui.learn.answers.asked import Answer, Asked, NotYet, Predicted, largest_layer
from ui.learn.classes import Asked as ClassQuestion
from ui.learn.classes import ClassStore
from ui.learn.lesson import Choice, Number, Step, Values
from ui.learn.place import Place
from ui.learn.prediction import Outcome
from ui.session import fragments, recipe_field, state
from ui.session.state import ROOT

STYLE = ROOT / "ui" / "learn" / "bar.css"
OUTCOME = "lesson_outcome"


@st.cache_resource(show_spinner=False)
def class_store() -> ClassStore:
    return ClassStore()


def place_for_bar() -> Any:
    """Where the bar will be, and the style of what is hidden. The bar is drawn last, by `show`: a
    click in it, while the page is still being drawn, would break off the rest."""
    found = place.present()
    if found is None:
        st.session_state.lesson_shown = False
        return st.container()
    hidden = hiding.style(found.step.hides) if found.step else ""
    st.html(f"<style>{STYLE.read_text()}</style>{hidden}")
    return st.container(key="lesson_place")


def show(page: str) -> None:
    """The bar; nothing where no lesson is on."""
    if place.present():
        _bar(page)
        st.session_state.lesson_shown = True  # from here on it can be rerun by its key


@st.fragment(key=fragments.LESSON)
def _bar(page: str) -> None:
    found = place.present()
    if found is None:
        return
    with st.container(key="lesson"):
        with st.container(horizontal=True, vertical_alignment="top"):
            st.markdown(_question(found))
            _links(found)
        if found.start.page not in ("", page):
            _way_back(found)
        elif found.step is None:
            challenges.show(found)
        else:
            _answer(found, found.step)


def _question(found: Place) -> str:
    text = found.step.shown(found.step.question) if found.step else _(found.item.text)
    if found.is_asked:
        return f"**{words.escape_markdown(text)}**"
    where = _("{at} of {steps}", at=found.at, steps=found.steps)
    title = f"{_(found.item.title)} · {where}" if found.step else _(found.item.title)
    return f":small[{title}]  \n**{text}**"


def _links(found: Place) -> None:
    """Back, next, and the way out."""
    with st.container(
        horizontal=True,
        gap="small",
        width="content",
        vertical_alignment="center",
        key="lesson_links",
    ):
        if found.at > 1:
            _link_to(found, found.at - 1, _("Back"), ":material/arrow_back:")
        if found.at < found.steps:
            _link_to(found, found.at + 1, _("Next"), ":material/arrow_forward:")
        elif not found.is_asked:
            st.page_link(
                st.Page(ROOT / "pages" / "learn.py"),
                label=_("All lessons"),
                icon=":material/school:",
            )
        st.button(
            ":material/close:",
            key="lesson_leave",
            type="tertiary",
            help=_("Leave the lesson. The page and its recipe stay."),
            on_click=_leave,
        )


def _link_to(found: Place, at: int, label: str, icon: str) -> None:
    page = found.item.steps[at - 1].page  # type: ignore[union-attr]  # a challenge has one step
    st.page_link(
        st.Page(ROOT / "pages" / f"{page}.py"),
        label=label,
        icon=icon,
        query_params=found.query_at(at),
    )


def _way_back(found: Place) -> None:
    """Somebody turned to another page meanwhile."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(_("This step stands on another page."), width="content")
        st.page_link(
            st.Page(ROOT / "pages" / f"{found.start.page}.py"),
            label=_("Back to it"),
            icon=":material/undo:",
            query_params=dict(found.query),
        )


def _leave() -> None:
    place.leave()
    st.rerun()


def _answer(found: Place, step: Step) -> None:
    """The prediction, and beside it, once it was checked, what is measured."""
    quiet = st.container(key="lesson_quiet")
    with st.container(horizontal=True, vertical_alignment="center", key="lesson_row"):
        prediction.field(found, step)
        st.button(
            _("Check"),
            key="lesson_check",
            type="primary",
            on_click=_check,
            args=(found, step),
        )
        outcome = st.session_state.get(OUTCOME)
        if isinstance(outcome, Outcome) and outcome.key == found.key:
            _reveal(found, step, outcome, quiet)
        elif found.class_code:
            st.caption(
                _(
                    "Your prediction goes, without a name, to the class {code}.",
                    code=found.class_code,
                )
            )


def _check(found: Place, step: Step) -> None:
    """The callback: note the prediction, and let the page show what it is about."""
    outcome = prediction.read(found, step)
    st.session_state[OUTCOME] = outcome
    if outcome.predicted is None:
        return
    if found.class_code:
        _tell_class(found, step, outcome.predicted)
    if step.goals:
        recipe_field.set_recipe_text(step.goals[-1])


def _tell_class(found: Place, step: Step, predicted: Predicted) -> None:
    who = st.session_state.setdefault("lesson_who", secrets.token_hex(8))
    question = ClassQuestion(found.item.title, step, step.model, _recipes(step))
    if not class_store().predict(found.class_code, found.key, question, str(who), predicted):
        st.toast(_("There are as many predictions as there may be: yours is not counted."))


# --- the answer ---


def _recipes(step: Step) -> tuple[Recipe, ...]:
    """What is measured: the goals, or what the step begins with; never what the visitor has made of
    the page, else each of a class would be told another answer."""
    return tuple(map(parse_recipe, step.goals or (step.recipe,)))


def _reveal(found: Place, step: Step, outcome: Outcome, quiet: Any) -> None:
    """`quiet` is a place for what nobody sees."""
    if outcome.predicted is None:
        st.caption(prediction.problem(step))
        return
    layer = step.layer or largest_layer(step.model)
    asked = Asked(step.model, _recipes(step), layer, outcome.predicted)
    try:
        answer = measured(step, asked)
    except NotYet as waiting:
        st.caption(f":material/hourglass_empty: {waiting}")
        with quiet:
            wake_up.show_after("lesson_wake_up", waiting.after_s)
    except (ValueError, DataError) as error:
        reason = words.escape_markdown(words.clip(of_core(error)))
        st.warning(_("It cannot be measured: {reason}", reason=reason))
    else:
        with quiet:
            progress.note(found.key)
        text = sentence(step, outcome.predicted, answer)
        if state.chosen_model() != step.model:
            about = _("It is about {model}, not the model on the page.", model=step.model)
            text = _one_after_the_other(text, about)
        st.markdown(text)


def measured(step: Step, asked: Asked) -> Answer:
    """The answer to a step's question. Raises NotYet while it is being measured, ValueError where
    it cannot be."""
    return ANSWERS[step.answer](asked)


def sentence(step: Step, predicted: Predicted, answer: Answer) -> str:
    """The measured answer beside the prediction, and why."""
    text = _beside(step, predicted, answer)
    if step.is_asked:
        return text
    return _one_after_the_other(text, _(step.why, **dict(answer.facts)))


def _one_after_the_other(first: str, second: str) -> str:
    """Two sentences: not every language puts a space between them."""
    return _("{first} {second}", first=first, second=second)


def _beside(step: Step, predicted: Predicted, answer: Answer) -> str:
    match step.prediction:
        case Choice(options) if isinstance(predicted, float):
            chosen = words.escape_markdown(step.shown(options[int(predicted)]))
            if step.is_asked:
                return _both(chosen, answer.shown)
            if predicted == answer.value:
                return _(":material/check: **{chosen}** is right.", chosen=chosen)
            return _both(chosen, words.escape_markdown(step.shown(options[int(answer.value)])))
        case Values():
            return _("The optimum: **{shown}**.", shown=answer.shown)
        case Number() as number:
            has_unit = not answer.shown[-1].isdigit()
            shown = answer.shown if has_unit else number.with_unit(answer.shown)
            return _both(number.with_unit(f"{predicted:g}"), shown)
    return _("Measured: **{shown}**.", shown=answer.shown)


def _both(predicted: str, measured: str) -> str:
    return _("You: {predicted}. Measured: **{measured}**.", predicted=predicted, measured=measured)
