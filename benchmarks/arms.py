"""Training methods beside their control arms, over three seeds, on digits and Fashion-MNIST.

Ticket against random re-initialisation, distillation against the same student trained alone,
training through the rounding against rounding afterwards.

Distillation closes (distilled - alone) / (original - alone) of the gap. Both of its arms have the
same start and the same epochs, each the best learning rate of those tried, on the same test images.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from compress_core import load_dataset, load_model, measure
from compress_core.command_line.console import print_table
from compress_core.data import is_available
from compress_core.measurement.report import Report
from compress_core.models.catalog import model_spec
from compress_core.recipe import parse_recipe
from compress_core.training.recovering import train_steps

SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Arms:
    """Two recipes that differ in what is judged; {seed} stands for the seed. `teaches`: whether the
    original teaches the treated arm, and so how much of the gap to it is closed is of interest."""

    question: str
    model: str
    treated: str
    control: str
    teaches: bool = False


TICKET = "prune:sparsity={sparsity};rewind:start={start},epochs=60,seed={{seed}}"
STUDENT = "prune_structured:pruning_ratio={ratio};distil:{how},epochs={epochs},seed={{seed}}"


def distillation(model: str, *, ratio: float, epochs: int, taught: str, alone: str) -> Arms:
    """A student with the fraction `ratio` of the channels gone, with its teacher against alone."""
    return Arms(
        f"student of {100 * (1 - ratio):g} % of the channels, with its teacher against alone",
        model,
        STUDENT.format(ratio=ratio, how=taught, epochs=epochs),
        STUDENT.format(ratio=ratio, how=f"alpha=1,{alone}", epochs=epochs),
        teaches=True,
    )


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
    distillation(
        "digits-cnn",
        ratio=0.8,
        epochs=30,
        taught="learning_rate=0.01",
        alone="learning_rate=0.05",
    ),
    distillation(
        "digits-cnn",
        ratio=0.9,
        epochs=30,
        taught="learning_rate=0.01",
        alone="learning_rate=0.03",
    ),
    distillation(
        "fashion-cnn",
        ratio=0.8,
        epochs=1,
        taught="alpha=0,temperature=1,learning_rate=0.1",
        alone="learning_rate=0.1",
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
    here = [arms for arms in ARMS if is_available(model_spec(arms.model).dataset)]
    print_table(
        (
            *("question", "model", "original %", "treated %", "control %"),
            *("difference", "of seeds", "gap closed", "MACs"),
        ),
        [line(arms) for arms in here],
        title=f"accuracy on the test images, mean of {len(SEEDS)} seeds",
    )
    for arms in ARMS:
        if arms not in here:
            print(f"{arms.question}: skipped, the data set of {arms.model} is not here")


def line(arms: Arms) -> tuple[str, ...]:
    """The means of both arms, and the differences of each seed, in points."""
    treated = [measured(arms.model, arms.treated, seed) for seed in SEEDS]
    control = [measured(arms.model, arms.control, seed) for seed in SEEDS]
    pairs = zip(treated, control, strict=True)
    found = [100 * (one.score.value - other.score.value) for one, other in pairs]
    size = treated[0].size
    return (
        arms.question,
        arms.model,
        f"{100 * treated[0].baseline.value:.2f}",
        f"{100 * mean_accuracy(treated):.2f}",
        f"{100 * mean_accuracy(control):.2f}",
        f"{statistics.mean(found):+.2f}",
        " ".join(f"{difference:+.2f}" for difference in found),
        f"{100 * gap_closed(treated, control):.0f} %" if arms.teaches else "",
        f"{100 * size.macs / size.original_macs:.1f} % of the original's",
    )


def measured(model: str, recipe: str, seed: int) -> Report:
    """The report on all test images of a recipe, trained with a seed."""
    original = load_model(model)
    compressed = train_steps(original, parse_recipe(recipe.format(seed=seed)))
    return measure(compressed, load_dataset(model_spec(model).dataset))


def gap_closed(treated: Sequence[Report], control: Sequence[Report]) -> float:
    """(treated - control) / (original - control) of mean accuracies; 1 is all of the gap."""
    alone = mean_accuracy(control)
    return (mean_accuracy(treated) - alone) / (treated[0].baseline.value - alone)


def mean_accuracy(reports: Sequence[Report]) -> float:
    return statistics.mean(report.score.value for report in reports)
