"""The data that a trusted model is measured and calibrated on: a file, a folder, or own code."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from compress_core.dataset import Dataset
from compress_core.own_data import Apart, keep_apart, normalization_by_name, read_data, split_apart
from compress_core.own_data.splitting import TooFewRows
from compress_core.trusted.code import call_code


@dataclass(frozen=True, eq=False)
class Given:
    """What there is to measure and to calibrate on, and what was found, in words."""

    test: Dataset | None = None
    training: Dataset | None = None
    told: tuple[str, ...] = ()


def load_code_data(text: str, folder: Path, calibration: float) -> Given:
    """What a loader gives: a Dataset, (train, test), arrays, or what Dataset.of takes.

    A single dataset is divided: a share `calibration` of its rows is put aside.
    """
    made = call_code(text, folder)
    if isinstance(made, tuple) and len(made) == 2 and not any(map(_is_array, made)):
        training, test = made
        return _told(
            keep_apart(_as_dataset(training, text, "train"), _as_dataset(test, text, "test"))
        )
    return put_aside(_as_dataset(made, text, "test"), calibration)


def _is_array(part: Any) -> bool:
    return isinstance(part, Tensor) or hasattr(part, "__array__")


def _as_dataset(made: Any, name: str, split: str) -> Dataset:
    if isinstance(made, Dataset):
        return replace(made, split=split)
    if isinstance(made, tuple) and len(made) == 2 and _is_array(made[1]):
        return Dataset.of(*made, split=split, name=name)
    return Dataset.of(made, split=split, name=name)


def put_aside(data: Dataset, calibration: float) -> Given:
    """A share of one dataset to calibrate on; nothing where it has too few rows."""
    try:
        return _told(split_apart(data, calibration))
    except TooFewRows as error:
        return Given(data, None, (f"nothing is put aside to calibrate on: {error}",))


def _told(apart: Apart) -> Given:
    test, training = apart.test, apart.calibration
    told = [f"{len(test):,} rows to measure on, {len(training):,} others to calibrate and train on"]
    if apart.dropped:
        told.append(f"{apart.dropped:,} rows for training are in the test rows, and were left out")
    return Given(test, training, tuple(told))


def load_file_data(
    path: Path,
    examples: tuple[Tensor, ...],
    output: Tensor,
    calibration: float,
    normalization: str | None,
) -> Given:
    """The data of a file or folder, fitted to the network; `output` is what it gives for an
    example, by which labels are checked."""
    chosen = None if normalization is None else normalization_by_name(normalization)
    found = read_data(path, examples, output=output, normalization=chosen, calibration=calibration)
    return Given(found.data, found.training, (*found.found, *found.warnings))
