"""What a lesson is: steps, each a state of a real page with a question and what answers it."""

from dataclasses import dataclass

from ui.language import N_, _
from ui.learn.hiding import SIDEBAR

WITH_UNIT = {  # a number and its unit, where that is a word
    "points": N_("{number} points"),
    "bits": N_("{number} bits"),
    "times": N_("{number} times"),
    "images": N_("{number} images"),
    "values": N_("{number} values"),
}


@dataclass(frozen=True)
class Number:
    """A prediction that is a number from `low` to `high`, in `unit`, as it is read behind it."""

    unit: str
    low: float = 0.0
    high: float = 100.0
    step: float = 1.0

    @property
    def unit_shown(self) -> str:
        """The unit in the reader's language."""
        return self.with_unit("").strip()

    def with_unit(self, number: str) -> str:
        if self.unit in WITH_UNIT:
            return _(WITH_UNIT[self.unit], number=number)
        return f"{number} {self.unit}".strip()


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

    @property
    def is_asked(self) -> bool:
        """Whether an instructor's link asks it: nobody says why, or which option is right."""
        return not self.why

    def shown(self, text: str) -> str:
        """One of its texts in the reader's language; those of a link are its author's own words."""
        return text if self.is_asked else _(text)


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
