"""A model that whoever starts the server names on the command line, and so trusts.

It runs in the server as the reference networks do. Workers find it by the variable
COMPRESS_OWN_MODEL, which the process that starts them sets.
"""

import copy
import json
import os
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from threading import RLock

import torch
from torch import Tensor

from compress_core.data import load_dataset
from compress_core.dataset import Dataset
from compress_core.entering.copying import copy_network
from compress_core.inputs import Which, call, each, pick_output, take_rows
from compress_core.models.catalog import MODELS
from compress_core.original import CalibrationData, Original
from compress_core.own_data import CANNOT_TELL, normalization_by_name, seeded_data
from compress_core.tasks import Kind, Task, as_task
from compress_core.trusted.building import Built, build, parse_shapes, vocabulary
from compress_core.trusted.code import is_code
from compress_core.trusted.data import Given, load_code_data, load_file_data

VARIABLE = "COMPRESS_OWN_MODEL"
OPENING = RLock()
NO_INPUT = (
    "what the network takes is not known; say it: --input-shape 3,32,32, or let the factory return "
    "(module, example input), or give a loader with --data package.module:loader"
)


@dataclass(frozen=True)
class TrustedModel:
    """A model, its weights and its data by name; nothing is opened before it is asked for.

    `model` is package.module:factory, an .onnx file, a Hugging Face folder or a reference network's
    name; `data` package.module:loader, a file or a folder; `input_shape` a text (see
    `parse_shapes`), `output` the name or the place of the output that counts. `calibration` is the
    share of the rows that is put aside where the data have one split only. Paths count from
    `folder`, where modules are looked for, too.
    Raises ValueError for files that are not there, and options that are none.
    """

    model: str
    weights: Path | None = None
    data: str | None = None
    input_shape: str | None = None
    task: Kind | None = None
    normalization: str | None = None
    output: str | None = None
    calibration: float = 0.2
    folder: Path = field(default_factory=Path.cwd)

    def __post_init__(self) -> None:
        as_task(self.task)
        if self.input_shape is not None:
            parse_shapes(self.input_shape)
        if self.normalization is not None:
            normalization_by_name(self.normalization)
        if not 0 < self.calibration < 1:
            raise ValueError(f"--calibration {self.calibration} is no share between 0 and 1")
        files = [(self.weights, "--weights")]
        if not is_code(self.model) and self.model not in MODELS:
            files.append((Path(self.model), "--model"))
        if self.data is not None and not is_code(self.data):
            files.append((Path(self.data), "--data"))
        for path, option in files:
            if path is not None and not (self.folder / path).exists():
                raise ValueError(
                    f"{option} {path} is not in {self.folder}; pass a file that is there, or code "
                    "as package.module:function"
                )

    @property
    def name(self) -> str:
        """What it is called in tables, files and jobs; never as a reference network is."""
        if is_code(self.model):
            module, _, factory = self.model.partition(":")
            return f"{module.rpartition('.')[2]}.{factory}"
        path = (self.folder / self.model).resolve()
        shown = "".join(mark for mark in path.name.removesuffix(".onnx") if mark.isprintable())
        return f"{shown}-own" if shown in MODELS else shown

    def original(self) -> Original:
        """The network with its training data; opened once per process."""
        return _opened(self).original

    def test_data(self) -> Dataset | None:
        """The rows to measure on; None where it came without data."""
        return _opened(self).given.test

    def measured_on(self) -> Dataset:
        """The rows to measure on, generated ones where it came without data."""
        return _opened(self).test

    def told(self) -> tuple[str, ...]:
        """What was found in the data, changed and is to be known, in sentences."""
        return _opened(self).told

    def to_json(self) -> str:
        fields = {key: str(v) if isinstance(v, Path) else v for key, v in vars(self).items()}
        return json.dumps(fields)

    @classmethod
    def from_json(cls, text: str) -> "TrustedModel":
        """Raises ValueError for another text."""
        try:
            fields = dict(json.loads(text))
            weights = fields.pop("weights", None)
            fields["folder"] = Path(fields["folder"])
            return cls(**fields, weights=None if weights is None else Path(weights))
        except (TypeError, KeyError, json.JSONDecodeError) as error:
            raise ValueError(f"{VARIABLE} holds no model ({error}); unset it") from error

    def announce(self) -> None:
        """Let this process, and those that it starts, find the model."""
        os.environ[VARIABLE] = self.to_json()


