"""The first look at an imported network: what is in it, on what it can be judged, how fast it is.

It runs in the sandbox. The weights and the test data are written into the working directory.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from compress_core.data import load_dataset
from compress_core.dataset import Dataset, is_classes
from compress_core.entering import Entered, enter
from compress_core.entering.tensors import dense_file_bytes, named_tensors
from compress_core.inputs import call, named_outputs, pick_output
from compress_core.measurement.cost import layer_macs
from compress_core.measurement.scores import judge
from compress_core.models.importing.onnx import OnnxNetwork, seeded_inputs
from compress_core.opening.facts import (
    CALIBRATION,
    DATA,
    SOURCE,
    WEIGHTS,
    Facts,
    Port,
)
from compress_core.opening.importing import Imported, compared
from compress_core.opening.skeleton import describe_modules
from compress_core.original import Original
from compress_core.own_data import (
    CANNOT_TELL,
    GENERATED,
    OwnData,
    choices,
    read_data,
    seeded_data,
    write_dataset,
)
from compress_core.tasks import Kind, Task
from compress_core.weights import walk_layers

MOST_WEIGHTS = 5 * 10**7  # parameters: the server keeps several compressed forms of them
JUDGED_S = 20.0  # how long the original's answers to all rows may take
GENERATED_S = 4.0  # to inputs that nobody gave: more of them tell little more
FEWEST, MOST, GENERATED_ROWS = 8, 10_000, 256  # rows that it is judged on
IMAGES = 4  # dimensions of a batch of them
# Numbers of all rows, in float32: outputs, inputs that nobody gave, inputs of one's own.
MOST_OUTPUTS, MOST_GENERATED, MOST_GIVEN = 2**24, 2**24, 2**26
AT_ONCE = 2**22  # numbers in the inputs of one batch: activations take some hundred times as much
Which = str | int | None


@dataclass(frozen=True)
class Asked:
    """What the person who brought the file said: what it is called, which output counts, and, if
    there are any, the file of the data, what that is called, and how its pixels are normalised (a
    name of `own_data.choices`)."""

    title: str
    output: Which = None
    data: str | None = None
    data_title: str = ""
    normalization: str | None = None


def find_facts(found: Imported, asked: Asked) -> Facts:
    """All that is known of it.

    Raises ValueError where it cannot be compressed, DataError where the data do not fit.
    """
    source = Path(SOURCE).read_bytes()
    found = _judgeable(compared(found, source), asked.output)
    about = _about_weights(found, asked, source)
    if found.why_not_run:
        return Facts(**about, why_not_run=found.why_not_run)
    original = original_of(found, asked.output)
    return Facts(**about, **_about_network(found, original), **_about_data(found, original, asked))


def _judgeable(found: Imported, output: Which) -> Imported:
    """The same; weights alone where no output has numbers that could be compared."""
    if found.why_not_run or output is not None or _float_outputs(found):
        return found
    return replace(
        found,
        why_not_run=(
            "its outputs are whole numbers, such as classes, and what is compared here are the "
            "floating numbers before them; export the network without its last node"
        ),
    )


def original_of(
    found: Imported, output: Which = None, calibration: Callable[[], Dataset] | None = None
) -> Original:
    """The network as the library takes it; of several outputs the first of floating numbers counts,
    unless another one is named."""
    kind: Kind | None = "classification" if found.spec else None
    which = _float_outputs(found)[0] if output is None else output
    return Original(
        found.module,
        example=found.examples if len(found.examples) > 1 else found.examples[0],
        name="network",
        calibration=calibration,
        task=Task(kind, which),
    )


def _float_outputs(found: Imported) -> list[Which]:
    """The outputs of floating numbers; None stands for the only one there is."""
    with torch.inference_mode():
        output = call(found.module, found.examples)
    parts: dict[Any, Any] = {None: output} if isinstance(output, Tensor) else named_outputs(output)
    return [n for n, x in parts.items() if isinstance(x, Tensor) and x.is_floating_point()]


def _about_weights(found: Imported, asked: Asked, source: bytes) -> dict[str, Any]:
    entered = enter(found.module)
    if not walk_layers(entered.module):
        if found.kind == "onnx" and found.why_not_run:
            raise ValueError(found.why_not_run)
        raise ValueError(
            f"{asked.title} has no compressible weight; a network needs at least one weight of two "
            "dimensions, such as that of a linear layer or a convolution"
        )
    weights = sum(parameter.numel() for parameter in entered.module.parameters())
    if weights > MOST_WEIGHTS:
        raise ValueError(
            f"{asked.title} has {weights:,} parameters, and at most {MOST_WEIGHTS:,} open here; "
            "start a server of your own with --model, or with --weights-only for a checkpoint"
        )
    names = {key for key, _ in entered.module.named_parameters(remove_duplicate=False)}
    return {
        "title": asked.title,
        "digest": _digest(source, asked),
        "kind": found.kind,
        "source_bytes": len(source),
        "stored_bytes": dense_file_bytes(entered.came_as),
        "modules": describe_modules(entered.module),
        "parameters": sorted(names),
        "tied": _write_weights(entered),
        "own_types": {key: _name(dtype) for key, dtype in entered.own_types.items()},
        "examples": [Port("", _name(x.dtype), tuple(x.shape)) for x in found.examples],
        "inputs": found.inputs,
        "outputs": found.outputs,
        "notes": found.notes,
    }


def _digest(source: bytes, asked: Asked) -> str:
    """The key of its results: equal files, judged alike, have the same."""
    found = sha256(source)
    found.update(repr((asked.output, asked.normalization)).encode())
    if asked.data is not None:
        found.update(Path(asked.data).read_bytes())
    return found.hexdigest()


def _write_weights(entered: Entered) -> dict[str, list[str]]:
    """Write every tensor once; returns the further keys of those that have several."""
    first: dict[int, str] = {}
    tied: dict[str, list[str]] = {}
    tensors = named_tensors(entered.module)
    for key, tensor in tensors.items():
        if first.setdefault(id(tensor), key) != key:
            tied.setdefault(first[id(tensor)], []).append(key)
    own = {key: tensors[key].detach().clone().contiguous() for key in first.values()}
    save_file(own, WEIGHTS)
    return tied


def _about_network(found: Imported, original: Original) -> dict[str, Any]:
    return {
        "reads_weights": original.reads.weights,
        "reads_attributes": original.reads.attributes,
        "macs": layer_macs(original.pristine, original.examples),
        "difference": found.difference,
        "foreign": found.foreign,
        "output": original.task.output,
    }


def _about_data(found: Imported, original: Original, asked: Asked) -> dict[str, Any]:
    seconds, outputs = _cost_of_row(original)
    given = asked.data is not None
    most = _most_rows(
        (JUDGED_S if given else GENERATED_S) / seconds,
        MOST_OUTPUTS / outputs,
        (MOST_GIVEN if given else MOST_GENERATED) / row_numbers(original),
    )
    data, calibration, words = _data(found, original, asked, most)
    found_rows, data = len(data), _with_names(data.subset(most), outputs)
    judged = judge(original, data)
    if len(data) < found_rows:
        words = (*words, f"{len(data):,} of these rows are measured: all of them would take long")
    write_dataset(data, Path(DATA))
    if calibration is not None:
        write_dataset(calibration.subset(most), Path(CALIBRATION))
    return {
        "metric": judged.metric,
        "reason": judged.reason,
        "batch": min(judged.batch, rows_at_once(original)),
        "data": list(words),
        "generated": data.name == GENERATED,
        "seconds": seconds,
        "calibrates": calibration is not None,
        "data_file": asked.data or "",
        "data_title": asked.data_title,
        "normalization": asked.normalization,
        "architecture": found.spec.name if found.spec else "",
    }


def _with_names(data: Dataset, outputs: int) -> Dataset:
    """Every class that the network may answer has a name: its number, where nobody gave one."""
    if not is_classes(data.labels) or len(data.class_names) >= outputs:
        return data
    numbers = map(str, range(len(data.class_names), outputs))
    return replace(data, class_names=(*data.class_names, *numbers))


def _most_rows(*affordable: float) -> int:
    return int(min(MOST, *(max(FEWEST, rows) for rows in affordable)))


def row_numbers(original: Original) -> int:
    """How many numbers one row of its inputs has."""
    return max(1, sum(example.numel() for example in original.examples))


def rows_at_once(original: Original) -> int:
    """How many rows may be run in one batch, for the memory of their activations."""
    return max(1, AT_ONCE // row_numbers(original))


def _data(
    found: Imported, original: Original, asked: Asked, most: int
) -> tuple[Dataset, Dataset | None, Sequence[str]]:
    """What it is judged on, what steps may look at, and what there is to be said of both."""
    if asked.data is not None:
        own = read_own(original, asked.data, asked.data_title, asked.normalization)
        return own.data, own.training, (*own.found, *own.warnings)
    if found.spec is not None:
        test, train = (load_dataset(found.spec.dataset, split) for split in ("test", "train"))
        return test, train, (f"the test images of {found.spec.dataset}",)
    count = min(most, GENERATED_ROWS)
    calibration = replace(_generated(found, original, count, seed=2), split="train")
    return _generated(found, original, count, seed=1), calibration, (CANNOT_TELL,)


def read_own(
    original: Original, file: str, title: str, normalization: str | None = None
) -> OwnData:
    """Somebody's data as the network takes them. Raises DataError where they do not fit."""
    with torch.inference_mode():
        output = pick_output(call(original.module, original.examples), original.task.output)
    found = read_data(file, original.examples, output=output, name=title)
    if normalization is None:
        return found
    return found.with_normalization(choices(found.as_read.images)[normalization])


def _generated(found: Imported, original: Original, count: int, seed: int) -> Dataset:
    """Images are noise as smooth as photographs; other inputs are as the importer makes them, which
    knows what whole numbers may be."""
    images = len(original.examples) == 1 and original.example.dim() == IMAGES
    if images or not isinstance(found.module, OnnxNetwork):
        return seeded_data(original.examples, count, seed)
    rows = seeded_inputs(found.module, seed, count)
    return Dataset.of(rows if len(rows) > 1 else rows[0], name=GENERATED)


def _cost_of_row(original: Original) -> tuple[float, int]:
    """Seconds of a row, the first run aside, and the numbers in its output."""
    for _ in range(2):
        started = time.perf_counter()
        with torch.inference_mode():
            output = pick_output(call(original.module, original.examples), original.task.output)
        seconds = time.perf_counter() - started
    return seconds, max(1, output.numel())


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
