"""Train a reference network from scratch: one-cycle learning rate, L2 penalty, shifted images.

The checkpoints in assets/ come from here and from nowhere else: the same seed gives the same
network on the same machine and torch version.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from compress_core.data import Dataset


@dataclass(frozen=True)
class Settings:
    """How one network is trained; `shift` in pixels, `flip` mirrors left and right at random.

    SGD with an L2 penalty leaves many weights near zero, so that pruning has something to find:
    80 % one-shot sparsity costs digits-cnn 0.0 points, and 35 points in a trial with AdamW.
    Transformers need AdamW.

    `bfloat16` computes the forward pass under torch's autocast: convolutions and linear layers in
    bfloat16; the weights, their gradients and the loss stay float32. On one core with AVX-512 BF16
    a batch of 128 takes cifar-resnet-20 241 ms, and 401 ms without it.
    """

    epochs: int
    learning_rate: float
    weight_decay: float = 1e-3
    optimizer: Literal["sgd", "adamw"] = "sgd"
    batch_size: int = 128
    shift: int = 0
    flip: bool = False
    bfloat16: bool = False


SETTINGS = {
    "digits-mlp": Settings(epochs=150, learning_rate=0.1, batch_size=64, shift=1),
    "digits-cnn": Settings(epochs=120, learning_rate=0.1, batch_size=64, shift=1),
    "digits-transformer": Settings(
        epochs=250,
        learning_rate=2e-3,
        weight_decay=0.05,
        optimizer="adamw",
        batch_size=64,
        shift=1,
    ),
    "mnist-lenet-300-100": Settings(epochs=40, learning_rate=0.1, weight_decay=5e-4, shift=1),
    "mnist-lenet-5": Settings(epochs=20, learning_rate=0.05, shift=2),
    "fashion-cnn": Settings(epochs=12, learning_rate=0.1, shift=2, flip=True),
    "cifar-resnet-20": Settings(
        epochs=45, learning_rate=0.2, weight_decay=5e-4, shift=4, flip=True, bfloat16=True
    ),
}


def train(
    model: nn.Module,
    data: Dataset,
    settings: Settings,
    *,
    seed: int = 0,
    progress: Callable[[int, float, float], None] | None = None,
) -> nn.Module:
    """Train `model` in place on `data` and return it in evaluation mode.

    The caller has built the model with freshly seeded weights: it is ours to write to.
    `progress(epoch, fraction of the epoch, loss)` is called after each batch.
    """
    generator = torch.Generator().manual_seed(seed)
    batches = math.ceil(len(data) / settings.batch_size)
    optimizer = _optimizer(model, settings)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, total_steps=settings.epochs * batches, pct_start=0.2
    )
    model.train()
    for weight in model.parameters():
        if weight.dim() == 4:  # convolutions run twice as fast
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    for epoch in range(settings.epochs):
        for done, (images, labels) in enumerate(_batches(data, settings, generator), start=1):
            with torch.autocast("cpu", torch.bfloat16, enabled=settings.bfloat16):
                loss = functional.cross_entropy(model(images).float(), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if progress:
                progress(epoch, done / batches, loss.item())
    return model.eval()


def _optimizer(model: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    lr, decay = settings.learning_rate, settings.weight_decay
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=decay)
    return torch.optim.SGD(
        model.parameters(), lr=lr, weight_decay=decay, momentum=0.9, nesterov=True
    )


def _batches(
    data: Dataset, settings: Settings, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    order = torch.randperm(len(data), generator=generator)
    for picked in order.split(settings.batch_size):
        images = shift_images(data.images[picked], settings.shift, generator)
        if settings.flip:
            mirror = torch.rand(len(picked), generator=generator) < 0.5
            images = torch.where(mirror[:, None, None, None], images.flip(3), images)
        yield images, data.class_labels[picked]


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
