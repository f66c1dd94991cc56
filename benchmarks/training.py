"""An epoch of each training method, beside forward and backward passes alone on the same batches.

Time of this process is compared, which other jobs do not change; the peer's batches are drawn,
shifted and mirrored beforehand.
"""

from collections.abc import Callable
from functools import partial
from time import process_time

from compress_core import load_model
from compress_core.command_line.console import print_table
from compress_core.data import is_available
from compress_core.models.catalog import MODELS
from compress_core.original import Original
from compress_core.recipe import parse_recipe
from compress_core.training.batches import Batches
from compress_core.training.loop import train
from compress_core.training.losses import metric_loss, task_loss
from compress_core.training.methods import constraint_of, hooks_of, settings_for
from compress_core.training.recovering import act_before
from compress_core.training.student import Student

NETWORKS = ("mnist-lenet-300-100", "mnist-lenet-5", "fashion-cnn")
RECIPES = (
    "prune:sparsity=0.9;finetune:epochs=1",
    "gradual_prune:sparsity=0.9,epochs=1",
    "l1_prune:epochs=1",
    "share:clusters=16;finetune:epochs=1",
    "quantize:bits=4;qat:epochs=1",
    "quantize:bits=4;rate_train:epochs=1",
)
ROWS = 60 * 128  # of the training images


def run() -> None:
    for name in NETWORKS:
        if is_available(MODELS[name].dataset):
            show(load_model(name))
        else:
            print(f"training: {name} skipped, its data set is not here")


def show(original: Original) -> None:
    alone = seconds(partial(passes, original))
    lines = [(recipe, seconds(partial(epoch, original, recipe))) for recipe in RECIPES]
    print_table(
        ("an epoch of", "ms a batch", "x passes alone", "target"),
        [
            ("forward and backward alone", ms(alone), "1.00", ""),
            *((recipe, ms(time), f"{time / alone:.2f}", "1.2") for recipe, time in lines),
        ],
        title=f"training {original.name}, {ROWS:,} images",
    )


def ms(seconds_: float) -> str:
    return f"{1000 * seconds_ * 128 / ROWS:.2f}"


def seconds(make: Callable[[], Callable[[], object]]) -> float:
    """Processor time of what `make` prepares; the better of two runs."""
    found = []
    for _ in range(2):
        call = make()
        start = process_time()
        call()
        found.append(process_time() - start)
    return min(found)


def prepared(original: Original, recipe: str) -> tuple[Student, Batches]:
    *_, step = parse_recipe(recipe)
    act = act_before(original, parse_recipe(recipe))
    settings = settings_for(step, original.name, coded="quantize" in recipe)  # type: ignore[arg-type]
    student = Student.of(act.before, act.names, constraint_of(step))  # type: ignore[arg-type]
    rows = original.training_data().subset(ROWS)
    return student, Batches(rows, settings)


def epoch(original: Original, recipe: str) -> Callable[[], object]:
    *_, step = parse_recipe(recipe)
    student, batches = prepared(original, recipe)
    settings = settings_for(step, original.name, coded="quantize" in recipe)  # type: ignore[arg-type]
    loss = task_loss(original.module, original.task, original.training_data())
    hooks = hooks_of(step, student)  # type: ignore[arg-type]
    return lambda: train(student, batches, settings, loss, hooks=hooks)


def passes(original: Original) -> Callable[[], object]:
    """The network's own passes, in the layout in which convolutions are fastest."""
    student, batches = prepared(original, "finetune:epochs=1")
    module = student.module.requires_grad_(True)
    drawn = list(batches)

    def both() -> None:
        for batch in drawn:
            metric_loss("accuracy", module(batch.inputs), batch).backward()

    return both
