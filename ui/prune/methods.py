"""The methods of the prune page: what each knows, where it ranks, and the step it makes."""

from dataclasses import dataclass
from typing import Any

from compress_core.applying.prune import SCORES
from compress_core.methods.pruning import Prune, PruneNM, PruneTaylor, PruneWanda, RandomPrune
from compress_core.steps import BY_TYPE, ROWS, AnyStep
from ui.language import N_, _


@dataclass(frozen=True)
class Method:
    """The type of its step, its mask as a formula, what it knows of the network, and its scopes,
    the usual one first; `advice` on choosing one, and the `rule` that is its mask where no formula
    says it.

    "one" is an exception for the layer that is drawn.
    """

    step: type[AnyStep]
    mask: str
    knows: str
    scopes: tuple[str, ...]
    advice: str = ""
    rule: str = ""

    def has(self, field: str) -> bool:
        """Whether its step has a field of this name, such as "samples"."""
        return BY_TYPE[self.step].has(field)

    @property
    def is_scored(self) -> bool:
        """Whether it ranks weights by scores, not by their magnitude or by chance."""
        return self.step in SCORES

    @property
    def formula(self) -> str:
        """The mask, or its rule in the reader's language, in LaTeX."""
        return rf"\text{{{_(self.rule)}}}" if self.rule else self.mask


METHODS = {
    N_("magnitude"): Method(
        Prune,
        r"|w| > t",
        N_("**magnitude** knows the weights alone: the smallest go."),
        ("global", "layer", "one"),
    ),
    N_("random"): Method(
        RandomPrune,
        "",
        N_("**random** knows nothing. It is the control: a useful method must be better than it."),
        ("layer", "one"),
        rule=N_("drawn by a seed"),
    ),
    "N:M": Method(
        PruneNM,
        "",
        N_(
            "**N:M** knows the weights alone: of every m neighbours in a row the n largest stay, a "
            "pattern that hardware can skip."
        ),
        ("group", "one"),
        rule=N_("the $n$ largest $|w|$ of each $m$"),
    ),
    "Taylor": Method(
        PruneTaylor,
        r"\left| w \cdot \tfrac{\partial L}{\partial w} \right| > t",
        N_(
            "**Taylor** knows weights and gradients: what would move the loss least goes, if each "
            "weight went alone."
        ),
        ("global", "layer", "row", "one"),
    ),
    "Wanda": Method(
        PruneWanda,
        r"|w_{ij}| \cdot \lVert x_j \rVert_2 > t",
        N_("**Wanda** knows weights and inputs: small weights on small inputs go."),
        ("layer", "row", "global", "one"),
        N_(
            "The paper ranks by row, in large language models. Here layer is preset: a first layer "
            "has rows of 9 weights, and digits-cnn at 70 % is right on 93 % of its images by "
            "layer, on 66 % by row (LeNet-5 is the exception). Inputs of different layers hardly "
            "compare: global may fail."
        ),
    ),
}
NAMES = {method.step: name for name, method in METHODS.items()}
assert NAMES.keys() == {row.type for row in ROWS if row.kind == "prune"}, (
    "a step that prunes has no method on the page, or the reverse"
)
SCOPE_HELP = {
    N_("global"): N_("global: all layers are ranked together."),
    N_("layer"): N_("layer: each layer loses the same fraction."),
    N_("row"): N_("row: so does each row, the weights of one output."),
    N_("group"): N_("group: n of every m neighbours stay, in every layer."),
    N_("one"): N_("one: an exception for the layer on the right, which wins over the others."),
}


def method_of(step: AnyStep) -> str:
    """The page's word for a step that prunes. Raises ValueError for another step."""
    if type(step) not in NAMES:
        raise ValueError(f"{step} is no step of the prune page; it has {', '.join(METHODS)}")
    return NAMES[type(step)]


def scope_of(step: AnyStep) -> str | None:
    """The scope of a step that prunes; None of one with a threshold, which has none."""
    usual = METHODS[method_of(step)].scopes[0]
    if isinstance(step, Prune) and step.sparsity is None:
        return None
    return str(vars(step).get("scope", usual))


def scope_help(method: str) -> str:
    """What the scopes of a method mean, a line each."""
    chosen = METHODS[method]
    lines = [SCOPE_HELP[scope] for scope in chosen.scopes]
    return "  \n".join(map(_, [*lines, *([chosen.advice] if chosen.advice else [])]))


def make_step(
    method: str, sparsity: float, *, scope: str, samples: int = 256, seed: int = 0
) -> AnyStep:
    """The step of a method that prunes a share; it gets of these settings those that it has.

    Raises ValueError for a method without a share, such as N:M.
    """
    chosen = METHODS[method]
    if not chosen.has("sparsity"):
        raise ValueError(f"{method} has a pattern and no sparsity; choose another method")
    wanted: dict[str, Any] = {
        "sparsity": sparsity,
        "scope": scope,
        "samples": samples,
        "seed": seed,
    }
    return chosen.step(**{field: v for field, v in wanted.items() if chosen.has(field)})
