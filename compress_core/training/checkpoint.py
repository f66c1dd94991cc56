"""Train a reference network and write its checkpoint and card."""

from collections.abc import Callable
from pathlib import Path

import torch

from compress_core.data import load_dataset
from compress_core.measurement.accuracy import accuracy_of, predicted_classes
from compress_core.models.catalog import model_spec
from compress_core.models.checkpoints import CHECKPOINTS, Card, save_card, save_checkpoint
from compress_core.training.loop import SETTINGS, train


def train_checkpoint(
    name: str,
    *,
    seed: int = 0,
    folder: Path = CHECKPOINTS,
    progress: Callable[[int, float, float], None] | None = None,
) -> Card:
    """Train `name` from random weights; writes NAME.safetensors and NAME.json to `folder`.

    The test accuracy of the card is measured once, after the last epoch: no checkpoint is chosen
    by the test set.
    """
    spec = model_spec(name)
    train_data, test_data = load_dataset(spec.dataset, "train"), load_dataset(spec.dataset, "test")
    with torch.random.fork_rng():
        torch.manual_seed(seed)  # the layers' own initialisation draws from the global generator
        model = spec.build()
    train(model, train_data, SETTINGS[name], seed=seed, progress=progress)
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
