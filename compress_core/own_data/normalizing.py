"""Pixels as the network saw them in its training: x' = (x · scale − mean) / std.

A network does not tell how its images were normalised, so a person chooses. A preview shows what
the network then sees, and where there are labels the accuracy of a few rows hints at the choice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from compress_core.dataset import DataError, Dataset, is_classes
from compress_core.inputs import Inputs
from compress_core.own_data.found import Array

HINT_ROWS = 200
BYTE = 255


@dataclass(frozen=True)
class Normalization:
    """x' = (x · scale − mean) / std; `mean` and `std` have one number, or one for each channel."""

    scale: float = 1 / BYTE
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        numbers = (self.scale, *self.mean, *self.std)
        if not all(np.isfinite(numbers)) or self.scale <= 0 or any(s <= 0 for s in self.std):
            raise DataError(
                f"{self} has numbers that are not finite, or a scale or std of 0 or less; give "
                "those of the network's training"
            )
        if len(self.mean) != len(self.std) or not self.mean:
            raise DataError(f"{self} has {len(self.mean)} mean and {len(self.std)} std; give pairs")

    def apply(self, images: Tensor) -> Tensor:
        """Images (n, C, …), bytes or floats, as the network takes them; float32."""
        mean, std = self._by_channel(images)
        # a division, as in the code of most trainings, rounds otherwise than a product
        return torch.div(images, 1 / self.scale).sub_(mean).div_(std)

    def _by_channel(self, images: Tensor) -> tuple[Tensor, Tensor]:
        if len(self.mean) > 1 and (images.dim() < 3 or images.shape[1] != len(self.mean)):
            raise DataError(
                f"a normalisation of {len(self.mean)} channels does not fit images of shape "
                f"{tuple(images.shape)}; choose one with a single mean"
            )
        sizes = (1, -1, *[1] * (images.dim() - 2))
        return torch.tensor(self.mean).reshape(sizes), torch.tensor(self.std).reshape(sizes)


# By name; `scale` is that of bytes. Means and standard deviations are those of each dataset's
# training images in 0..1: torchvision's ImageNet, and what most code of CIFAR-10 and MNIST has.
NORMALIZATIONS = {
    "none": Normalization(1.0),
    "0..1": Normalization(),
    "-1..1": Normalization(mean=(0.5,), std=(0.5,)),
    "ImageNet": Normalization(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    "CIFAR-10": Normalization(mean=(0.4914, 0.4822, 0.4465), std=(0.2471, 0.2435, 0.2616)),
    "MNIST": Normalization(mean=(0.1307,), std=(0.3081,)),
}
TO_CHOOSE = f"choose one of {', '.join(NORMALIZATIONS)}, or a number to divide pixels by"


def normalization_by_name(name: str) -> Normalization:
    """One of NORMALIZATIONS, or pixels divided by a number that is given in its place.

    Raises ValueError for another name.
    """
    if name in NORMALIZATIONS:
        return NORMALIZATIONS[name]
    try:
        return Normalization(1 / float(name))
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"normalisation {name!r} is unknown; {TO_CHOOSE}") from None


def choices(images: Tensor) -> dict[str, Normalization]:
    """The normalisations that fit images (n, C, H, W) as they were read, by name.

    Images whose largest value is far below 255, such as 8 x 8 digits of 0 to 16, may be divided by
    that; images in 0..1 are not divided.
    """
    channels = images.shape[1] if images.dim() > 2 else 1
    largest = float(images.max())
    scale = 1 / BYTE if largest > 1 else 1.0
    fitting = {
        name: one if name == "none" else Normalization(scale, one.mean, one.std)
        for name, one in NORMALIZATIONS.items()
        if len(one.mean) in (1, channels)
    }
    if scale == 1:
        fitting.pop("0..1")
    elif largest < BYTE / 2:
        fitting[f"divided by {largest:g}"] = Normalization(1 / largest)
    return fitting


class Preview(NamedTuple):
    """What the network sees: `pixels` (n, H, W, C) bytes, black at `low` and white at `high`, which
    are the smallest and largest normalised value shown."""

    pixels: Array
    low: float
    high: float


def preview(data: Dataset, normalization: Normalization | None, n: int = 8) -> Preview:
    """The first `n` images as the network sees them, their normalised values mapped to 0..255.

    All channels and images are mapped alike, so that a wrong normalisation shows: in its numbers
    everywhere, and in the colours where its channels differ. None is data that are used as read.
    Raises DataError for inputs that are no images (n, C, H, W) of 1 or 3 channels.
    """
    images = data.images[:n]
    if images.dim() != 4 or images.shape[1] not in (1, 3):
        raise DataError(
            f"inputs {tuple(images.shape)} are no images, which are (n, 1, H, W) or (n, 3, H, W); "
            "look at their numbers in a table"
        )
    seen = images.float() if normalization is None else normalization.apply(images)
    low, high = float(seen.min()), float(seen.max())
    shares = (seen - low) / max(high - low, 1e-12)
    pixels = shares.mul(BYTE).round().to(torch.uint8).permute(0, 2, 3, 1)
    return Preview(pixels.numpy(), low, high)


class Hint(NamedTuple):
    """How many of `n` labelled rows a network gets right with a normalisation."""

    name: str
    normalization: Normalization
    accuracy: float
    n: int


def suggest(
    data: Dataset,
    run: Callable[[Inputs], Tensor],
    options: dict[str, Normalization] | None = None,
) -> list[Hint]:
    """The normalisations by the accuracy that they give on at most HINT_ROWS rows, the best first.

    run: inputs (n, …) → logits (n, classes). It is a hint: of 200 rows an accuracy is known to
    within 7 points, so neighbours in the list may change places.
    Raises DataError for data without classes as labels.
    """
    if not is_classes(data.labels):
        raise DataError(
            f"{data.name} has no classes as labels, so nothing tells which normalisation is right; "
            "look it up where the network was trained"
        )
    few = data.subset(HINT_ROWS)
    options = choices(few.images) if options is None else options
    hints = [_hint(name, one, few, run) for name, one in options.items()]
    return sorted(hints, key=lambda hint: -hint.accuracy)


def _hint(
    name: str, normalization: Normalization, few: Dataset, run: Callable[[Inputs], Tensor]
) -> Hint:
    outputs = run(normalization.apply(few.images))
    right = (outputs.reshape(len(few), -1).argmax(1) == few.class_labels).float().mean()
    return Hint(name, normalization, float(right), len(few))


def hint_in_words(hints: Sequence[Hint]) -> str:
    """What the best suggestion is worth, in a sentence."""
    best = hints[0]
    return (
        f"a hint, not a measurement: of {best.n} labelled rows the network gets "
        f"{best.accuracy:.0%} right with {best.name}"
    )
