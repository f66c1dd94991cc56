"""What was computed once is found again, by content; what is damaged is computed anew."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from compress_core.checkpoint import Checkpoint, Profiles
from compress_core.checkpoint import profiles as module
from tests.checkpoint.conftest import Write, normal


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tensors of which a census was taken."""
    taken: list[str] = []
    plain = module.take_census
    monkeypatch.setattr(
        module, "take_census", lambda entry: [taken.append(entry.name), plain(entry)][1]
    )
    return taken


def test_a_census_is_taken_once(write: Write, counted: list[str]) -> None:
    found = write({"w": normal(20, 30)})
    entry = found.entry("w")
    first, second = (Profiles(found).census(entry) for _ in range(2))
    assert counted == ["w"]
    assert np.array_equal(first.values, second.values)
    assert (first.content, first.exact) == (second.content, second.exact)


def test_a_file_that_changed_is_read_again(write: Write, counted: list[str]) -> None:
    for seed in (0, 1):
        found = write({"w": normal(20, 30, seed=seed)})
        Profiles(found).census(found.entry("w"))
    assert counted == ["w", "w"]


def test_a_copy_has_the_spectrum_of_the_first(write: Write, tmp_path: Path) -> None:
    found = write({"w": normal(20, 30)})
    Profiles(found).keep_spectrum(found.entry("w"), np.ones(20, np.float32))
    copied = Checkpoint.open(shutil.copy(found.path, tmp_path / "copy.safetensors"))
    assert copied.identity != found.identity
    kept = Profiles(copied).spectrum(copied.entry("w"))
    assert kept is not None
    assert np.array_equal(kept, np.ones(20, np.float32))


def test_a_damaged_file_is_computed_anew(
    write: Write, own_profiles: Path, counted: list[str]
) -> None:
    found = write({"w": normal(20, 30)})
    before = Profiles(found).census(found.entry("w"))
    for path in own_profiles.glob("*.npz"):
        path.write_bytes(b"PK\x03\x04 nothing")
    assert np.array_equal(Profiles(found).census(found.entry("w")).values, before.values)
    assert counted == ["w", "w"]


def test_a_folder_that_cannot_be_written_costs_time_alone(write: Write, tmp_path: Path) -> None:
    found = write({"w": normal(20, 30)})
    (tmp_path / "file").write_text("")
    assert Profiles(found, tmp_path / "file").census(found.entry("w")).weights == 600


def test_the_folder_stays_below_its_size(write: Write, own_profiles: Path) -> None:
    found = write({f"w{i}": normal(100, 100, seed=i) for i in range(8)})
    for entry in found.entries:
        Profiles(found, most_bytes=100_000).census(entry)
    assert sum(path.stat().st_size for path in own_profiles.iterdir()) <= 100_000
    assert any(own_profiles.glob("*.npz"))
