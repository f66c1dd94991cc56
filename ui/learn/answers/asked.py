"""What is asked, and what an answer is."""

from dataclasses import dataclass

from compress_core import Recipe
from ui.session import caches

Predicted = float | tuple[float, ...]


class NotYet(Exception):  # noqa: N818  # no error: the measurement is under way
    """What is asked is being measured; look again `after_s` seconds later."""

    def __init__(self, after_s: float, text: str) -> None:
        super().__init__(text)
        self.after_s = after_s


@dataclass(frozen=True)
class Asked:
    """What is to be measured: recipes of a model, each of which fits it; one of its layers; and
    what was predicted, for answers that judge it."""

    model: str
    recipes: tuple[Recipe, ...]
    layer: str
    predicted: Predicted = 0.0

    @property
    def recipe(self) -> Recipe:
        return self.recipes[-1]


@dataclass(frozen=True)
class Answer:
    """`value` in the unit of the prediction, or the option that is right, counted from 0; `shown`
    as one reads it; `facts` as (name, words) pairs for the sentence behind it."""

    value: float
    shown: str
    facts: tuple[tuple[str, str], ...] = ()


def largest_layer(model: str) -> str:
    layers = caches.original(model).layers
    return max(layers, key=lambda name: layers[name].weight.numel())
