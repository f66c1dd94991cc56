"""Random inputs of several seeds, on which two networks are compared.

Zeros hide mistakes: on them broken networks look alike, and token 0 is often padding, whose row of
the embedding is zero.
"""

import copy
from collections.abc import Callable, Sequence
from functools import cache
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from compress_core.equality import Probe, first_line, outputs_of

SEEDS = (0, 1, 2)
UNBOUNDED = 256  # whole numbers are drawn below this if they look up no row of a table
MOST_TOKENS = 2**15
Lookup = dict[int, tuple[int, Tensor]]  # by the lookup's place: rows of the table, indices


def draw_probes(module: nn.Module, examples: Probe, batch: int = 2) -> tuple[Probe, ...]:
    """Random inputs for a network in the shape of its `examples` (1, …), `batch` for each seed.

    Floats are normal noise for two seeds, and noise in [0, 1) for another. Whole numbers are tokens
    that exist in every embedding they reach, even if the network takes them as floats. Noise that
    gives NaN, as in a logarithm, is left out. If a network runs only on batches as large as that of
    its examples, the probes have that size.
    Raises ValueError for a network that does not run on any of them, or always answers NaN.
    """
    network = copy.deepcopy(module)  # modules may keep what they saw
    tokens = cache(lambda: _tokens(network, examples))  # floats rarely need it
    reason = "answers NaN on random inputs"
    for size, whole in product((batch, examples[0].shape[0]), (False, True)):
        drawn = [_draw(examples, size, tokens, seed, whole) for seed in SEEDS]
        try:
            usable = [probe for probe in drawn if not _answers_nan(network, probe)]
        except Exception as error:  # whatever a network of other people raises
            reason = f"does not run on random inputs ({first_line(error)})"
            continue
        if usable:
            return tuple(usable)
    raise ValueError(
        f"this {type(module).__name__} {reason}, so that no step that claims to be exact can be "
        "checked; leave it out"
    )


def _draw(examples: Probe, size: int, tokens: Callable[[], int], seed: int, whole: bool) -> Probe:
    """One probe; `whole` draws tokens for floats, too."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand if seed == SEEDS[-1] else torch.randn
    drawn = []
    for example in examples:
        shape = (size, *example.shape[1:])
        if example.dtype == torch.bool:
            drawn.append(torch.rand(shape, generator=generator) < 0.5)
        elif example.dtype.is_floating_point and not whole:
            drawn.append(noise(shape, generator=generator).to(example.dtype))
        else:
            drawn.append(_some_tokens(shape, tokens(), generator).to(example.dtype))
    return tuple(drawn)


def _some_tokens(shape: tuple[int, ...], tokens: int, generator: torch.Generator) -> Tensor:
    drawn = torch.randint(tokens, shape, generator=generator)
    return drawn if drawn.any() else drawn + (tokens > 1)  # never zeros alone


def _answers_nan(network: nn.Module, probe: Probe) -> bool:
    outputs = outputs_of(network, [probe]).values()
    return any(bool(tensor.isnan().any()) for tensors in outputs for tensor in tensors)


def _tokens(network: nn.Module, examples: Probe) -> int:
    """The number of rows of the smallest table in which the inputs look up rows."""
    zeros = _lookups(network, [torch.zeros_like(example) for example in examples])
    ones = _lookups(network, [torch.ones_like(example) for example in examples])
    reached = [
        rows
        for place, (rows, indices) in zeros.items()
        if place not in ones or not torch.equal(indices, ones[place][1])
    ]
    return min([MOST_TOKENS, *reached]) if reached else UNBOUNDED


def _lookups(network: nn.Module, inputs: Sequence[Tensor]) -> Lookup:
    watching = _Lookups()
    try:
        with torch.inference_mode(False), torch.no_grad(), watching:
            network(*inputs)
    except Exception:  # as where a table has no row 1; what was seen until then counts
        pass
    return watching.found


class _Lookups(TorchDispatchMode):
    """Sees in which tables rows are looked up by whole numbers, and by which."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled here, and importing the compiler takes a second

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: Lookup = {}

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        name = str(getattr(func, "overloadpacket", func)).removeprefix("aten.").rstrip("_")
        if name in ("embedding", "_embedding_bag"):
            self._note(args[0], 0, args[1])
        elif name in ("index_select", "gather", "scatter"):
            self._note(args[0], args[1], args[2])
        elif name == "index":
            for dim, indices in enumerate(args[1]):
                self._note(args[0], dim, indices)
        return func(*args, **(kwargs or {}))

    def _note(self, table: Tensor, dim: int, indices: Tensor | None) -> None:
        if indices is not None and indices.dtype in (torch.int32, torch.int64) and table.dim():
            self.found[len(self.found)] = (table.shape[dim], indices.clone())
