"""Checkpoints: a safetensors file of fp32 weights, and a JSON card that tells its origin."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from compress_core.assets import ASSETS
from compress_core.models.catalog import model_spec
from compress_core.writing import write_file

CHECKPOINTS = ASSETS / "checkpoints"


class CheckpointError(ValueError):
    """A checkpoint is missing, damaged, or of another network."""


@dataclass(frozen=True)
class Card:
    """The origin of a checkpoint; `test_accuracy` is the fraction right of `test_n` images."""

    model: str
    command: str
    seed: int
    dataset: str
    parameters: int
    test_accuracy: float
    test_n: int
    torch: str
    sha256: str


def save_checkpoint(model: nn.Module, path: Path) -> str:
    """Write the weights as safetensors to `path`; returns the sha256 of the file."""
    raw = save({name: t.contiguous() for name, t in model.state_dict().items()})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, raw)
    return hashlib.sha256(raw).hexdigest()


def save_card(card: Card, path: Path) -> None:
    write_file(path, f"{json.dumps(asdict(card), indent=2)}\n".encode())


def load_card(name: str, folder: Path = CHECKPOINTS) -> Card:
    path = folder / f"{model_spec(name).name}.json"
    if not path.is_file():
        raise CheckpointError(_missing(name, path))
    return Card(**json.loads(path.read_text()))


def load_network(name: str, folder: Path = CHECKPOINTS) -> nn.Module:
    """A reference network with its trained weights, in evaluation mode.

    Raises ValueError for an unknown name, CheckpointError when the file is missing or damaged.
    """
    spec = model_spec(name)
    path = folder / f"{name}.safetensors"
    if not path.is_file():
        raise CheckpointError(_missing(name, path))
    raw = path.read_bytes()
    expected = load_card(name, folder).sha256
    if hashlib.sha256(raw).hexdigest() != expected:
        raise CheckpointError(
            f"{path.name} is damaged: its sha256 is not the {expected[:12]}… of its card; "
            f"restore it, or train it anew with `python -m compress_core train {name} --replace`"
        )
    model = spec.build()
    try:
        model.load_state_dict(load(raw))
    except (SafetensorError, RuntimeError) as error:
        raise CheckpointError(f"{path.name} does not hold {name}: {error}") from error
    return model.eval().requires_grad_(False)


def fresh_network(name: str, seed: int | None = None) -> nn.Module:
    """A reference network with untrained weights; without a seed those that its checkpoint was
    trained from."""
    with torch.random.fork_rng():  # the layers draw from the global generator
        torch.manual_seed(load_card(name).seed if seed is None else seed)
        return model_spec(name).build()


def _missing(name: str, path: Path) -> str:
    return f"{path.name} is missing; train it with `python -m compress_core train {name} --replace`"