def trusted_model() -> TrustedModel | None:
    """The model that was named on the command line; None where none was."""
    text = os.environ.get(VARIABLE)
    return _from_json(text) if text else None


@lru_cache(maxsize=4)
def _from_json(text: str) -> TrustedModel:
    return TrustedModel.from_json(text)


@dataclass(frozen=True, eq=False)
class _Opened:
    original: Original
    given: Given
    test: Dataset
    told: tuple[str, ...]


def _opened(model: TrustedModel) -> _Opened:
    """Threads wait for the first one: a network takes seconds to open, and memory once."""
    with OPENING:
        return _open(model)


@lru_cache(maxsize=2)
def _open(model: TrustedModel) -> _Opened:
    weights = None if model.weights is None else model.folder / model.weights
    built = build(model.model, weights, model.folder)
    given = _by_code(model)
    examples = _examples(model, built, given)
    output = _output(model, built, examples)
    if model.data is not None and given.test is None:
        path, asked = model.folder / model.data, model.normalization
        given = load_file_data(path, examples, output, model.calibration, asked)
    if model.data is None and model.model in MODELS:
        given = Given(load_dataset(MODELS[model.model].dataset))
    original = _original(model, built, examples, given)
    if given.test is not None:
        return _Opened(original, given, given.test, given.told)
    return _Opened(original, given, _generated(model, original), (CANNOT_TELL,))


def _generated(model: TrustedModel, original: Original) -> Dataset:
    asked = model.normalization
    return seeded_data(
        original.examples,
        normalization=None if asked is None else normalization_by_name(asked),
        vocabulary=vocabulary(original.pristine, original.examples),
    )


def _by_code(model: TrustedModel) -> Given:
    if model.data is None or not is_code(model.data):
        return Given()
    return load_code_data(model.data, model.folder, model.calibration)


def _output(model: TrustedModel, built: Built, examples: tuple[Tensor, ...]) -> Tensor:
    """What counts of the network's outputs for an example. Raises ValueError where it does not run
    on one, and where it is open which output counts."""
    with torch.inference_mode():
        outputs = call(copy_network(built.module), examples)
    try:
        return pick_output(outputs, _task(model, built).output)
    except ValueError as error:
        raise ValueError(f"{error}; on the command line: --output logits, or --output 0") from error


def _examples(model: TrustedModel, built: Built, given: Given) -> tuple[Tensor, ...]:
    """One input (1, …) for each: as said, as the network says, else the loader's first row."""
    if model.input_shape is not None:
        return parse_shapes(model.input_shape)
    if built.example is not None:
        return each(built.example)
    if given.test is not None:
        return each(take_rows(given.test.inputs, slice(0, 1)))
    raise ValueError(f"{model.model}: {NO_INPUT}")


def _original(
    model: TrustedModel, built: Built, examples: tuple[Tensor, ...], given: Given
) -> Original:
    calibration: CalibrationData = given.training
    if model.data is None and model.model in MODELS:
        calibration = partial(load_dataset, MODELS[model.model].dataset, "train")
    if built.original is not None:  # it keeps what its maker said, where nothing else is said
        return _named(built.original, model, calibration, _task(model, built))
    return Original(
        built.module,
        example=examples,
        name=model.name,
        calibration=calibration,
        task=_task(model, built),
    )


def _named(
    made: Original, model: TrustedModel, calibration: CalibrationData, task: Task
) -> Original:
    """The factory's own Original under the name by which it is found."""
    other = copy.copy(made)
    other.name = model.name
    other.task = task
    other.calibration = made.calibration if calibration is None else calibration
    return other


def _task(model: TrustedModel, built: Built) -> Task:
    theirs = Task("classification") if model.model in MODELS else Task()
    if built.original is not None:
        theirs = built.original.task
    counts = theirs.output if model.output is None else _which(model.output)
    return Task(model.task or theirs.kind, counts)


def _which(output: str) -> Which:
    return int(output) if output.isdecimal() else output
