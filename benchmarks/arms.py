"""Training methods beside their control arms, over three seeds, on the digits.

Ticket against random re-initialisation, distillation against the same student trained alone,
training through the rounding against rounding afterwards.
"""

import statistics
from dataclasses import dataclass

from compress_core import load_dataset, load_model, measure
from compress_core.command_line.console import print_table
from compress_core.recipe import parse_recipe
from compress_core.training.recovering import train_steps

SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Arms:
    """Two recipes that differ in what is judged; {seed} stands for the seed."""

    question: str
    model: str
    treated: str
    control: str


TICKET = "prune:sparsity={sparsity};rewind:start={start},epochs=60,seed={{seed}}"
STUDENT = "prune_structured:pruning_ratio=0.75;{how},epochs=30,seed={{seed}}"
ARMS = (
    *(
        Arms(
            f"ticket at {100 * sparsity:g} % against other initial weights",
            "digits-mlp",
            TICKET.format(sparsity=sparsity, start="initial"),
            TICKET.format(sparsity=sparsity, start="random"),
        )
        for sparsity in (0.8, 0.95)
    ),
    Arms(
        "a student of fewer channels, with its teacher against alone",
        "digits-cnn",
        STUDENT.format(how="distil:alpha=0.1"),
        STUDENT.format(how="distil:alpha=1"),
    ),
    *(
        Arms(
            f"{rounding}, trained through against rounded afterwards",
            "digits-cnn",
            f"{rounding};qat:epochs=10,seed={{seed}}",
            rounding,
        )
        for rounding in ("quantize:bits=3", "quantize:bits=2", "binarize")
    ),
)


def run() -> None:
    print_table(
        ("question", "model", "treated %", "control %", "difference", "of seeds", "MACs"),
        [line(arms) for arms in ARMS],
        title=f"accuracy on the test images, mean of {len(SEEDS)} seeds",
    )


def line(arms: Arms) -> tuple[str, ...]:
    """The means of both arms, and the differences of each seed, in points."""
    treated, macs = zip(*(accuracy(arms.model, arms.treated, seed) for seed in SEEDS), strict=True)
    control, _ = zip(*(accuracy(arms.model, arms.control, seed) for seed in SEEDS), strict=True)
    found = [100 * (one - other) for one, other in zip(treated, control, strict=True)]
    return (
        arms.question,
        arms.model,
        f"{100 * statistics.mean(treated):.2f}",
        f"{100 * statistics.mean(control):.2f}",
        f"{statistics.mean(found):+.2f}",
        " ".join(f"{difference:+.2f}" for difference in found),
        f"{macs[0]:.2f} of the original's",
    )


def accuracy(model: str, recipe: str, seed: int) -> tuple[float, float]:
    """Accuracy on all test images, and MACs as a fraction of the original's."""
    original = load_model(model)
    compressed = train_steps(original, parse_recipe(recipe.format(seed=seed)))
    report = measure(compressed, load_dataset("digits"))
    return report.score.value, report.size.macs / report.size.original_macs
