"""Train a reference network and write its checkpoint and card."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from compress_core.data import Dataset, load_dataset
from compress_core.measurement.accuracy import accuracy_of, predicted_classes
from compress_core.models.catalog import model_spec
from compress_core.models.checkpoints import (
    Card,
    fresh_network,
    save_card,
    save_checkpoint,
)
from compress_core.training.batches import Batches
from compress_core.training.loop import Hooks, train
from compress_core.training.losses import metric_loss
from compress_core.training.settings import SECOND_CYCLES, SETTINGS, Settings
from compress_core.training.student import Student


def train_checkpoint(
    name: str,
    *,
    folder: Path,
    seed: int = 0,
    progress: Callable[[int, float, float], None] | None = None,
) -> Card:
    """Train `name` from random weights; writes NAME.safetensors and NAME.json to `folder`.

    `progress(epoch, fraction of the epoch, loss)` is called after each batch. The test accuracy of
    the card is measured once, after the last epoch: no checkpoint is chosen by the test set.
    """
    spec = model_spec(name)
    train_data, test_data = load_dataset(spec.dataset, "train"), load_dataset(spec.dataset, "test")
    model = fresh_network(name, seed)
    hooks = Hooks(after_batch=progress) if progress else None
    train_classifier(model, train_data, SETTINGS[name], seed=seed, hooks=hooks)
    if name in SECOND_CYCLES:
        train_classifier(model, train_data, SECOND_CYCLES[name], seed=seed + 1, hooks=hooks)
    accuracy = accuracy_of(predicted_classes(model, test_data), test_data)
    card = Card(
        model=name,
        command=f"python -m compress_core train {name} --seed {seed}",
        seed=seed,
        dataset=spec.dataset,
        parameters=sum(p.numel() for p in model.parameters()),
        test_accuracy=accuracy.accuracy,
        test_n=accuracy.n,
        torch=str(torch.__version__),
        sha256=save_checkpoint(model, folder / f"{name}.safetensors"),
    )
    save_card(card, folder / f"{name}.json")
    return card


def train_classifier(
    model: nn.Module,
    data: Dataset,
    settings: Settings,
    *,
    seed: int = 0,
    hooks: Hooks | None = None,
) -> nn.Module:
    """Train a network of your own in place, all of its weights; returns it in evaluation mode."""
    loss = lambda output, batch: metric_loss("accuracy", output, batch)  # noqa: E731
    train(Student(model), Batches(data, settings, seed=seed), settings, loss, hooks=hooks)
    return model
