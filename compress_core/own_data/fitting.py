"""Arrays as they lie in a file → inputs of the shape and type that the network takes.

Each change is told in words: channels moved, pixels put into rows and columns, and the like.
"""

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from compress_core.dataset import DataError
from compress_core.own_data.found import Array

BYTE = 255


def fit_inputs(
    arrays: tuple[Array, ...], examples: tuple[Tensor, ...]
) -> tuple[tuple[Tensor, ...], tuple[str, ...]]:
    """The tensors (n, …) for each input in `examples` (1, …), and what was changed, in words.

    Bytes that are images stay bytes: they need a normalisation.
    Raises DataError where shapes or types cannot be meant for the network.
    """
    if len(arrays) != len(examples):
        raise DataError(
            f"the data have {len(arrays)} inputs, and the network takes {len(examples)}; save one "
            "array for each: numpy.savez(file, x0=…, x1=…, y=labels)"
        )
    told: list[str] = []
    fitted = []
    for array, example in zip(arrays, examples, strict=True):
        shaped, note = fit_shape(array, example)
        typed, other = fit_type(shaped, example)
        if typed.dtype == torch.uint8 and len(arrays) > 1:
            raise DataError(
                "one of several inputs holds images in bytes, of which only a single input can be "
                "normalised here; save it in floats, as the network takes them"
            )
        fitted.append(typed)
        told += [text for text in (note, other) if text]
    return tuple(fitted), tuple(told)


def fit_shape(array: Array, example: Tensor) -> tuple[Array, str]:
    """`array` (n, …) in the layout of the network's input `example` (1, …), and what was done."""
    shape = tuple(example.shape[1:])
    if array.ndim == 0 or not array.size:
        raise DataError(f"inputs {array.shape} are empty; pass at least one row")
    found = array.shape[1:]
    if found == shape:
        return array, ""
    for made, note in _layouts(array, shape):
        if made.shape[1:] == shape:
            return made, note
    if array.shape == shape:
        return array[None], "one input without a first dimension that counts, taken as one row"
    if _is_other_size(found, shape, is_tokens=not example.is_floating_point()):
        return array, f"inputs of {found} in place of {shape}: of whatever size the network takes"
    raise DataError(
        f"inputs are {('n', *found)}, and the network takes {('n', *shape)}; give the array the "
        "network's sizes, rows first".replace("'", "")
    )


def _is_other_size(found: tuple[int, ...], shape: tuple[int, ...], *, is_tokens: bool) -> bool:
    """Whether only sizes differ that many networks leave free: an image's height and width, a
    sequence's length."""
    if len(found) != len(shape):
        return False
    if len(shape) == 1:
        return is_tokens
    return found[-1] == shape[-1] if len(shape) == 2 else found[0] == shape[0]


def _layouts(array: Array, shape: tuple[int, ...]) -> Iterator[tuple[Array, str]]:
    """Other readings of the array, the likeliest first."""
    found = array.shape[1:]
    if len(shape) == len(found) == 3:
        moved = np.moveaxis(array, -1, 1)
        yield moved, "channels stood last, and were moved to the front"
        for made in (array, moved):
            if made.shape[1] == 1:
                yield np.repeat(made, shape[0], 1), f"gray, repeated for {shape[0]} channels"
        if moved.shape[1] == 4 and shape[0] == 3:
            yield moved[:, :3], "the fourth channel (opacity) was left out, channels moved first"
    if len(shape) == 3 and len(found) == 2:
        made = np.repeat(array[:, None], shape[0], 1)
        channels = "1 channel" if shape[0] == 1 else f"{shape[0]} equal channels"
        yield made, f"images without a dimension of channels, taken as {channels}"
    if math.prod(found) == math.prod(shape) and 1 in (len(found), len(shape)):
        told = f"{found} was put into {shape}" + (", channels first" if len(shape) == 3 else "")
        yield array.reshape(len(array), *shape), told


def fit_type(array: Array, example: Tensor) -> tuple[Tensor, str]:
    """A tensor of the type that the network takes; images in bytes stay bytes."""
    if array.dtype.kind not in "biuf":
        raise DataError(f"inputs are {array.dtype}, and a network takes numbers; save them so")
    _check_finite(array)
    if example.is_floating_point():
        return _as_floats(array, is_image=example.dim() == 4)
    if example.dtype == torch.bool:
        return torch.from_numpy(array != 0), ""
    whole = array.dtype.kind in "biu" or bool((array == np.floor(array)).all())
    if not whole:
        raise DataError(
            f"inputs are {array.dtype} with fractions, and the network takes whole numbers, such "
            "as the indices of tokens; save these"
        )
    if array.min() < 0:
        raise DataError(f"input {array.min()} is below 0, and tokens count from 0; save indices")
    note = "" if array.dtype.kind in "iu" else "whole numbers, taken as the indices of tokens"
    return torch.from_numpy(array.astype(np.int64)), note


def _as_floats(array: Array, *, is_image: bool) -> tuple[Tensor, str]:
    if is_image and _are_pixels(array):
        note = "" if array.dtype == np.uint8 else "whole numbers up to 255, taken as pixels"
        return torch.from_numpy(np.ascontiguousarray(array, np.uint8)), note
    return torch.from_numpy(np.ascontiguousarray(array, np.float32)), ""


def _are_pixels(array: Array) -> bool:
    """Whether values are bytes of images, which may have been saved as floats."""
    if array.dtype == np.uint8:
        return True
    few = array[:256]
    if array.dtype.kind == "b" or few.min() < 0 or not 1 < few.max() <= BYTE:
        return False
    whole = bool((few == np.floor(few)).all()) and array.min() >= 0 and array.max() <= BYTE
    return whole and bool((array == np.floor(array)).all())


def _check_finite(array: Array) -> None:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = int((~np.isfinite(array)).sum())
        raise DataError(f"{bad:,} values of inputs are NaN or infinite; leave such rows out")
