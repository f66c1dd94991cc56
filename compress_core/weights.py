"""Walk the compressible weights of a model, and keep what is worth computing once of each.

Compressible are the weights of Linear, Conv1d, Conv2d, Embedding and the packed projections of
MultiheadAttention. Biases, norms and positions stay as they are; they are stored and counted.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from compress_core.entering.copying import laid_out_as, share_parameters

FloatArray = NDArray[np.float32]
LARGEST = 1e37  # beyond it, sums of two weights come near the end of float32

KINDS: dict[type[nn.Module], str] = {
    nn.Linear: "linear",
    nn.Conv1d: "conv1d",
    nn.Conv2d: "conv2d",
    nn.Embedding: "embedding",
    nn.MultiheadAttention: "attention",
}
ATTENTION_KEYS = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")


class Profile:
    """What is computed once of a tensor and then answers any threshold or rank at once.

    All parts are lazy: a page that draws no spectrum pays for no SVD.
    """

    def __init__(self, weight: Tensor) -> None:
        self.weight = weight

    @cached_property
    def magnitudes(self) -> FloatArray:
        """|w|, ascending, (n,) float32."""
        return np.sort(np.abs(self.weight.detach().numpy().ravel()))

    @cached_property
    def cumulative_energy(self) -> NDArray[np.float64]:
        """Share of Σw² held by the k smallest weights, for k = 0 … n, (n + 1,)."""
        squares = np.concatenate([[0.0], np.square(self.magnitudes, dtype=np.float64)])
        total = np.cumsum(squares)
        return total / total[-1] if total[-1] else total

    @cached_property
    def sigma(self) -> float:
        """Population standard deviation of the weights."""
        return float(self.weight.double().std(correction=0))

    @cached_property
    def factors(self) -> tuple[Tensor, Tensor, Tensor]:
        """U (out, r), S (r,), Vᵀ (r, in) of the weight as a matrix, r = min(out, in), float64."""
        u, s, vt = torch.linalg.svd(as_matrix(self.weight).double(), full_matrices=False)
        return u, s, vt

    @property
    def spectrum(self) -> NDArray[np.float64]:
        """Singular values, descending."""
        values: NDArray[np.float64] = self.factors[1].numpy()
        return values

    def count_below(self, threshold: float) -> int:
        """How many weights have |w| <= threshold: those that a threshold prunes."""
        return counts_below([self], threshold)[0]

    def threshold_at(self, count: int) -> float:
        """The largest magnitude among the `count` smallest; 0 for none."""
        return float(self.magnitudes[count - 1]) if count else 0.0

    def sparsity_at(self, threshold: float) -> float:
        """Fraction of weights that a threshold prunes."""
        return self.count_below(threshold) / self.magnitudes.size

    def histogram(self, bins: int = 121) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Counts and bin edges of w over ±max|w|; an odd number of bins centres one on zero."""
        limit = float(self.magnitudes[-1]) or 1.0
        return np.histogram(self.weight.detach().numpy(), bins=bins, range=(-limit, limit))


def counts_below(profiles: Sequence[Profile], threshold: float) -> list[int]:
    """`Profile.count_below` of several tensors at once: half the time of a call for each."""
    limit = np.float32(threshold)  # compared as the mask compares: in float32
    return [int(profile.magnitudes.searchsorted(limit, "right")) for profile in profiles]


@dataclass(frozen=True, eq=False)
class Layer:
    """A named compressible weight; `key` is its state-dict key, `tied_keys` all that share it."""

    name: str
    key: str
    kind: str
    weight: Tensor
    tied_keys: tuple[str, ...]
    refuses_factors: str | None  # why it cannot run as a factor pair, None if it can

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.weight.shape)

    @cached_property
    def profile(self) -> Profile:
        return Profile(self.weight)

    def owners(self, model: nn.Module) -> list[nn.Module]:
        """The modules of `model`, or what runs in their place, that multiply with this weight."""
        found = [model.get_submodule(key.rpartition(".")[0]) for key in self.tied_keys]
        return list({id(module): module for module in found}.values())


def as_matrix(weight: Tensor) -> Tensor:
    """(out, …) → (out, in): what a layer multiplies its flattened input patch with."""
    return weight.flatten(1) if weight.dim() > 1 else weight[:, None]


def walk_layers(model: nn.Module) -> dict[str, Layer]:
    """The compressible layers of a model by name, in the order of their modules, tied ones once.

    Raises ValueError when a weight is empty, not float32, or holds NaN or infinity.
    """
    keys_by_parameter: dict[int, list[str]] = {}
    for key, parameter in model.named_parameters(remove_duplicate=False):
        keys_by_parameter.setdefault(id(parameter), []).append(key)
    first: dict[int, tuple[str, nn.Module, Tensor]] = {}
    for key, module, weight in _weights(model):
        first.setdefault(id(weight), (key, module, weight))
    read_directly = set(_read_directly(model))
    layers = {}
    for identity, (key, module, weight) in first.items():
        _check_weight(key, weight)
        keys = tuple(keys_by_parameter[identity])
        name = key.removesuffix("_weight").removesuffix(".weight")
        refusal = _refusal(module, keys, key in read_directly)
        layers[name] = Layer(name, key, _kind(module), weight.detach().contiguous(), keys, refusal)
    return layers


