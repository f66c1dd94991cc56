"""Accuracy with its interval, and the paired difference of two models on the same images."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from compress_core.dataset import Dataset
from compress_core.entering.copying import share_parameters
from compress_core.inputs import Inputs, Which, call, count_rows, pick_output, take_rows
from compress_core.measurement.faster import faster_copy

Z_95 = 1.959963984540054  # the standard normal's 97.5 % quantile
BATCH = (
    500  # measured on LeNet-5: activations stay in cache; one batch of 2,000 takes twice as long
)


@dataclass(frozen=True)
class Accuracy:
    """Fraction of `n` images classified right, with its Wilson 95 % interval."""

    accuracy: float
    accuracy_low: float
    accuracy_high: float
    n: int


@dataclass(frozen=True)
class PairedDifference:
    """Change between two models on the same `n` images, or other rows, with its 95 % interval.

    For a share of right answers, `gained` answers became right and `lost` became wrong, and the
    difference is (gained - lost) / n. For other metrics `gained` and `lost` are None.
    """

    difference: float
    difference_low: float
    difference_high: float
    gained: int | None
    lost: int | None
    n: int

    @property
    def bounds(self) -> dict[str, float]:
        """The columns difference, difference_low and difference_high of a row."""
        return {key: value for key, value in vars(self).items() if key.startswith("difference")}


class Stopped(Exception):  # noqa: N818  # no error: somebody asked for it
    """A measurement ended early because its result is not wanted any more."""


def predict(
    model: nn.Module,
    inputs: Inputs,
    *,
    output: Which = None,
    stop: Callable[[], bool] = lambda: False,
) -> Tensor:
    """Logits (n, classes) for images (n, C, H, W), or the output that counts for other inputs.

    In batches, without gradients. `stop` is asked before each batch; where it says yes, Stopped is
    raised. Raises ValueError for a model in training mode (it is never switched here, others may
    share it), and for answers that are NaN or infinite.
    """
    batches = run_batches(model, inputs, stop=stop)
    logits = torch.cat([pick_output(given, output) for _, given in batches])
    check_finite(logits, allow_masked=True)
    return logits


def run_batches(
    model: nn.Module,
    inputs: Inputs,
    *,
    batch: int = BATCH,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[slice, Any]]:
    """The rows of each batch, and all that the model gives out for them."""
    private = private_copy(model, inputs)
    for start in range(0, count_rows(inputs), batch):
        if stop():
            raise Stopped
        rows = slice(start, start + batch)
        yield rows, run_rows(private, take_rows(inputs, rows))


def private_copy(model: nn.Module, inputs: Inputs) -> nn.Module:
    """What runs in place of `model`: running may change buffers, which must not reach the next
    measurement. Raises ValueError for a model in training mode."""
    if model.training:
        raise ValueError("the model is in training mode; pass model.eval() to measure it")
    fast = faster_copy(model, inputs) if isinstance(inputs, Tensor) else None
    return fast or share_parameters(model)


def run_rows(private: nn.Module, inputs: Inputs) -> Any:
    """All that a private copy gives out for some rows, without gradients."""
    with torch.inference_mode():
        return call(private, inputs)


def check_finite(output: Tensor, *, allow_masked: bool = False) -> None:
    """Raise ValueError for answers (B, …) of which some numbers are NaN or infinite.

    `allow_masked`: −∞ is the logit of a class that cannot be, unless it is that of all of them.
    """
    finite = output.isfinite()
    if allow_masked:
        finite = (finite | output.isneginf()) & finite.any(-1, keepdim=True)
    right = finite.flatten(1).all(1) if finite.dim() > 1 else finite
    if not right.all():
        raise ValueError(
            f"{int((~right).sum()):,} of {len(output):,} answers are NaN or infinite, so nothing "
            "is measured; look at the network's weights and inputs, or compress it less"
        )


def predicted_classes(model: nn.Module, data: Dataset, *, output: Which = None) -> Tensor:
    """The class of the largest logit for each image, (n,)."""
    return predict(model, data.inputs, output=output).argmax(1)


def accuracy_of(classes: Tensor, data: Dataset) -> Accuracy:
    """Top-1 accuracy of predicted classes (n,) on the images of `data`."""
    right, n = int((classes == data.class_labels).sum()), len(data)
    low, high = wilson_interval(right, n)
    return Accuracy(right / n, low, high, n)


def wilson_interval(right: int, n: int, z: float = Z_95) -> tuple[float, float]:
    """The Wilson score interval of a proportion: `right` of `n`.

    (p + z²/2n ± z·sqrt(p(1 - p)/n + z²/4n²)) / (1 + z²/n). Source: E. B. Wilson, 1927.
    Unlike p ± 1.96 s it stays inside [0, 1] and is not empty at p = 1.
    """
    if n < 1 or not 0 <= right <= n:
        raise ValueError(f"{right} right of {n} is no proportion; n must be at least 1")
    p = right / n
    centre = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def paired_difference(before: Tensor, after: Tensor, data: Dataset) -> PairedDifference:
    """How the accuracy changed from classes `before` to `after` (n,), image by image.

    The interval is Wald's with half an observation added to each cell (Agresti & Min 2005): it is
    not empty when no image changed. Images that both get right, or both wrong, do not widen it.
    """
    return paired_change(before == data.class_labels, after == data.class_labels)


def paired_change(right_before: Tensor, right_after: Tensor) -> PairedDifference:
    """The same from which images were right before and after, (n,) bool; within -1 … 1."""
    gained = int((right_after & ~right_before).sum())
    lost = int((right_before & ~right_after).sum())
    n = len(right_before)
    padded_n, centre = n + 2, (gained - lost) / (n + 2)
    half = Z_95 * math.sqrt(((gained + lost + 1) / padded_n - centre**2) / padded_n)
    low, high = max(-1.0, centre - half), min(1.0, centre + half)
    return PairedDifference((gained - lost) / n, low, high, gained, lost, n)


def confusion_matrix(classes: Tensor, data: Dataset) -> Tensor:
    """Counts (true class, predicted class)."""
    size = len(data.class_names)
    return torch.bincount(data.class_labels * size + classes, minlength=size * size).view(
        size, size
    )
