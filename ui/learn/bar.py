"""The bar over a page while a lesson is on: the question, the prediction, and what was measured."""

import secrets
from typing import Any

import streamlit as st

from compress_core import DataError, Recipe
from compress_core.recipe import parse_recipe
from ui import wake_up, words
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
    text = found.step.question if found.step else found.item.text
    if found.is_asked:
        return f"**{words.escape_markdown(text)}**"
    where = f" · {found.at} of {found.steps}" if found.step else ""
    return f":small[{found.item.title}{where}]  \n**{text}**"


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
            _link_to(found, found.at - 1, "Back", ":material/arrow_back:")
        if found.at < found.steps:
            _link_to(found, found.at + 1, "Next", ":material/arrow_forward:")
        elif not found.is_asked:
            st.page_link(
                st.Page(ROOT / "pages" / "learn.py"), label="All lessons", icon=":material/school:"
            )
        st.button(
            ":material/close:",
            key="lesson_leave",
            type="tertiary",
            help="Leave the lesson. The page and its recipe stay.",
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
        st.caption("This step stands on another page.", width="content")
        st.page_link(
            st.Page(ROOT / "pages" / f"{found.start.page}.py"),
            label="Back to it",
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
            "Check",
            key="lesson_check",
            type="primary",
            on_click=_check,
            args=(found, step),
        )
        outcome = st.session_state.get(OUTCOME)
        if isinstance(outcome, Outcome) and outcome.key == found.key:
            _reveal(found, step, outcome, quiet)
        elif found.class_code:
            st.caption(f"Your prediction goes, without a name, to the class {found.class_code}.")


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
        st.toast("There are as many predictions as there may be: yours is not counted.")


# --- the answer ---


def _recipes(step: Step) -> tuple[Recipe, ...]:
    """What is measured: the goals, or what the step begins with; never what the visitor has made of
    the page, else each of a class would be told another answer."""
    return tuple(map(parse_recipe, step.goals or (step.recipe,)))


def _reveal(found: Place, step: Step, outcome: Outcome, quiet: Any) -> None:
    """`quiet` is a place for what nobody sees."""
    if outcome.predicted is None:
        st.caption(outcome.problem)
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
        st.warning(f"It cannot be measured: {words.escape_markdown(words.clip(str(error)))}")
    else:
        with quiet:
            progress.note(found.key)
        other = state.chosen_model() != step.model
        about = f" It is about {step.model}, not the model on the page." if other else ""
        st.markdown(sentence(step, outcome.predicted, answer) + about)


def measured(step: Step, asked: Asked) -> Answer:
    """The answer to a step's question. Raises NotYet while it is being measured, ValueError where
    it cannot be."""
    return ANSWERS[step.answer](asked)


def sentence(step: Step, predicted: Predicted, answer: Answer) -> str:
    """The measured answer beside the prediction, and why."""
    text = _beside(step, predicted, answer)
    why = step.why.format(**dict(answer.facts))
    return f"{text} {why}".strip()


def _beside(step: Step, predicted: Predicted, answer: Answer) -> str:
    match step.prediction:
        case Choice(options) if isinstance(predicted, float):
            chosen = words.escape_markdown(options[int(predicted)])
            if step.why == "":  # a link's own texts: nobody says which of them is right
                return f"You: {chosen}. Measured: **{answer.shown}**."
            if predicted == answer.value:
                return f":material/check: **{chosen}** is right."
            right = words.escape_markdown(options[int(answer.value)])
            return f"You: {chosen}. Measured: **{right}**."
        case Values():
            return f"The optimum: **{answer.shown}**."
        case Number(unit):
            shown = answer.shown if _has_unit(answer.shown) else f"{answer.shown} {unit}"
            return f"You: {predicted:g} {unit}. Measured: **{shown}**."
    return f"Measured: **{answer.shown}**."


def _has_unit(shown: str) -> bool:
    return not shown[-1].isdigit()
