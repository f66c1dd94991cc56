"""Batches of a dataset in random order, images shifted and mirrored; no DataLoader."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from compress_core.dataset import Dataset
from compress_core.inputs import Inputs, take_rows
from compress_core.training.settings import Settings


@dataclass(frozen=True, eq=False)
class Batch:
    """Some rows: `inputs` (B, …) as the network is called with them, and their labels."""

    inputs: Inputs
    labels: Tensor | None


class Batches:
    """Batches of the `rows` of a dataset, all if None, in an order drawn by `seed`.

    len() is the number of batches in an epoch; each iteration is the next epoch, every row once.
    """

    def __init__(
        self, data: Dataset, settings: Settings, *, seed: int = 0, rows: Tensor | None = None
    ) -> None:
        self.seed = seed
        self.generator = torch.Generator().manual_seed(seed)
        self._data, self._settings = data, settings
        self._rows = torch.arange(len(data)) if rows is None else rows

    def __len__(self) -> int:
        return math.ceil(len(self._rows) / self._settings.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        order = torch.randperm(len(self._rows), generator=self.generator)
        for picked in self._rows[order].split(self._settings.batch_size):
            inputs = take_rows(self._data.inputs, picked)
            if isinstance(inputs, Tensor) and inputs.dim() == 4:
                inputs = augment(inputs, self._settings, self.generator)
            labels = self._data.labels
            yield Batch(inputs, None if labels is None else labels[picked])


def augment(images: Tensor, settings: Settings, generator: torch.Generator) -> Tensor:
    """Images (B, C, H, W), shifted and mirrored as the settings say."""
    images = shift_images(images, settings.shift, generator)
    if settings.flip:
        mirror = torch.rand(len(images), generator=generator) < 0.5
        images = torch.where(mirror[:, None, None, None], images.flip(3), images)
    return images


def shift_images(images: Tensor, pixels: int, generator: torch.Generator) -> Tensor:
    """Each image (B, C, H, W) moved by up to `pixels` in each direction, zeros moving in."""
    if not pixels:
        return images
    batch, channels, height, width = images.shape
    padded = functional.pad(images, (pixels,) * 4)
    dy, dx = torch.randint(0, 2 * pixels + 1, (2, batch), generator=generator)
    rows = (dy[:, None] + torch.arange(height))[:, None, :, None]  # (B, 1, H, 1)
    columns = (dx[:, None] + torch.arange(width))[:, None, None, :]  # (B, 1, 1, W)
    image = torch.arange(batch)[:, None, None, None]
    return padded[image, torch.arange(channels)[:, None, None], rows, columns]
