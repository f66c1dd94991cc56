"""A Python script of about ten lines that does again, with this library, what the screen shows."""

import re
import shlex
from dataclasses import dataclass

import torch

from compress_core.inputs import Shape
from compress_core.models.catalog import MODELS, model_spec
from compress_core.recipe import Recipe, format_step, of_kinds, settings
from compress_core.steps import TRAINING, AnyStep
from compress_core.tasks import Kind

PLACE = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)", re.ASCII)
LINE = 88  # characters of a line of the script, as formatters have it


@dataclass(frozen=True)
class OwnNetwork:
    """How a script builds a network that is none of ours, as the command line is told.

    factory: "package.module:function", which returns the nn.Module. weights: a safetensors file of
    its state dict. data: "package.module:function", which returns two of Dataset, (train, test).
    shapes: the shape of each input without the batch. dtype: their type, by its name in torch.
    task: what the network is for (None: chosen by outputs and labels).
    Raises ValueError for a place in Python that is none, for no shape, and for no type of torch.
    """

    factory: str
    shapes: tuple[Shape, ...]
    weights: str | None = None
    data: str | None = None
    dtype: str = "float32"
    task: Kind | None = None

    def __post_init__(self) -> None:
        for field, place in (("factory", self.factory), ("data", self.data)):
            if place is not None and not PLACE.fullmatch(place):
                raise ValueError(
                    f"{field}={place!r} is no place in Python; write package.module:function"
                )
        if not self.shapes:
            raise ValueError("shapes=() names no input; give the shape of each, such as (3, 8, 8)")
        if not isinstance(getattr(torch, self.dtype, None), torch.dtype):
            raise ValueError(f"dtype={self.dtype!r} is no type of torch; write float32 or int64")


def python_script(
    model: str, recipe: Recipe, *, own: OwnNetwork | None = None, images: int | None = None
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
        _report(model, own, images),
    ]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _imports(recipe: Recipe, own: OwnNetwork | None) -> list[str]:
    has_training = bool(of_kinds(recipe, (TRAINING,)))
    names = {"measure"} if own is None or own.data else set()
    names |= {"load_dataset", "load_model"} if own is None else {"Original"}
    names |= set() if has_training else {"compress"}
    lines = ["from pathlib import Path", ""]
    if own is not None:
        lines += ["import torch", *["from safetensors.torch import load_file"] * bool(own.weights)]
        lines += _own_imports(own)
    lines += [f"from compress_core import {', '.join(sorted(names, key=_import_order))}"]
    if recipe:
        types = sorted({type(step).__name__ for step in recipe})
        lines += _wrapped("from compress_core.steps import (", types, ")")
    if has_training:
        lines += ["from compress_core.training.recovering import train_steps"]
    return lines


def _import_order(name: str) -> tuple[bool, str]:
    return not name[0].isupper(), name


def _own_imports(own: OwnNetwork) -> list[str]:
    names: dict[str, list[str]] = {}
    for place in dict.fromkeys(filter(None, (own.factory, own.data))):
        module, _, name = place.partition(":")
        names.setdefault(module, []).append(name)
    return [f"from {module} import {', '.join(sorted(found))}" for module, found in names.items()]


def _network(model: str, own: OwnNetwork | None) -> list[str]:
    if own is None:
        return [f"model = load_model({in_python(model)})"]
    lines = [f"network = {own.factory.partition(':')[2]}()"]
    if own.weights:
        lines += [f"network.load_state_dict(load_file({in_python(own.weights)}))"]
    zeros = [f"torch.zeros({(1, *shape)}, dtype=torch.{own.dtype})" for shape in own.shapes]
    example = zeros[0] if len(zeros) == 1 else f"({', '.join(zeros)})"
    fields = {"example": example, "name": in_python(model)}
    if own.data:
        lines += [f"train, test = {own.data.partition(':')[2]}()"]
        fields["calibration"] = "train"
    if own.task:
        fields["task"] = in_python(own.task)
    given = [f"{name}={value}" for name, value in fields.items()]
    return [*lines, *_wrapped("model = Original(", ["network.eval()", *given], ")")]


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


def _report(model: str, own: OwnNetwork | None, images: int | None) -> list[str]:
    file = f"{file_name(model)}.cx"
    write = f"Path({in_python(file)}).write_bytes(compressed.container)"
    if own is not None and own.data is None:
        return ["print(compressed.stored_bytes)", write]
    data = "test" if own is not None else f"load_dataset({in_python(MODELS[model].dataset)})"
    data += f".subset({images})" if images is not None else ""
    return [
        f"report = measure(compressed, {data})",
        "print(report.score.metric, report.score.value, report.size.stored_bytes)",
        write,
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
