"""The stages of the file: what they are called, and the order in which they act."""

from ui.language import N_, _

ORDER = (
    N_("fold"),
    N_("structured"),
    N_("factorize"),
    N_("prune"),
    N_("quantize"),
    N_("share"),
    N_("encode"),
)
# What the formula of the order leaves out.
OTHERS = (
    N_("original"),
    N_("correct"),
    N_("recalibrate"),
    N_("rest"),
    N_("activations"),
    N_("train"),
)


def order() -> str:
    """The order in which the steps act, as a formula."""
    *first, quantize, share, encode = (rf"\text{{{_(stage)}}}" for stage in ORDER)
    return r" \to ".join([*first, rf"{quantize}\,|\,{share}", encode])


def shown_names(stages: list[str]) -> list[str]:
    """A kind that comes again after a training gets a number: "prune", "train", "prune 2"."""
    names = [_(stage) for stage in stages]
    times = [names[: i + 1].count(name) for i, name in enumerate(names)]
    return [f"{name} {n}" if n > 1 else name for name, n in zip(names, times, strict=True)]
