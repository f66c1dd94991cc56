"""A dataset: inputs of any shape and type, with labels or without, checked as it is made."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from compress_core.inputs import Inputs, as_computed, count_rows, describe, each, take_rows

MOST_CLASSES = 100_000  # most classes that can be named by number; larger labels are hardly classes


class DataError(ValueError):
    """A dataset is missing, incomplete or damaged; the message says how to mend it."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """One split of a dataset; `Dataset.of` makes one of whatever holds your data.

    `inputs` (n, …) as the network is called with them, a tuple where it takes several; `labels`
    (n,) int64 classes, (n, T) int64 tokens, (n, …) float32 numbers, or None. `class_names` are by
    label; where none are given, classes are called by their number. Floats are kept in float32,
    signed whole numbers in int64, one-hot labels as classes.
    Raises DataError for other lengths, values that are not finite, and labels without a name.
    """

    name: str
    split: str
    inputs: Inputs
    labels: Tensor | None = None
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        given = self.inputs if isinstance(self.inputs, tuple) else (self.inputs,)
        inputs = tuple(_entered(part, "inputs") for part in given)
        labels = None if self.labels is None else _labels(self.labels, inputs)
        _check_lengths(inputs, labels)
        if self.class_names:
            _check_named(labels, self.class_names)
        object.__setattr__(self, "inputs", inputs if isinstance(self.inputs, tuple) else inputs[0])
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "class_names", self.class_names or _numbers(labels))

    @classmethod
    def of(
        cls,
        inputs: Any,
        labels: Any = None,
        *,
        split: str = "test",
        class_names: Sequence[str] = (),
        name: str = "own data",
    ) -> "Dataset":
        """Your data: tensors or numpy arrays, a TensorDataset, or anything indexable of pairs.

        Several inputs are a tuple of arrays. Of a TensorDataset and of pairs (input, label) the
        last is the label. `split` is "train" for data that steps may calibrate on.

        >>> data = Dataset.of(torch.rand(8, 3, 32, 32), torch.arange(8) % 2)
        >>> len(data), data.class_names
        (8, ('0', '1'))
        """
        if labels is None and not _is_arrays(inputs):
            inputs, labels = _of_pairs(inputs)
        return cls(name, split, inputs, labels, tuple(class_names))

    def __len__(self) -> int:
        return count_rows(self.inputs)

    @property
    def images(self) -> Tensor:
        """The inputs of a network that takes one."""
        if not isinstance(self.inputs, Tensor):
            raise DataError(f"{self.name} has {len(self.inputs)} inputs, and here one is needed")
        return self.inputs

    @property
    def class_labels(self) -> Tensor:
        """The labels (n,) of a classification. Raises DataError where there are no such."""
        if not is_classes(self.labels):
            raise DataError(
                f"{self.name} has no classes as labels; pass whole numbers (n,), one for each input"
            )
        assert self.labels is not None
        return self.labels

    def subset(self, size: int, *, seed: int = 0) -> "Dataset":
        """A random subset of `size` inputs, balanced by class where there are classes; the same one
        for the same seed."""
        if size >= len(self):
            return self
        return self.rows(torch.from_numpy(stratified_indices(self._strata(), size, seed)))

    def balanced(self, size: int) -> "Dataset":
        """The same rows in an order of which every beginning is balanced by class, where there are
        classes; the first `size` are those of `subset(size)`."""
        strata = self._strata()
        first = stratified_indices(strata, min(size, len(self)), seed=0)
        rest = np.setdiff1d(np.arange(len(self)), first)
        order = [part[balanced_order(strata[part])] for part in (first, rest)]
        return self.rows(torch.from_numpy(np.concatenate(order)))

    def beginning(self, size: int) -> "Dataset":
        """The first `size` rows, without a copy of them."""
        return self if size >= len(self) else self.rows(slice(0, size))

    def _strata(self) -> np.ndarray:
        """The classes (n,), all the same where there are none."""
        classes = self.class_labels if is_classes(self.labels) else torch.zeros(len(self)).long()
        return classes.numpy()

    def rows(self, picked: Tensor | slice) -> "Dataset":
        labels = None if self.labels is None else self.labels[picked]
        return Dataset(
            self.name, self.split, take_rows(self.inputs, picked), labels, self.class_names
        )


def stratified_indices(labels: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Sorted indices of a subset whose classes have the shares of `labels`, to within one image."""
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    # every n/size-th image of the class-sorted order: proportional, without rounding drift
    positions = (np.arange(size) * len(labels)) // size
    return np.sort(by_class[positions])


