"""Whether two networks give the same outputs: what claims to be exact is compared.

outputs_of(network, probes) → its outputs by name; compare(outputs, others) → where they differ, in
words. `differs` does both for two networks: after folding, unpacked attention, factors of full
rank, and between a smaller network and the one with zeros in place of what it lost.
"""

import copy
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

Probe = tuple[Tensor, ...]  # one tensor for each input of a network, with a batch dimension
Outputs = Mapping[str, list[Tensor]]  # by the output's name, one for each probe

# Of an output's standard deviation. float32 sums in another order differ by about 1e-6 of it in a
# network of 20 layers, and a wrong fold or channel by more than 1e-2.
TOLERANCE = 1e-4
# Of an output's largest value: eight steps of float32, which no two orders of summation resolve.
ROUNDING = 8 * torch.finfo(torch.float32).eps

HOLDERS = (Tensor, Mapping, tuple, list)  # of what an object of an unknown class holds
DEEPEST = 8  # objects in objects: deeper, they hold each other


def differs(original: nn.Module, other: nn.Module, probes: Sequence[Probe]) -> str | None:
    """Which output of two networks differs on `probes`, and how far, in words; None if none does.

    Each output is judged by its own standard deviation over all probes: a difference above
    `TOLERANCE` of it is one, and so is NaN. Private copies run; the networks are untouched.
    probes: `compress_core.probing.draw_probes(original, (example,))`.
    Raises what `original` raises; where only `other` does not run, that is said in words.
    """
    expected = outputs_of(copy.deepcopy(original), probes)
    try:
        actual = outputs_of(copy.deepcopy(other), probes)
    except Exception as error:
        return f"it does not run ({type(error).__name__}: {first_line(error)})"
    found = compare(expected, actual)
    if found and compare(expected, outputs_of(copy.deepcopy(original), probes)):
        return "the network does not answer the same twice, so nothing can be compared"
    return found


def outputs_of(network: nn.Module, probes: Sequence[Probe]) -> dict[str, list[Tensor]]:
    """The outputs of a network, which runs as it is, by their names."""
    found: dict[str, list[Tensor]] = {}
    with torch.inference_mode(False), torch.no_grad():
        for probe in probes:
            for name, tensor in named_tensors(network(*(x.clone() for x in probe))):
                found.setdefault(name, []).append(tensor.detach().clone())
    return found


def named_tensors(output: Any, name: str = "output") -> Iterator[tuple[str, Tensor]]:
    """The tensors in what a network gives out, such as ("output[0]", …) or ("output['boxes']", …).

    Tuples, lists, dictionaries, dataclasses and other objects are gone through; what is no number
    has no name. Raises ValueError for a set or the like: what it holds could not be compared.
    """
    if isinstance(output, Tensor):
        yield name, output
    elif isinstance(output, bool | int | float):
        yield name, torch.tensor(output)
    elif output is not None and not isinstance(output, str):
        for suffix, value in _parts(output, name):
            yield from named_tensors(value, f"{name}{suffix}")


def _parts(output: Any, name: str) -> list[tuple[str, Any]]:
    if isinstance(output, Mapping):
        return [(f"[{key!r}]", value) for key, value in output.items()]
    if isinstance(output, tuple | list):
        return [(f"[{place}]", value) for place, value in enumerate(output)]
    if dataclasses.is_dataclass(output):
        return [
            (f".{part.name}", getattr(output, part.name)) for part in dataclasses.fields(output)
        ]
    if hasattr(output, "__dict__") and name.count(".") < DEEPEST:  # as a cache of keys and values
        held = vars(output).items()
        return [(f".{key}", value) for key, value in held if isinstance(value, HOLDERS)]
    raise ValueError(
        f"{name} of the network is a {type(output).__name__}, which cannot be compared; return a "
        "tensor, or a tuple, list, dictionary or dataclass of tensors"
    )


def compare(expected: Outputs, actual: Outputs) -> str | None:
    """Which output differs, and how far, in words; None if none does."""
    for name in [*expected, *(name for name in actual if name not in expected)]:
        if name not in actual or name not in expected:
            return f"{name} is there only in one of both"
        ours, theirs = expected[name], actual[name]
        shapes = [[tuple(tensor.shape) for tensor in tensors] for tensors in (ours, theirs)]
        if shapes[0] != shapes[1]:
            return f"{name} has the shape {shapes[1][0]} instead of {shapes[0][0]}"
        if reason := _compare_values(_flat(ours), _flat(theirs)):
            return f"{name} {reason}"
    return None


def _flat(tensors: list[Tensor]) -> Tensor:
    real = [torch.view_as_real(x) if x.is_complex() else x for x in tensors]
    return torch.cat([tensor.reshape(-1) for tensor in real]).double()


def _compare_values(expected: Tensor, actual: Tensor) -> str | None:
    if bool(expected.isnan().any() or actual.isnan().any()):
        return "is NaN somewhere"
    other = expected != actual  # infinities of one sign are equal
    if not bool(other.any()):
        return None
    finite = expected[expected.isfinite()]
    spread = float(finite.std(correction=0)) if finite.numel() else 0.0
    largest = float(finite.abs().max()) if finite.numel() else 0.0
    gap = float((actual - expected)[other].abs().max())
    if gap <= TOLERANCE * spread + ROUNDING * largest:
        return None
    return f"differs by {gap:.2g}, where its standard deviation is {spread:.2g}"


def first_line(error: Exception) -> str:
    """What an error of torch says, without the pages that follow."""
    return next(iter(str(error).splitlines()), "")[:200]
