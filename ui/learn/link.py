"""A question that an instructor asks by an address: written, read, and checked.

    /prune?model=…&recipe=…&ask=…&measure=points_lost&goal=…&choices=a|b&hide=prune_scope&class=…

`model` and `recipe` are what the page begins with, `goal` is the recipe of the same model that is
measured (without it, `recipe`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from compress_core.recipe import parse_recipe
from compress_core.sources import is_known
from ui.core_sentences import of_core
from ui.language import N_, _
from ui.learn import hiding
from ui.learn.lesson import Choice, Number, Step
from ui.session import recipe_field
from ui.session.state import DEFAULT_MODEL

MOST_QUESTION, MOST_OPTION, MOST_OPTIONS = 300, 60, 6  # characters, characters, options
SEPARATOR = "|"
CODE = re.compile(r"[A-Za-z0-9-]{4,24}")
CODE_RULE = N_("4 to 24 letters, digits and hyphens")
MEASURES = {  # what is measured: its name, the unit of a prediction
    "points_lost": (N_("Points of accuracy lost"), Number("points", -100, 100, 0.1)),
    "accuracy_percent": (N_("Accuracy, %"), Number("%", 0, 100, 0.1)),
    "file_kb": (N_("Size of the file, KB"), Number("KB", 0, 100_000)),
    "ratio": (N_("How many times smaller"), Number("times", 0, 10_000, 0.1)),
    "sparsity_percent": (N_("Zeros, %"), Number("%", 0, 100, 0.1)),
    "macs_percent": (N_("MACs that are left, %"), Number("%", 0, 1000, 0.1)),
}


@dataclass(frozen=True)
class Question:
    """What the panel of the instructor says; `goal` is a recipe, "" the untouched model, None
    the recipe that the page begins with."""

    ask: str
    measure: str
    options: tuple[str, ...] = ()
    goal: str | None = None
    hides: tuple[str, ...] = ()
    class_code: str = ""


def write(base: str, page: str, question: Question, **state: str) -> str:
    """The address; `state` are model, recipe, and what else the page's address says. Raises
    ValueError for what `read` would refuse."""
    query = {
        "ask": question.ask,
        "measure": question.measure,
        "choices": SEPARATOR.join(question.options),
        "hide": SEPARATOR.join(question.hides),
        "class": question.class_code,
    }
    said = {key: value for key, value in (state | query).items() if value}
    if question.goal is not None:
        said["goal"] = question.goal
    if SEPARATOR in "".join(question.options):
        raise ValueError(
            _("{separator} separates the options: leave it out of them", separator=SEPARATOR)
        )
    problems = read(said)[1]
    if problems:
        raise ValueError(" ".join(problems))
    return f"{base.rstrip('/')}/{page}?{urlencode(said)}"


def read(query: Mapping[str, str]) -> tuple[Step | None, list[str]]:
    """The step that the keys of an address make, None without a question; and a notice for each
    value that cannot be used."""
    notices: list[str] = []
    ask = " ".join(query.get("ask", "").split())
    if not 1 <= len(ask) <= MOST_QUESTION:
        notices.append(
            _(
                "ask in the address has {length:,} characters; a question has 1 to {most}: the "
                "link shows no question.",
                length=len(ask),
                most=MOST_QUESTION,
            )
        )
        return None, notices
    measure = query.get("measure", "points_lost")
    if measure not in MEASURES:
        notices.append(
            _(
                "measure={found} in the address is not one of {measures}; the link shows no "
                "question.",
                found=measure[:40],
                measures=", ".join(MEASURES),
            )
        )
        return None, notices
    goal = _goal(query, notices)
    return (
        Step(
            page="",
            question=ask,
            prediction=_options(query, notices) or MEASURES[measure][1],
            answer=measure,
            why="",
            goals=(goal,),
            model=query["model"] if is_known(query.get("model", "")) else DEFAULT_MODEL,
            hides=_hides(query, notices),
        ),
        notices,
    )


def class_code(query: Mapping[str, str], notices: list[str]) -> str:
    """The code of the class whose predictions are collected, or none."""
    code = query.get("class", "")
    if code and not CODE.fullmatch(code):
        notices.append(
            _(
                "class={code} in the address is not {rule}; predictions are not collected.",
                code=code[:40],
                rule=_(CODE_RULE),
            )
        )
        return ""
    return code


def _goal(query: Mapping[str, str], notices: list[str]) -> str:
    """What is measured. A recipe that cannot be read has its notice from the page itself."""
    if "goal" in query:
        try:
            parse_recipe(query["goal"])
        except ValueError as error:
            notices.append(
                _(
                    "The goal in the address cannot be used: {reason}. The recipe that the link "
                    "begins with is measured.",
                    reason=of_core(error),
                )
            )
        else:
            return query["goal"]
    begins = query.get("recipe", "")
    return "" if recipe_field.problem_of(begins) else begins


def _options(query: Mapping[str, str], notices: list[str]) -> Choice | None:
    if "choices" not in query:
        return None
    options = tuple(" ".join(text.split()) for text in query["choices"].split(SEPARATOR))
    if 2 <= len(set(options)) == len(options) <= MOST_OPTIONS and all(
        1 <= len(text) <= MOST_OPTION for text in options
    ):
        return Choice(options)
    notices.append(
        _(
            "choices={choices} in the address are not 2 to {most_options} different texts of 1 to "
            "{most_characters} characters, with {separator} between them; a number is asked for.",
            choices=query["choices"][:80],
            most_options=MOST_OPTIONS,
            most_characters=MOST_OPTION,
            separator=SEPARATOR,
        )
    )
    return None


def _hides(query: Mapping[str, str], notices: list[str]) -> tuple[str, ...]:
    keys: Sequence[str] = query["hide"].split(SEPARATOR) if query.get("hide") else ()
    wrong = [key for key in keys if key not in hiding.ALL]
    if wrong:
        notices.append(
            _(
                "hide={keys} in the address names no control; it is one of {controls}.",
                keys=SEPARATOR.join(wrong)[:80],
                controls=", ".join(sorted(hiding.ALL)),
            )
        )
    return tuple(key for key in keys if key in hiding.ALL)
