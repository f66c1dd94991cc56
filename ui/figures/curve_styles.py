"""How the curves of the plane look: colour, dash and marker of each family of recipes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import cycle


@dataclass(frozen=True)
class Style:
    """How a curve looks: colour by what is done to the weights, dash and marker tell the rest."""

    role: str
    dash: str
    symbol: str


ROLES = {  # of families of one kind; several kinds together are "compressed"
    "fold": "original",
    "structured": "pruned",
    "prune": "pruned",
    "factorize": "kept",
    "quantize": "quantized",
    "share": "quantized",
    "activations": "quantized",
}
SYMBOLS = (
    "circle",
    "square",
    "diamond",
    "triangle-up",
    "triangle-down",
    "hexagon",
    "cross",
    "star-square",
    "hourglass",
    "bowtie",
    "triangle-left",
    "triangle-right",
    "star-diamond",
    "hexagram",
    "diamond-wide",
    "circle-x",
    "square-x",
    "star-triangle-up",
)
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "12px,3px,3px,3px")
CONTROL = "random_prune"  # no method: what pruning is worth when it does not look at the weights


def curve_styles(kinds: Mapping[str, Collection[str]]) -> dict[str, Style]:
    """A style for each family, by the kinds of its steps and its place among all of them.

    What is chosen to be shown changes no style. The first of each colour has a solid line.
    """
    dashes = {role: cycle(DASHES) for role in ("compressed", *ROLES.values())}
    styles = {}
    for (name, used), symbol in zip(kinds.items(), cycle(SYMBOLS), strict=False):
        role = ROLES.get(next(iter(used)), "compressed") if len(used) == 1 else "compressed"
        styles[name] = Style(role, next(dashes[role]), symbol)
    if CONTROL in styles:
        styles[CONTROL] = Style("original", "dot", "x")
    return styles
