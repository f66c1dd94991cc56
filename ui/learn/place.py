"""Where the visitor is: a step of a lesson, a challenge, an instructor's question, or nowhere.

The address says it; the session keeps it, and puts it back where a page switch has dropped it.
"""

from dataclasses import dataclass, replace

import streamlit as st

from ui.language import _
from ui.learn import link
from ui.learn.lesson import Challenge, Lesson, Step
from ui.learn.lessons import BY_NAME
from ui.session import address, recipe_field, values

KEYS = ("lesson", "at", "ask", "measure", "choices", "goal", "hide", "class")
AWAY = ("learn", "class_answers")  # the pages where no lesson is
PLACE, SAID = "lesson_place", "lesson_said"  # in the session: the place, and its address


@dataclass(frozen=True)
class Place:
    """What the address says of it (`query`), a lesson with its step counted from 1, and the code
    of the class that predicts together ("": none)."""

    query: tuple[tuple[str, str], ...]
    item: Lesson | Challenge
    at: int
    class_code: str

    @property
    def step(self) -> Step | None:
        """The present step; None in a challenge."""
        return self.item.steps[self.at - 1] if isinstance(self.item, Lesson) else None

    @property
    def start(self) -> Step | Challenge:
        """What says on which page it is (""; on any), and with which model it begins."""
        return self.item if isinstance(self.item, Challenge) else self.item.steps[self.at - 1]

    @property
    def steps(self) -> int:
        return len(self.item.steps) if isinstance(self.item, Lesson) else 1

    @property
    def is_asked(self) -> bool:
        """Whether an instructor's link asks it."""
        return not self.item.name

    @property
    def key(self) -> str:
        """What progress and predictions are kept under; of a link all that it asks, with the model
        and the recipe that are measured."""
        return f"{self.item.name}/{self.at}" if self.item.name else repr(self.step)

    def query_at(self, at: int) -> dict[str, str]:
        """The address of another step."""
        return dict(self.query) | {"at": str(at)}


def present() -> Place | None:
    """Where the session is."""
    found = st.session_state.get(PLACE)
    return found if isinstance(found, Place) else None


def ensure(page: str) -> None:
    """Bring address and session together, before any widget of the run is drawn."""
    if page in AWAY:
        leave(but="class" if page == "class_answers" else "")
        return
    before, is_new = present(), PLACE not in st.session_state
    query = {key: st.query_params[key] for key in KEYS if key in st.query_params}
    if not query and before and not values.went_back():
        _tell(dict(before.query))
        return
    is_same = before is not None and query == st.session_state.get(SAID)
    if is_same and (before.is_asked or not values.went_back()):  # type: ignore[union-attr]
        return  # a link's question stays what it was, whatever model and recipe became
    begins = {key: st.query_params[key] for key in ("model", "recipe") if key in st.query_params}
    place, notices = read(query, begins)
    st.session_state.notices = [*st.session_state.get("notices", []), *notices]
    if values.went_back():
        st.session_state[PLACE], st.session_state[SAID] = place and _on(page, place), query
        return
    st.session_state[PLACE] = place
    _tell(dict(place.query) if place else {})
    if place and not (is_new and "recipe" in st.query_params):  # else it was reloaded
        _begin(place)


def _on(page: str, place: Place) -> Place:
    """The place itself, or the step before it that is on this page: on the way from one page to the
    next, Streamlit 1.67 leaves an entry in the browser's history that has the address of the new
    step and the page of the old one."""
    if not isinstance(place.item, Lesson) or place.start.page in ("", page):
        return place
    earlier = [at for at in range(1, place.at) if place.item.steps[at - 1].page == page]
    return (
        replace(place, at=earlier[-1], query=tuple(place.query_at(earlier[-1]).items()))
        if earlier
        else place
    )


def leave(but: str = "") -> None:
    """Forget the lesson; the page and its recipe stay, and the key `but` of the address."""
    st.session_state[PLACE] = None
    _tell({key: st.query_params[key] for key in (but,) if key in st.query_params})


def read(query: dict[str, str], begins: dict[str, str]) -> tuple[Place | None, list[str]]:
    """The place that the keys of an address name, and a notice for each value that cannot be
    used; `begins` are the model and the recipe of the same address."""
    notices: list[str] = []
    if "lesson" in query:
        found = _lesson(query, notices)
        if found is None:
            return None, notices
        item, at = found
        said = {"lesson": item.name, "at": str(at)}
    elif query.keys() - {"class"}:
        step, notices = link.read(query | begins)
        if step is None:
            return None, notices
        item, at = Lesson("", "A question", "", (step,)), 1
        said = {key: query[key] for key in query if key not in ("class", "at")}
        said["goal"] = step.goals[0]  # the recipe of the address changes, what is asked does not
    else:
        return None, notices
    code = link.class_code(query, notices)
    return Place(tuple((said | ({"class": code} if code else {})).items()), item, at, code), notices


def _lesson(query: dict[str, str], notices: list[str]) -> tuple[Lesson | Challenge, int] | None:
    item = BY_NAME.get(query["lesson"])
    if item is None:
        notices.append(
            _(
                "lesson={found} in the address is not one of {lessons}; choose one on the page "
                "Learn.",
                found=query["lesson"][:40],
                lessons=", ".join(BY_NAME),
            )
        )
        return None
    last, text = len(item.steps) if isinstance(item, Lesson) else 1, query.get("at", "1")
    if text not in map(str, range(1, last + 1)):
        notices.append(
            _(
                "at={at} in the address is not a step from 1 to {last} of “{lesson}”; it starts at "
                "step 1.",
                at=text[:20],
                last=last,
                lesson=_(item.title),
            )
        )
        return item, 1
    return item, int(text)


def _tell(query: dict[str, str]) -> None:
    """Let the address say this and nothing else of a lesson."""
    st.session_state[SAID] = query
    for key in KEYS:
        if key in st.query_params and key not in query:
            del st.query_params[key]
    for key, value in query.items():
        if st.query_params.get(key) != value:
            st.query_params[key] = value


def _begin(place: Place) -> None:
    """The state in which a step or a challenge begins; a link has its own in the address."""
    if place.is_asked:
        return
    st.session_state.model = place.start.model
    recipe_field.write_recipe_text(place.step.recipe if place.step else "")
    prefix = f"{place.start.page.split('_')[0]}_"
    for key in (*address.CHOICES, *address.LAYERS):
        if key.startswith(prefix) and key in st.session_state:
            del st.session_state[key]
    for key, value in place.step.choices if place.step else ():
        st.session_state[key] = value
