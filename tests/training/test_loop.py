"""Training: the loss falls, and the same seed gives the same network."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from compress_core.data import Dataset
from compress_core.models.catalog import MODELS
from compress_core.models.checkpoints import load_card, load_network
from compress_core.training import checkpoint
from compress_core.training.batches import Batches, shift_images
from compress_core.training.checkpoint import train_classifier
from compress_core.training.loop import Hooks
from compress_core.training.settings import SETTINGS, Settings

SHORT = Settings(epochs=8, learning_rate=0.1, batch_size=20, shift=1, flip=True)


@pytest.fixture(scope="module")
def bars() -> Dataset:
    """Images of one bright row; the label is the row."""
    labels = torch.arange(100) % 4
    images = torch.zeros(100, 1, 6, 6)
    images[torch.arange(100), 0, labels + 1] = 1.0
    return Dataset("bars", "train", images, labels, tuple("abcd"))


def fresh() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 4))


def parameters(model: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_the_loss_falls(bars: Dataset, optimizer: str) -> None:
    losses: list[float] = []
    rate = 0.1 if optimizer == "sgd" else 0.01
    settings = Settings(epochs=8, learning_rate=rate, optimizer=optimizer, batch_size=20)
    hooks = Hooks(after_batch=lambda *step: losses.append(step[2]))
    train_classifier(fresh(), bars, settings, hooks=hooks)
    assert sum(losses[-5:]) < 0.2 * sum(losses[:5])


def test_the_same_seed_gives_the_same_network(bars: Dataset) -> None:
    first, again = (parameters(train_classifier(fresh(), bars, SHORT, seed=1)) for _ in range(2))
    assert torch.equal(first, again)


def test_another_seed_gives_another_network(bars: Dataset) -> None:
    first, other = (
        parameters(train_classifier(fresh(), bars, SHORT, seed=seed)) for seed in (0, 1)
    )
    assert not torch.equal(first, other)


def test_a_trained_model_is_in_evaluation_mode(bars: Dataset) -> None:
    assert not train_classifier(fresh(), bars, SHORT).training


def test_the_data_is_not_written_to(bars: Dataset) -> None:
    before = bars.images.clone()
    train_classifier(fresh(), bars, SHORT)
    assert torch.equal(bars.images, before)


def test_progress_tells_every_batch_of_every_epoch(bars: Dataset) -> None:
    steps: list[tuple[int, float]] = []
    settings = Settings(epochs=2, learning_rate=0.01, batch_size=40)
    hooks = Hooks(after_batch=lambda *step: steps.append(step[:2]))
    train_classifier(fresh(), bars, settings, hooks=hooks)
    fractions = [pytest.approx(1 / 3), pytest.approx(2 / 3), 1.0]
    assert steps == [(epoch, fraction) for epoch in (0, 1) for fraction in fractions]


def test_an_epoch_sees_every_image_once(bars: Dataset) -> None:
    batches = Batches(bars, Settings(epochs=1, learning_rate=0.1, batch_size=30))
    labels = [batch.labels for batch in batches]
    assert len(batches) == 4
    assert [len(batch) for batch in labels] == [30, 30, 30, 10]
    assert torch.equal(torch.cat(labels).sort().values, bars.labels.sort().values)


def test_no_shift_is_no_change() -> None:
    images = torch.rand(2, 1, 3, 3)
    assert shift_images(images, 0, torch.Generator()) is images


def test_each_image_moves_whole_with_zeros_moving_in() -> None:
    images = torch.zeros(200, 1, 5, 5)
    images[:, 0, 2, 2] = 1
    shifted = shift_images(images, 1, torch.Generator().manual_seed(0))
    assert (shifted.sum((1, 2, 3)) == 1).all()
    assert (shifted.sum(0)[0] > 0).int().tolist() == [
        [0, 0, 0, 0, 0],
        [0, 1, 1, 1, 0],
        [0, 1, 1, 1, 0],
        [0, 1, 1, 1, 0],
        [0, 0, 0, 0, 0],
    ]


def test_what_moves_over_the_edge_is_gone() -> None:
    shifted = shift_images(torch.ones(50, 2, 3, 3), 1, torch.Generator().manual_seed(0))
    assert set(shifted.sum((2, 3)).unique().tolist()) == {4, 6, 9}


def test_every_reference_network_has_settings() -> None:
    assert set(SETTINGS) == set(MODELS)


@pytest.fixture
def few_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SETTINGS, "digits-mlp", Settings(epochs=2, learning_rate=0.1))


@pytest.mark.usefixtures("few_epochs")
def test_a_checkpoint_loads_and_its_card_tells_its_accuracy(tmp_path: Path) -> None:
    card = checkpoint.train_checkpoint("digits-mlp", seed=3, folder=tmp_path)
    assert load_card("digits-mlp", tmp_path) == card
    assert card.command == "python -m compress_core train digits-mlp --seed 3"
    assert (card.test_n, card.parameters) == (600, 50_610)
    assert 0.5 < card.test_accuracy < 1
    assert not load_network("digits-mlp", tmp_path).training


@pytest.mark.usefixtures("few_epochs")
def test_the_same_seed_gives_the_same_file(tmp_path: Path) -> None:
    first = checkpoint.train_checkpoint("digits-mlp", folder=tmp_path / "a")
    again = checkpoint.train_checkpoint("digits-mlp", folder=tmp_path / "b")
    assert first.sha256 == again.sha256


@pytest.mark.usefixtures("few_epochs")
def test_training_leaves_the_global_generator_alone(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    checkpoint.train_checkpoint("digits-mlp", folder=tmp_path)
    assert torch.equal(torch.get_rng_state(), before)


def test_an_unknown_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown model 'resnet'; choose one of"):
        checkpoint.train_checkpoint("resnet", folder=tmp_path)
    assert not list(tmp_path.iterdir())
