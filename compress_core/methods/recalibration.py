"""Norm recalibration: batch norms measure their inputs again after the weights changed.

A batch norm in use subtracts the mean and divides by the standard deviation that it saw in
training. Pruned weights give other outputs, and the old mean and deviation no longer fit them.
"""

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from compress_core.inputs import Inputs, call
from compress_core.methods.step import ALL_LAYERS, check_seed, check_whole

BATCH = 128  # images whose statistics are taken together, and then averaged


@dataclass(frozen=True)
class RecalibrateNorms:
    """Batch norms take the mean and variance of their present inputs, without a gradient.

    It acts after all steps that change weights, on `samples` training images drawn by `seed`. One
    pass measures all norms, so `layers` must keep its default.
    Raises ValueError for other values. Source: Li et al. 2020, 2007.02491, section 3.3 (adaptive
    batch normalization of pruned networks).
    """

    kind: ClassVar[str] = "recalibrate"

    samples: int = 256
    seed: int = 0
    layers: tuple[str, ...] = ALL_LAYERS

    def __post_init__(self) -> None:
        check_whole("samples", self.samples, low=2, high=2**31, remedy="256 are usual")
        check_seed(self.seed)
        if self.layers != ALL_LAYERS:
            raise ValueError(
                f"layers={self.layers!r}: one pass measures the statistics of all norms; leave "
                "layers out"
            )


def norms_with_statistics(module: nn.Module) -> dict[str, _BatchNorm]:
    """The batch norms of a network that normalize by statistics of training, by name."""
    parts = dict(module.named_modules())
    return {
        name: part
        for name, part in parts.items()
        if isinstance(part, _BatchNorm) and part.running_mean is not None
    }


def recalibrated(module: nn.Module, batches: Iterable[Inputs]) -> dict[str, Tensor]:
    """The means and variances (channels,) of each batch norm, by state-dict key, float32.

    Each is the average over the batches (B, …) of what comes into the norm, the norms before it
    normalizing by the batch itself, as in training. The network is untouched.
    """
    private = copy.deepcopy(module)
    norms = norms_with_statistics(private)
    for norm in norms.values():
        norm.train()
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over the batches
    with torch.no_grad():
        for batch in batches:
            call(private, batch)
    return {
        f"{name}.{key}".lstrip("."): getattr(norm, key)
        for name, norm in norms.items()
        for key in ("running_mean", "running_var")
    }
