"""What a network is called with, and which of its outputs counts.

Everything that runs a network calls it with `call`, so that networks of several inputs, and those
that give out tuples, dictionaries or dataclasses, are treated in one place.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from numbers import Integral
from operator import index
from typing import Any

import torch
from torch import Tensor, nn

# A batch: one tensor, or one for each input of the network, rows (B, …) in the same order.
Inputs = Tensor | tuple[Tensor, ...]
Shape = tuple[int, ...]
Which = str | int | None  # of several outputs: a key, an attribute or a place


def each(inputs: Inputs) -> tuple[Tensor, ...]:
    """The tensors that a network is called with, in order."""
    return (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)


def call(module: nn.Module, inputs: Inputs) -> Any:
    """What `module` gives out for a batch, which it may write to without changing the caller's.

    Raises ValueError, with the module's own reason, where it does not run on such inputs.
    """
    try:
        return module(*(tensor.clone() for tensor in each(inputs)))
    except ValueError:
        raise  # in words already
    except Exception as error:  # whatever a network of other people raises
        lines = str(error).strip().splitlines()
        raise ValueError(
            f"{type(module).__name__} does not run on inputs of shape {describe(inputs)} "
            f"({lines[0] if lines else type(error).__name__}); pass inputs of the shapes and types "
            "that its forward takes, as input_shape=… and input_dtype=…, or as example=…"
        ) from error


def describe(inputs: Inputs) -> str:
    """Shapes and types in words: "(2, 3, 32, 32) float32 and (2, 10) int64"."""
    return " and ".join(
        f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"
        for tensor in each(inputs)
    )


def count_rows(inputs: Inputs) -> int:
    return len(each(inputs)[0])


def take_rows(inputs: Inputs, rows: Tensor | slice) -> Inputs:
    """Some rows of each input."""
    if isinstance(inputs, Tensor):
        return inputs[rows]
    return tuple(tensor[rows] for tensor in inputs)


def split_rows(inputs: Inputs, size: int) -> Iterator[Inputs]:
    """Batches of at most `size` rows, in order."""
    for start in range(0, count_rows(inputs), size):
        yield take_rows(inputs, slice(start, start + size))


def make_examples(
    input_shape: Shape | tuple[Shape, ...] | None,
    input_dtype: torch.dtype | tuple[torch.dtype, ...],
    example: Inputs | None,
) -> tuple[Tensor, ...]:
    """One input (1, …) for each that a network takes: those given, or zeros of the given shapes.

    Half and double precision become float32, in which networks are computed here.
    Raises ValueError unless either shapes or an example are given.
    """
    if (input_shape is None) == (example is None):
        raise ValueError(
            "say once what the network takes: the shape of one input without its batch, "
            "input_shape=(3, 32, 32), or an input, example=torch.zeros(1, 3, 32, 32)"
        )
    if example is not None:
        return tuple(_first_row(tensor) for tensor in each(example))
    shapes = _shapes(input_shape)
    dtypes = input_dtype if isinstance(input_dtype, tuple) else (input_dtype,) * len(shapes)
    if len(dtypes) != len(shapes):
        raise ValueError(f"{len(dtypes)} input_dtype for {len(shapes)} inputs; give one for each")
    return tuple(
        as_computed(torch.zeros(1, *shape, dtype=dtype))
        for shape, dtype in zip(shapes, dtypes, strict=True)
    )


def _shapes(input_shape: Any) -> tuple[Shape, ...]:
    """The shape of each input, of one or of several."""
    try:
        several = len(input_shape) > 0 and not isinstance(input_shape[0], Integral)
        shapes = tuple(
            tuple(map(index, shape)) for shape in (input_shape if several else [input_shape])
        )
    except TypeError:
        shapes = ((-1,),)
    if any(size < 1 for shape in shapes for size in shape):
        raise ValueError(
            f"input_shape={input_shape!r} is no shape; give one input's sizes without the batch, "
            "(3, 32, 32), or a tuple of such for several inputs"
        )
    return shapes


def _first_row(tensor: Any) -> Tensor:
    if not isinstance(tensor, Tensor):
        raise ValueError(
            f"example has a {type(tensor).__name__}; pass a tensor (1, …), or a tuple of one for "
            "each input, in the order of the network's forward"
        )
    if tensor.dim() == 0 or not len(tensor):
        raise ValueError(
            f"example has a tensor of shape {tuple(tensor.shape)}; it needs a batch dimension, "
            "as in example=torch.zeros(1, 3, 32, 32)"
        )
    return as_computed(tensor[:1].detach().clone())


def as_computed(tensor: Tensor) -> Tensor:
    """Floats in float32, in which networks are computed here; signed whole numbers in int64."""
    if tensor.is_floating_point():
        return tensor.float()
    return tensor.long() if tensor.dtype in (torch.int8, torch.int16, torch.int32) else tensor


def pick_output(output: Any, which: Which = None) -> Tensor:
    """The output that counts, (B, …) floating: `which` by key, attribute or place.

    None is the only tensor, or the one called logits.
    Raises ValueError where that is not one floating tensor, with the names to choose from.
    """
    if isinstance(output, Tensor) and which in (None, 0):
        return _without_places(_floating(output))
    parts = named_outputs(output)
    if which is None:
        which = _obvious(parts)
    if which is None or which not in parts:
        said = "which of them counts" if which is None else f"no output {which!r}"
        raise ValueError(
            f"the network gives out {_listed(parts)}, and {said}; say which one is judged, as in "
            "Original(…, task=Task(output='logits')) or output=0; or wrap the network in a "
            "module that returns that tensor alone"
        )
    return _without_places(_floating(parts[which]))


def _without_places(output: Tensor) -> Tensor:
    """(B, classes) of (B, classes, 1, 1): what a convolution in place of a linear layer leaves."""
    return (
        output.flatten(1) if output.dim() > 2 and output[0].numel() == output.shape[1] else output
    )


def named_outputs(output: Any) -> dict[str | int, Any]:
    """The parts of what a network gives out, by key, attribute and place."""
    if isinstance(output, Mapping):
        return dict(output) | dict(enumerate(output.values()))
    if isinstance(output, tuple | list):
        names = getattr(output, "_fields", ())  # a NamedTuple's
        return dict(zip(names, output, strict=False)) | dict(enumerate(output))
    if dataclasses.is_dataclass(output):
        return {part.name: getattr(output, part.name) for part in dataclasses.fields(output)}
    return {}


def _obvious(parts: Mapping[str | int, Any]) -> Which:
    if isinstance(parts.get("logits"), Tensor):
        return "logits"
    tensors = {id(part): name for name, part in parts.items() if isinstance(part, Tensor)}
    return next(iter(tensors.values())) if len(tensors) == 1 else None


def _listed(parts: Mapping[str | int, Any]) -> str:
    names: list[str | int] = [name for name in parts if isinstance(name, str)] or [*parts]
    return ", ".join(map(repr, names)) or "one tensor"


def _floating(output: Any) -> Tensor:
    if not isinstance(output, Tensor) or not output.is_floating_point():
        kind = str(output.dtype) if isinstance(output, Tensor) else type(output).__name__
        raise ValueError(
            f"the output that counts is {kind}, not a tensor of floating numbers; let the network "
            "return its numbers (logits, not classes), or say which output counts: "
            "Original(…, task=Task(output=…))"
        )
    return output
