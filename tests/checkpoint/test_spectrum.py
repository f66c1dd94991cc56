"""Singular values from Gram matrices against LAPACK."""

import numpy as np
import pytest
import torch

from compress_core.checkpoint import energy_kept, singular_values
from compress_core.checkpoint import spectrum as module
from compress_core.events import Event, Progress, Silent
from compress_core.measurement.accuracy import Stopped
from tests.checkpoint.conftest import Write, normal

SHAPES = [(60, 200), (200, 60), (64, 64), (33, 100)]


def decaying(rows: int, columns: int) -> torch.Tensor:
    """A matrix whose singular values fall as a power law."""
    right = normal(min(rows, columns), columns, seed=1)
    return normal(rows, min(rows, columns)) @ (right / torch.arange(1, len(right) + 1)[:, None])


@pytest.mark.parametrize("shape", SHAPES)
def test_small_matrices_are_exact(shape: tuple[int, int], write: Write) -> None:
    weight = decaying(*shape)
    found = singular_values(write({"w": weight}).entry("w"))
    expected = np.linalg.svd(weight.double().numpy(), compute_uv=False)
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_gram_matrices_give_the_same_up_to_their_rounding(
    shape: tuple[int, int], write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SMALL", 0)
    weight = decaying(*shape)
    found = singular_values(write({"w": weight}).entry("w"))
    expected = np.linalg.svd(weight.double().numpy(), compute_uv=False)
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-3 * expected[0])
    assert energy_kept(found)[-1] == 1
    assert energy_kept(found)[0] == pytest.approx(expected[0] ** 2 / (expected**2).sum(), rel=1e-4)


def test_it_tells_how_far_it_is_and_stops(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SMALL", 0)
    events: list[Event] = []
    entry = write({"w": normal(64, 200)}).entry("w")
    singular_values(entry, Silent(events.append))
    assert len(events) == 16
    assert all(isinstance(event, Progress) and event.fraction < 1 for event in events)

    class Impatient(Silent):
        def stopped(self) -> bool:
            return True

    with pytest.raises(Stopped):
        singular_values(entry, Impatient())


def test_what_has_no_spectrum_is_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SIDE", 100)
    bad = normal(4, 4)
    bad[0, 0] = torch.inf
    found = write({"norm": torch.ones(4), "bad": bad, "wide": torch.zeros(200, 200)})
    for name, said in (("norm", "no matrix"), ("bad", "NaN or infinite"), ("wide", "up to 100")):
        with pytest.raises(ValueError, match=said):
            singular_values(found.entry(name))
