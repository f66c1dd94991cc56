"""What a lesson is: steps, each a state of a real page with a question and what answers it."""

from dataclasses import dataclass

from ui.learn.hiding import SIDEBAR


@dataclass(frozen=True)
class Number:
    """A prediction that is a number from `low` to `high`, in `unit`, as it is read behind it."""

    unit: str
    low: float = 0.0
    high: float = 100.0
    step: float = 1.0


@dataclass(frozen=True)
class Choice:
    """A prediction that is one of some texts; an answer that is a whole number is one of them,
    counted from 0."""

    options: tuple[str, ...]


@dataclass(frozen=True)
class Values:
    """A prediction that is a list of so many numbers."""

    count: int


Prediction = Number | Choice | Values


@dataclass(frozen=True)
class Step:
    """One question on one page.

    It begins with `model` and `recipe`. What is measured are the recipes `goals`, by the function
    of `answers.ANSWERS` called `answer`; without goals it is `recipe`. The page
    shows the last goal once the prediction is checked. `why` has placeholders for the answer's
    facts. `choices` are controls as the address sets them, `hides` keys of controls that are not
    needed; `layer` is what an answer about one layer looks at (the largest, if empty).
    """

    page: str
    question: str
    prediction: Prediction
    answer: str
    why: str
    recipe: str = ""
    goals: tuple[str, ...] = ()
    model: str = "digits-cnn"
    layer: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    hides: tuple[str, ...] = SIDEBAR


@dataclass(frozen=True)
class Lesson:
    """Some steps under a title; `name` stands in the address."""

    name: str
    title: str
    text: str
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Challenge:
    """A state to be found: at most so many bytes, such a share of the MACs, so many points lost,
    all measured. It begins on `page` with the untouched model."""

    name: str
    title: str
    text: str
    page: str
    most_points: float
    most_bytes: int | None = None
    most_macs: float | None = None
    model: str = "digits-cnn"
