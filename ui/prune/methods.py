"""The methods of the prune page: what each knows, where it ranks, and the step it makes."""

from dataclasses import dataclass
from typing import cast

from compress_core.methods.pruning import (
    Prune,
    PruneNM,
    PruneTaylor,
    PruneWanda,
    RandomPrune,
    Scope,
    ScoreScope,
)
from compress_core.steps import AnyStep


@dataclass(frozen=True)
class Method:
    """Its mask as a formula, what it knows of the network, and its scopes, the usual one first.

    "one" is an exception for the layer that is drawn.
    """

    mask: str
    knows: str
    scopes: tuple[str, ...]


METHODS = {
    "magnitude": Method(
        r"|w| > t",
        "**magnitude** knows the weights alone: the smallest go.",
        ("global", "layer", "one"),
    ),
    "random": Method(
        r"\text{drawn by a seed}",
        "**random** knows nothing. It is the control: what does not beat it has learned nothing.",
        ("layer", "one"),
    ),
    "N:M": Method(
        r"\text{the } n \text{ largest } |w| \text{ of each } m",
        "**N:M** knows the weights alone: of every m neighbours in a row the n largest stay, a "
        "pattern that hardware can skip.",
        ("group", "one"),
    ),
    "Taylor": Method(
        r"\left| w \cdot \tfrac{\partial L}{\partial w} \right| > t",
        "**Taylor** knows weights and gradients: what would move the loss least goes, if each "
        "weight went alone.",
        ("global", "layer", "row", "one"),
    ),
    "Wanda": Method(
        r"|w_{ij}| \cdot \lVert x_j \rVert_2 > t",
        "**Wanda** knows weights and inputs: small weights on quiet inputs go.",
        ("layer", "row", "global", "one"),
    ),
}
SCOPE_HELP = {
    "global": "global: all layers are ranked together.",
    "layer": "layer: each layer loses the same fraction.",
    "row": "row: so does each row, the weights of one output.",
    "group": "group: n of every m neighbours stay, in every layer.",
    "one": "one: an exception for the layer on the right, which wins over the others.",
}
WANDA_HELP = (
    "The paper ranks by row, in large language models. Here layer is preset: a first layer has "
    "rows of 9 weights, and digits-cnn at 70 % is right on 93 % of its images by layer, on 66 % by "
    "row (LeNet-5 is the exception). Inputs of different layers hardly compare: global may fail."
)


def method_of(step: AnyStep) -> str:
    """The page's word for a step that prunes."""
    match step:
        case RandomPrune():
            return "random"
        case PruneNM():
            return "N:M"
        case PruneTaylor():
            return "Taylor"
        case PruneWanda():
            return "Wanda"
    return "magnitude"


def scope_of(step: AnyStep) -> str | None:
    """The scope of a step that prunes; None of one with a threshold, which has none."""
    match step:
        case Prune(sparsity=None):
            return None
        case Prune() | PruneTaylor() | PruneWanda():
            return step.scope
    return METHODS[method_of(step)].scopes[0]


def scope_help(method: str) -> str:
    """What the scopes of a method mean, a line each."""
    lines = [SCOPE_HELP[scope] for scope in METHODS[method].scopes]
    return "  \n".join([*lines, *([WANDA_HELP] if method == "Wanda" else [])])


def make_step(
    method: str, sparsity: float, *, scope: str, samples: int = 256, seed: int = 0
) -> AnyStep:
    """The step of a method that prunes a share (N:M has a pattern instead)."""
    match method:
        case "random":
            return RandomPrune(sparsity, seed)
        case "Taylor":
            return PruneTaylor(sparsity, cast(ScoreScope, scope), samples, seed)
        case "Wanda":
            return PruneWanda(sparsity, cast(ScoreScope, scope), samples, seed)
    return Prune(sparsity, scope=cast(Scope, scope))