def balanced_order(labels: np.ndarray) -> np.ndarray:
    """Indices (n,) in an order of which every beginning has the shares of the classes in `labels`
    (n,), to within an image or two."""
    shuffled = np.random.default_rng(0).permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    counts = np.bincount(labels) if len(labels) else np.zeros(0, int)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    places = (np.arange(len(labels)) - starts + 0.5) / np.repeat(counts, counts)
    return by_class[np.argsort(places, kind="stable")]  # each class spread over the whole


def is_classes(labels: Tensor | None) -> bool:
    """Whether labels are one whole number for each input."""
    return labels is not None and labels.dim() == 1 and labels.dtype == torch.int64


def check_fits(data: Dataset, examples: tuple[Tensor, ...]) -> None:
    """Raise DataError where a network that takes inputs like `examples` (1, …) cannot take `data`.

    Lengths may differ: a network of tokens or of whole convolutions takes them as they come.
    """
    inputs = each(data.inputs)
    if len(inputs) != len(examples):
        raise DataError(
            f"{data.name} has {len(inputs)} inputs, and the network takes {len(examples)}; pass a "
            "tuple of one array for each input of its forward, labels as the second argument"
        )
    for tensor, example in zip(inputs, examples, strict=True):
        _check_type(tensor, example)
        _check_shape(tensor, example)


def _check_type(tensor: Tensor, example: Tensor) -> None:
    if tensor.dtype == example.dtype:
        return
    if tensor.dtype == torch.uint8:
        raise DataError(
            f"inputs are bytes ({describe(tensor)}, up to {int(tensor.max())}), and the network "
            "takes floats scaled as in its training; pass inputs.float() / 255, and normalized if "
            "it was trained so"
        )
    raise DataError(
        f"inputs are {describe(tensor)}, and the network was given as one that takes "
        f"{describe(example)}; convert them, or say input_dtype={tensor.dtype} to Original"
    )


def _check_shape(tensor: Tensor, example: Tensor) -> None:
    found, expected = tuple(tensor.shape[1:]), tuple(example.shape[1:])
    if found == expected:
        return
    if len(found) == len(expected) == 3 and found[2] == expected[0] != found[0]:
        raise DataError(
            f"inputs are {tuple(tensor.shape)}, channels last, and the network takes {expected}: "
            "channels first; pass inputs.permute(0, 3, 1, 2)"
        )
    if len(found) != len(expected):
        raise DataError(
            f"one input is {found}, and the network was given as one that takes {expected}; give "
            "the inputs a batch dimension and the dimensions that its forward expects"
        )


def _is_arrays(inputs: Any) -> bool:
    parts = inputs if isinstance(inputs, tuple) else (inputs,)
    return all(isinstance(part, Tensor) or hasattr(part, "__array__") for part in parts)


def _of_pairs(source: Any) -> tuple[Any, Any]:
    """Inputs and labels of a TensorDataset, or of what gives pairs by index."""
    if isinstance(source, torch.utils.data.TensorDataset):
        return _last_apart(source.tensors)
    if not hasattr(source, "__getitem__") or not hasattr(source, "__len__"):
        raise DataError(
            f"a {type(source).__name__} is neither an array nor indexable; pass tensors, numpy "
            "arrays, a TensorDataset, or a dataset of pairs (of a DataLoader its .dataset)"
        )
    try:
        rows = [source[i] for i in range(len(source))]
    except Exception as error:  # whatever somebody's dataset raises
        raise DataError(
            f"row by row this {type(source).__name__} cannot be read ({type(error).__name__}: "
            f"{error}); pass tensors, or what gives pairs (input, label) for 0, 1, 2, …"
        ) from error
    if not rows:
        raise DataError(f"this {type(source).__name__} is empty; pass at least one input")
    if not _is_pair(rows[0]):
        return _stack(rows), None
    return _last_apart([_stack(column) for column in zip(*rows, strict=True)])


