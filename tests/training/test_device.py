"""Training on another device: everything moves there, and what is kept comes back.

These tests need no GPU: tensors of "meta", a device without numbers, refuse to be computed with
tensors of the processor, as a GPU's do.
"""

import pytest
import torch
from torch.nn import functional

from compress_core.compressed import compress
from compress_core.data import load_dataset
from compress_core.original import load_model
from compress_core.recipe import parse_recipe
from compress_core.storage.streams import StoredWeight
from compress_core.training import student as student_module
from compress_core.training.batches import Batch
from compress_core.training.constraints import Make, held, moving
from compress_core.training.device import HOME, Mover
from compress_core.training.student import Student

META = torch.device("meta")


def stored(recipe: str) -> list[StoredWeight]:
    layers = compress(load_model("digits-mlp"), parse_recipe(recipe)).layers.values()
    return [weight for layer in layers for weight in layer.weights]


def test_codes_and_values_move_and_a_shared_codebook_stays_one() -> None:
    move = Mover(HOME, META)
    first, second, _ = (move(weight) for weight in stored("share:clusters=4,scope=all"))
    assert first.values.device == second.values.device == META
    assert first.codes.indices.device == META  # type: ignore[union-attr]
    assert first.codes.codebook is second.codes.codebook  # type: ignore[union-attr]


def test_between_a_device_and_itself_nothing_is_copied() -> None:
    (weight, *_) = stored("quantize:bits=4")
    assert Mover(HOME, HOME)(weight) is weight


def test_batches_move_with_all_their_inputs() -> None:
    batch = Mover(HOME, META)(Batch((torch.ones(2), torch.ones(3)), torch.ones(2)))
    tensors = [*batch.inputs, batch.labels]
    assert [tensor.device for tensor in tensors] == [META] * 3  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("recipe", "make"),
    [
        ("", held),
        ("quantize:bits=4", held),
        ("binarize", moving),
        ("quantize_float:format=fp4_e2m1", moving),
        ("quantize_float:format=fp8_e4m3", moving),
    ],
)
def test_a_student_computes_on_its_device_alone(
    recipe: str, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(student_module, "training_device", lambda: META)
    network = compress(load_model("digits-mlp"), parse_recipe(recipe)).network
    student = Student.of(network, tuple(network.layers), make)
    data = load_dataset("digits", "train").subset(20)
    batch = Mover(HOME, student.device)(Batch(data.inputs, data.labels))
    loss = functional.cross_entropy(student(batch.inputs), batch.labels)
    loss.backward()
    torch.optim.AdamW(student.parameters()).step()
    student.settle()
    assert {p.grad.device for p in student.parameters() if p.grad is not None} == {META}
