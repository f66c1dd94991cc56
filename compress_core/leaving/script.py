"""A Python script of about ten lines that does again, with this library, what the screen shows."""

import re
import shlex
from dataclasses import dataclass

from compress_core.models.catalog import MODELS, model_spec
from compress_core.recipe import Recipe, format_step, of_kinds, settings
from compress_core.steps import TRAINING, AnyStep
from compress_core.tasks import Kind

LINE = 88  # characters of a line of the script, as formatters have it


@dataclass(frozen=True)
class OwnModel:
    """A model that is none of ours, as --model and its options name it: see `TrustedModel`."""

    model: str
    weights: str | None = None
    data: str | None = None
    input_shape: str | None = None
    task: Kind | None = None
    normalization: str | None = None
    output: str | None = None

    @property
    def given(self) -> dict[str, str]:
        """The fields that say something."""
        return {name: value for name, value in vars(self).items() if value is not None}

    @property
    def options(self) -> list[str]:
        """The same as words of a command line."""
        pairs = [(f"--{name.replace('_', '-')}", value) for name, value in self.given.items()]
        return [word for pair in pairs for word in pair]


def python_script(
    model: str, recipe: Recipe, *, own: OwnModel | None = None, images: int | None = None
) -> str:
    """The script: it prints metric, value and stored bytes, and writes the file beside it.

    `images` measures on so many test images, drawn as the app draws them; None on all. A network
    that is not in MODELS needs `own`. What a recipe trains is trained, or looked up where it was.
    Raises ValueError for an unknown network without `own`.
    """
    if own is None:
        model_spec(model)  # refuses an unknown name
    blocks = [
        _imports(recipe, own),
        _network(model, own),
        _compress(recipe),
        _report(model, images),
    ]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _imports(recipe: Recipe, own: OwnModel | None) -> list[str]:
    has_training = bool(of_kinds(recipe, (TRAINING,)))
    names = {"measure"} | (set() if own else {"load_dataset", "load_model"})
    names |= set() if has_training else {"compress"}
    lines = ["from pathlib import Path", ""]
    lines += [f"from compress_core import {', '.join(sorted(names))}"]
    if recipe:
        types = sorted({type(step).__name__ for step in recipe})
        lines += _wrapped("from compress_core.steps import (", types, ")")
    if has_training:
        lines += ["from compress_core.training.recovering import train_steps"]
    if own is not None:
        lines += ["from compress_core.trusted import TrustedModel"]
    return lines


def _network(model: str, own: OwnModel | None) -> list[str]:
    """Network and test data."""
    if own is None:
        data = f"load_dataset({in_python(MODELS[model].dataset)})"
        return [f"model, data = load_model({in_python(model)}), {data}"]
    named = {"weights": f"Path({in_python(own.weights)})"} if own.weights else {}
    given = {name: in_python(value) for name, value in own.given.items()} | named
    fields = [f"{name}={value}" for name, value in given.items()]
    return [
        *_wrapped("own = TrustedModel(", fields, ")"),
        "model, data = own.original(), own.measured_on()",
    ]


def _compress(recipe: Recipe) -> list[str]:
    call = "train_steps" if of_kinds(recipe, (TRAINING,)) else "compress"
    steps = [step_in_python(step) for step in recipe]
    one = [f"{', '.join(steps)}{',' * (len(steps) == 1)}"]
    listed = _wrapped("recipe = (", steps, ")") if len(steps) > 1 else [f"recipe = ({one[0]})"]
    return [*listed, f"compressed = {call}(model, recipe)"]


def step_in_python(step: AnyStep) -> str:
    """The call that makes a step: `Prune(sparsity=0.9)`."""
    fields = ", ".join(f"{name}={in_python(value)}" for name, value in settings(step).items())
    return f"{type(step).__name__}({fields})"


def in_python(value: object) -> str:
    """A value as Python reads it, plain texts between double quotes."""
    if isinstance(value, tuple):
        return f"({', '.join(map(in_python, value))}{',' * (len(value) == 1)})"
    if isinstance(value, str) and value.isprintable() and not {"\\", '"'} & set(value):
        return f'"{value}"'
    return repr(value)


def _report(model: str, images: int | None) -> list[str]:
    few = f".subset({images})" if images is not None else ""
    return [
        f"report = measure(compressed, data{few})",
        "print(report.score.metric, report.score.value, report.size.stored_bytes)",
        f"Path({in_python(f'{file_name(model)}.cx')}).write_bytes(compressed.container)",
    ]


def console_command(model: str, recipe: Recipe, *, images: int | None = None) -> str:
    """The line for a shell that measures the same on the command line, for a network of MODELS."""
    steps = [part for step in recipe for part in ("--step", format_step(step))]
    training = ["--train"] * bool(of_kinds(recipe, (TRAINING,)))
    subset = [] if images is None else ["--subset", str(images)]
    words = ["python", "-m", "compress_core", "measure", model, *steps, *training, *subset]
    return shlex.join(words)


def file_name(model: str) -> str:
    """A name for a file that any system takes, after a network's name."""
    return re.sub(r"[^\w.-]+", "-", model, flags=re.ASCII).strip("-.")[:60] or "model"


def _wrapped(start: str, items: list[str], end: str) -> list[str]:
    """A call or a list on one line, or with an item a line where that is too long."""
    line = f"{start}{', '.join(items)}{end}"
    if start.startswith("from "):
        line = line.replace("(", "").replace(")", "")
    if len(line) <= LINE:
        return [line]
    return [start, *(f"    {item}," for item in items), end]