def _is_pair(row: Any) -> bool:
    """Whether a row has several parts, such as input and label, and is no list of numbers."""
    if isinstance(row, list):
        return not all(isinstance(value, int | float) for value in row)
    return isinstance(row, tuple)


def _last_apart(columns: Sequence[Any]) -> tuple[Any, Any]:
    if len(columns) == 1:
        return columns[0], None
    *inputs, labels = columns
    return (inputs[0] if len(inputs) == 1 else tuple(inputs)), labels


def _stack(values: Sequence[Any]) -> Any:
    """One array of many: (n, …); of tuples a tuple of arrays."""
    if _is_pair(values[0]):
        return tuple(_stack(column) for column in zip(*values, strict=True))
    tensors = [_entered(value, "an input") for value in values]
    if len({tensor.shape for tensor in tensors}) > 1:
        shapes = sorted({tuple(tensor.shape) for tensor in tensors})
        raise DataError(f"inputs have several shapes, such as {shapes[:2]}; pad or resize them")
    return torch.stack(tensors)


def _entered(values: Any, what: str) -> Tensor:
    """A tensor of a type that we compute with. Raises DataError for other values and for NaN."""
    if not isinstance(values, Tensor):
        values = _as_array(values, what)
    tensor = as_computed(values.detach().cpu())
    bad = _count_not_finite(tensor) if tensor.is_floating_point() else 0
    if bad:
        raise DataError(f"{bad:,} values of {what} are NaN or infinite; leave such rows out")
    return tensor


def _count_not_finite(tensor: Tensor) -> int:
    """In parts: isfinite makes copies, of the images of CIFAR-10 almost a gigabyte."""
    return sum(int((~part.isfinite()).sum()) for part in tensor.flatten().split(2**20))


def _as_array(values: Any, what: str) -> Tensor:
    try:
        if type(values).__module__.startswith("PIL."):
            raise TypeError("a PIL image")
        return torch.tensor(np.asarray(values))  # a copy: arrays may be read-only
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{what} cannot be read as numbers ({error}); pass tensors or numpy arrays, of images "
            "such as torchvision's those with transform=ToTensor()"
        ) from error


def _labels(values: Any, inputs: tuple[Tensor, ...]) -> Tensor:
    """Classes (n,), tokens (n, T) or numbers (n, …)."""
    labels = _entered(values, "labels")
    if not labels.is_floating_point():
        labels = labels.long()
    tokens = any(t.dtype == torch.int64 and t.shape == labels.shape for t in inputs)
    if labels.dim() != 2 or tokens:
        return labels
    if labels.shape[1] == 1:
        return labels if labels.is_floating_point() else labels[:, 0]
    return labels.argmax(1) if _is_one_hot(labels) else labels


def _is_one_hot(labels: Tensor) -> bool:
    return bool(((labels == 0) | (labels == 1)).all() and (labels.sum(1) == 1).all())


def _check_lengths(inputs: tuple[Tensor, ...], labels: Tensor | None) -> None:
    counted = [*inputs, *([] if labels is None else [labels])]
    if any(tensor.dim() == 0 for tensor in counted):
        raise DataError("a single number is no dataset; the first dimension counts the inputs")
    counts = [len(tensor) for tensor in counted]
    if len(set(counts)) > 1:
        raise DataError(
            f"inputs and labels have {', '.join(f'{n:,}' for n in counts)} rows; they must be as "
            "many, one label for each input"
        )
    if not counts or not counts[0]:
        raise DataError("the dataset is empty; pass at least one input")


def _numbers(labels: Tensor | None) -> tuple[str, ...]:
    """Classes that nobody named are called by their numbers."""
    if labels is None or not is_classes(labels) or labels.min() < 0 or labels.max() >= MOST_CLASSES:
        return ()
    return tuple(map(str, range(int(labels.max()) + 1)))


def _check_named(labels: Tensor | None, names: tuple[str, ...]) -> None:
    if labels is None or not is_classes(labels):
        return
    bad = labels[(labels < 0) | (labels >= len(names))]
    if len(bad):
        raise DataError(
            f"label {int(bad[0])} has no name among the {len(names)} class names; number the "
            f"classes from 0 to {len(names) - 1}"
        )
