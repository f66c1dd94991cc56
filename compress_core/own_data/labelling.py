"""Labels as they lie in a file → classes, numbers or tokens, checked against the outputs."""

import math
from dataclasses import replace

import numpy as np

from compress_core.dataset import DataError
from compress_core.own_data.found import Array, Found, natural


def label(found: Found, width: int | None) -> Found:
    """`found` with labels that a Dataset takes: names become the numbers of classes, of one
    naming for both splits. `width` is the count of the network's output numbers, where known.

    Raises DataError for more classes than outputs, and for classes below 0.
    """
    found = _named(found)
    if found.class_names:
        found = _numbered(found, width)
    found = _whole(found, width)
    _check(found, width)
    if found.training is not None:
        _check(found.training, width)
    return found


def _named(found: Found) -> Found:
    """Numbers in place of names."""
    parts: list[Found] = [found, *([] if found.training is None else [found.training])]
    texts = [p.labels for p in parts if p.labels is not None and p.labels.dtype.kind == "U"]
    if not texts or found.labels is None:
        return found
    names = tuple(sorted({str(name) for text in texts for name in text.ravel()}, key=natural))
    apart = found.training
    if apart is not None:
        apart = replace(apart, labels=_places(apart.labels, names), class_names=names)
    return replace(found, labels=_places(found.labels, names), class_names=names, training=apart)


def _places(labels: Array | None, names: tuple[str, ...]) -> Array | None:
    if labels is None:
        return None
    known = {name: place for place, name in enumerate(names)}
    if not {str(name) for name in labels.ravel()} <= known.keys():
        raise DataError("the labels of one split are names and of the other numbers; name both")
    return np.array([known[str(name)] for name in labels.ravel()], np.int64)


def _numbered(found: Found, width: int | None) -> Found:
    """Classes whose names are numbers keep them: a folder 7 is output 7, whichever others there
    are. A warning where fewer classes than outputs have names."""
    names = found.class_names
    numbers = [int(name) for name in names if name.isascii() and name.isdecimal()]
    if len(numbers) == len(names) == len(set(numbers)) and max(numbers) < (width or len(names)):
        every = tuple(map(str, range(max(max(numbers) + 1, width or 0))))
        apart = found.training
        return replace(
            found,
            labels=_renumbered(found.labels, numbers),
            class_names=every,
            training=apart
            and replace(apart, labels=_renumbered(apart.labels, numbers), class_names=every),
        )
    if width is None or width <= 1 or len(names) == width:
        return found
    if len(names) > width:
        raise DataError(
            f"the data have {len(names)} classes ({', '.join(names[:4])}, …), and the network has "
            f"{width} outputs; leave out the classes that it does not know"
        )
    told = (
        f"{len(names)} classes have names and the network has {width} outputs: {names[0]!r} is "
        "taken for output 0, and so on in the order of the names; if that is wrong, name the "
        "classes by the numbers of their outputs"
    )
    padded = (*names, *(f"output {place}" for place in range(len(names), width)))
    apart = found.training and replace(found.training, class_names=padded)
    return replace(found, class_names=padded, warnings=(*found.warnings, told), training=apart)


def _renumbered(labels: Array | None, numbers: list[int]) -> Array | None:
    return None if labels is None else np.array(numbers, np.int64)[labels]


def _whole(found: Found, width: int | None) -> Found:
    """Classes that were saved as floats, 3.0, are whole numbers, where the network has several
    outputs."""
    apart = found.training
    labels = found.labels
    if labels is None or labels.dtype.kind != "f" or (width is not None and width < 2):
        return found
    if labels.ndim > 1 and math.prod(labels.shape[1:]) != 1:
        return found
    both = [labels, *([apart.labels] if apart is not None and apart.labels is not None else [])]
    if not all(bool((part == np.floor(part)).all() and part.min() >= 0) for part in both):
        return found
    note = "labels are whole numbers, taken for classes"
    if apart is not None and apart.labels is not None:
        apart = replace(apart, labels=apart.labels.ravel().astype(np.int64))
    return replace(
        found,
        labels=labels.ravel().astype(np.int64),
        notes=(*found.notes, note),
        training=apart,
    )


def _check(found: Found, width: int | None) -> None:
    labels = found.labels
    if labels is None or labels.ndim != 1 or labels.dtype.kind not in "iu" or not width:
        return
    if width < 2 or not len(labels):
        return
    low, high = int(labels.min()), int(labels.max())
    if low >= 0 and high < width:
        return
    remedy = "subtract 1" if (low, high) == (1, width) else "number them so, or leave such rows out"
    raise DataError(
        f"label {high if high >= width else low} is beyond the network's {width} outputs; classes "
        f"count from 0 to {width - 1}: {remedy}"
    )
