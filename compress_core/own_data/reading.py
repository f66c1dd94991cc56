"""A file or folder of data → a Dataset that fits the network, and what was found, in words."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from compress_core.dataset import DataError, Dataset, check_fits
from compress_core.own_data.archives import opened
from compress_core.own_data.fitting import fit_inputs
from compress_core.own_data.found import Found
from compress_core.own_data.labelling import label
from compress_core.own_data.normalizing import Normalization
from compress_core.own_data.numpy_files import read_npy, read_npz
from compress_core.own_data.pictures import Fit, read_folder, read_zip
from compress_core.own_data.splitting import Apart, TooFewRows, keep_apart, split_apart
from compress_core.own_data.tables import read_table

KINDS = ".npz, .npy, .csv, or a folder or .zip of images in a folder a class"
Split = Literal["own", "apart", "test"]


@dataclass(frozen=True, eq=False)
class OwnData:
    """Somebody's data, read and fitted to a network.

    `as_read` is what is measured on, `training_as_read` what steps may look at (None: nothing);
    both are as the file has them, images in bytes (n, C, H, W) where it has bytes. `data` and
    `training` are the same as the network takes them. `found` says in words what was there and what
    was changed, `warnings` what may be wrong.
    """

    as_read: Dataset
    training_as_read: Dataset | None
    normalization: Normalization | None
    found: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def needs_normalization(self) -> bool:
        """Whether the inputs are bytes, of which nobody has said how to normalise them."""
        return self.has_bytes and self.normalization is None

    @property
    def has_bytes(self) -> bool:
        return not isinstance(self.as_read.inputs, tuple) and (
            self.as_read.inputs.dtype == torch.uint8
        )

    @cached_property
    def data(self) -> Dataset:
        """What is measured on, as the network takes it. Bytes that nobody normalised are divided by
        255, which `warnings` says."""
        return self._normalized(self.as_read)

    @cached_property
    def training(self) -> Dataset | None:
        """What steps may calibrate and train on; None where nothing was put aside."""
        return None if self.training_as_read is None else self._normalized(self.training_as_read)

    def with_normalization(self, normalization: Normalization) -> "OwnData":
        """The same data under another normalisation."""
        warnings = tuple(text for text in self.warnings if text != NOT_NORMALIZED)
        return replace(self, normalization=normalization, warnings=warnings)

    def _normalized(self, data: Dataset) -> Dataset:
        chosen = self.normalization or (Normalization() if self.has_bytes else None)
        if chosen is None:
            return data
        return Dataset(
            data.name, data.split, chosen.apply(data.images), data.labels, data.class_names
        )


NOT_NORMALIZED = (
    "the images are bytes, and how the network's were normalised is not known: they are divided by "
    "255; say which normalisation it was trained with"
)


def read_data(
    path: str | Path,
    examples: tuple[Tensor, ...],
    *,
    output: Tensor | None = None,
    normalization: Normalization | None = None,
    split: Split = "own",
    calibration: float = 0.2,
    fit: Fit = "stretch",
    name: str | None = None,
) -> OwnData:
    """The data in a file or folder, for a network that takes inputs like `examples` (1, …).

    output: what the network gives out for an example, (1, …), by which labels are checked. split:
    "own" takes the file's training split, and else puts a share `calibration` of the rows aside;
    "apart" always puts rows of the test split aside; "test" measures on all of it, and steps have
    nothing to look at. fit: images of another size are stretched, or cropped to their middle.
    name: what the data are called; the file's own name, shown escaped, where left out.
    Raises DataError with what is wrong, the rule, and the remedy; OSError for what cannot be read.
    """
    source = Path(path)
    width = None if output is None else output[0].numel()
    found = label(_reader(source, examples, width, fit)(), width)
    called = source.name[:80] if name is None else name
    as_read, notes = _dataset(found, examples, called, "test")
    warnings = list(found.warnings)
    apart = None
    if found.training is not None and split == "own":
        training, _ = _dataset(found.training, examples, called, "train")
        apart = keep_apart(training, as_read)
    elif split != "test":
        apart = _put_aside(as_read, calibration, warnings)
    if apart is not None:
        notes, warnings = (
            (*notes, _said(apart.calibration, apart.test)),
            [
                *warnings,
                *_dropped(apart.dropped),
            ],
        )
    test = as_read if apart is None else apart.test
    made = OwnData(
        test, apart and apart.calibration, normalization, (*found.notes, *notes), tuple(warnings)
    )
    if made.needs_normalization:
        made = replace(made, warnings=(*made.warnings, NOT_NORMALIZED))
    return made


def _put_aside(data: Dataset, share: float, warnings: list[str]) -> Apart | None:
    try:
        return split_apart(data, share)
    except TooFewRows as error:
        warnings.append(f"nothing is put aside to calibrate on: {error}")
        return None


def _reader(
    path: Path, examples: tuple[Tensor, ...], width: int | None, fit: Fit
) -> Callable[[], Found]:
    shape = tuple(examples[0].shape[1:])
    if path.is_dir():
        return lambda: read_folder(path, shape, fit)
    if not path.is_file():
        raise DataError(f"{path} is not there; pass {KINDS}")
    match path.suffix.lower():
        case ".npz":
            return lambda: read_npz(path, len(examples))
        case ".npy":
            return lambda: read_npy(path)
        case ".csv" | ".tsv" | ".txt":
            return lambda: read_table(path, examples[0][0].numel(), width)
        case ".zip":
            return lambda: _read_archive(path, shape, len(examples), fit)
    raise DataError(f"{path.name[-80:]!r} is no kind of data that is read here; pass {KINDS}")


def _read_archive(path: Path, shape: tuple[int, ...], count: int, fit: Fit) -> Found:
    """A zip of images, or an .npz that lost its name."""
    with opened(path) as archive:
        has_arrays = any(info.filename.endswith(".npy") for info in archive.members)
    return read_npz(path, count) if has_arrays else read_zip(path, shape, fit)


def _dataset(
    found: Found, examples: tuple[Tensor, ...], name: str, split: str
) -> tuple[Dataset, tuple[str, ...]]:
    inputs, notes = fit_inputs(found.inputs, examples)
    labels = None if found.labels is None else torch.from_numpy(found.labels.copy())
    made = Dataset(name, split, inputs if len(inputs) > 1 else inputs[0], labels, found.class_names)
    floats = tuple(x.float() if x.dtype == torch.uint8 else x for x in _first_rows(inputs))
    check_fits(Dataset(name, split, floats if len(floats) > 1 else floats[0]), examples)
    if labels is None:
        notes = (*notes, "no labels: what is measured is agreement with the original")
    return made, notes


def _first_rows(inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(tensor[:1] for tensor in inputs)


def _said(calibration: Dataset, test: Dataset) -> str:
    return (
        f"{len(test):,} rows to measure on, {len(calibration):,} others to calibrate and train on"
    )


def _dropped(count: int) -> list[str]:
    if not count:
        return []
    return [f"{count:,} rows of the training split are in the test split, too, and were left out"]