def _read_directly(model: nn.Module) -> Iterator[str]:
    """Keys of weights that a module of torch reads past the layer that holds them."""
    for name, module in model.named_modules():
        if isinstance(module, nn.MultiheadAttention):
            yield f"{name}.out_proj.weight".lstrip(".")
        if isinstance(module, nn.TransformerEncoderLayer):  # its fast path
            yield f"{name}.linear1.weight".lstrip(".")
            yield f"{name}.linear2.weight".lstrip(".")


def _weights(model: nn.Module) -> Iterator[tuple[str, nn.Module, Tensor]]:
    # with duplicates: a module that stands in two places has its weight under two keys
    for path, module in model.named_modules(remove_duplicate=False):
        attributes = ATTENTION_KEYS if isinstance(module, nn.MultiheadAttention) else ("weight",)
        if _kind(module):
            for attribute in attributes:
                key = f"{path}.{attribute}" if path else attribute
                _check_module(key, module, attribute)
                weight = module._parameters[attribute]
                if weight is not None:
                    yield key, module, weight


def _kind(module: nn.Module) -> str:
    return next((kind for cls, kind in KINDS.items() if isinstance(module, cls)), "")


def _check_module(key: str, module: nn.Module, attribute: str) -> None:
    if attribute not in module._parameters:
        raise ValueError(
            f"{key} is computed on each pass (weight norm, a pruning mask, another "
            "parametrization); make it a plain parameter first (remove_parametrizations, "
            "remove_weight_norm, prune.remove)"
        )
    if isinstance(module, nn.Embedding) and module.max_norm is not None:
        raise ValueError(
            f"{key} has max_norm={module.max_norm}: looking a row up would write to the weight; "
            "set max_norm to None"
        )


def _refusal(module: nn.Module, keys: tuple[str, ...], read_directly: bool) -> str | None:
    if "." not in keys[0]:
        return "it is the whole model; wrap it in nn.Sequential"
    if len(keys) > 1:
        return f"its weight is tied ({', '.join(keys)})"
    if isinstance(module, nn.MultiheadAttention) or read_directly:
        return "the attention or encoder module around it reads the weight itself"
    if isinstance(module, nn.Embedding):
        return "an embedding looks its rows up instead of multiplying"
    if isinstance(module, nn.Conv1d | nn.Conv2d) and module.groups != 1:
        return f"it is a convolution in {module.groups} groups"
    return None


def _check_weight(key: str, weight: Tensor) -> None:
    if weight.numel() == 0:
        raise ValueError(f"{key} is empty (shape {tuple(weight.shape)}); remove that layer")
    if weight.dtype != torch.float32:
        raise ValueError(f"{key} is {weight.dtype}; only float32 is compressed: pass model.float()")
    bad = weight.numel() - int((weight.abs() < LARGEST).sum())
    if bad:
        raise ValueError(
            f"{key} holds {bad} NaN or infinite values (or beyond ±{LARGEST:g}) of "
            f"{weight.numel()}; every weight must be finite: load a checkpoint that did not diverge"
        )


def with_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> nn.Module:
    """A copy of `model` with the parameters named in `weights` replaced.

    The other parameters are shared, buffers are not: running the copy changes none of `model`.
    Keys with the same tensor get the same parameter: tied weights stay tied. A parameter keeps the
    memory layout of the one that it replaces, which the network's forward may rely on.
    """
    copied = share_parameters(model)
    parameters: dict[int, nn.Parameter] = {}  # one for each tensor, so that tied ones stay tied
    for key, value in weights.items():
        owner, _, attribute = key.rpartition(".")
        module = copied.get_submodule(owner)
        if id(value) not in parameters:
            laid_out = laid_out_as(value, getattr(module, attribute, None))
            parameters[id(value)] = nn.Parameter(laid_out, requires_grad=False)
        setattr(module, attribute, parameters[id(value)])
    return copied


def energy(values: Tensor) -> float:
    """Σ v², summed in float64."""
    flat = values.detach().ravel().double()
    return float(flat.dot(flat))


def sqnr_db(original: Tensor, compressed: Tensor) -> float | None:
    """Signal-to-quantization-noise ratio, 10·log10(Σw² / Σ(w - w')²), in dB.

    None where it has no finite value: nothing changed, or the original is all zero.
    """
    signal, noise = energy(original), energy(original - compressed)
    return 10 * math.log10(signal / noise) if signal > 0 and noise > 0 else None
