"""A compressed checkpoint decodes to the weights that were weighed, tensor by tensor."""

from pathlib import Path

import pytest
import torch

from compress_core.checkpoint import Checkpoint, CheckpointError, weigh_tensor, write_compressed
from compress_core.checkpoint import writing as module
from compress_core.events import Event, Silent
from compress_core.measurement.accuracy import Stopped
from compress_core.methods.quantization import quantize
from compress_core.recipe import Recipe, parse_recipe
from compress_core.restoring import read_stored
from compress_core.weights import energy
from tests.checkpoint.conftest import Write, normal

STEPS: Recipe = parse_recipe("quantize:bits=4")


@pytest.fixture
def mixed(write: Write, monkeypatch: pytest.MonkeyPatch) -> Checkpoint:
    """Weights and others; a file holds two of the weights."""
    monkeypatch.setattr(module, "PART_WEIGHTS", 2 * 40 * 30)
    weights = {f"h.{i}.weight": normal(40, 30, seed=i).bfloat16() for i in range(3)}
    more = {
        "ids": torch.arange(5),
        "norm": torch.ones(30).half(),
        "bad": torch.full((2, 2), torch.inf),
    }
    return write({**weights, **more, "experts": normal(2, 64, 64)})


def test_what_decodes_is_what_was_weighed(mixed: Checkpoint, tmp_path: Path) -> None:
    written = write_compressed(mixed, STEPS, tmp_path / "out", Silent())
    decoded = {}
    for name in written.files:
        content = read_stored(tmp_path / "out" / name)
        decoded |= {key: weight.values for key, weight in content.weights.items()} | content.rest
    assert decoded.keys() == mixed.by_name.keys()
    assert set(written.left) == {"bad", "experts"}
    for i in range(3):
        before, after = normal(40, 30, seed=i).bfloat16().float(), decoded[f"h.{i}.weight"]
        assert torch.equal(after, quantize(before, STEPS[0]).dequantize())
        found = weigh_tensor(mixed.entry(f"h.{i}.weight"), STEPS, pytest.fail)
        assert energy(before - after) == pytest.approx(found.noise)
    assert decoded["norm"].dtype == torch.float16
    assert torch.equal(decoded["ids"], torch.arange(5))
    assert torch.equal(decoded["experts"], normal(2, 64, 64))


def test_files_are_as_large_as_they_say(mixed: Checkpoint, tmp_path: Path) -> None:
    written = write_compressed(mixed, STEPS, tmp_path / "out", Silent())
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "out").glob("part-*")}
    assert written.files == sizes
    assert len(sizes) > 1
    assert written.stored_bytes == sum(sizes.values())


def test_a_run_that_broke_off_goes_on(mixed: Checkpoint, tmp_path: Path) -> None:
    events: list[Event] = []

    class Patient(Silent):
        def stopped(self) -> bool:
            return len(events) >= 5

    with pytest.raises(Stopped):
        write_compressed(mixed, STEPS, tmp_path / "out", Patient(events.append))
    first = sorted((tmp_path / "out").glob("part-*"))
    times = [path.stat().st_mtime_ns for path in first]
    assert first
    written = write_compressed(mixed, STEPS, tmp_path / "out", Silent())
    assert [path.stat().st_mtime_ns for path in first] == times
    assert written == write_compressed(mixed, STEPS, tmp_path / "out", Silent())


def test_a_folder_of_something_else_is_refused(mixed: Checkpoint, tmp_path: Path) -> None:
    write_compressed(mixed, STEPS, tmp_path / "out", Silent())
    with pytest.raises(CheckpointError, match="another checkpoint, or one after other steps"):
        write_compressed(mixed, (), tmp_path / "out", Silent())
    with pytest.raises(CheckpointError, match="holds other files"):
        write_compressed(mixed, STEPS, mixed.path.parent, Silent())


def test_steps_that_need_a_network_are_refused_before_anything_is_written(
    mixed: Checkpoint, tmp_path: Path
) -> None:
    for text, said in {
        "prune_wanda:sparsity=0.5": "needs a network",
        "prune:sparsity=0.5": "take scope=layer",
        "share:scope=all": "take scope=layer",
    }.items():
        with pytest.raises(ValueError, match=said):
            write_compressed(mixed, parse_recipe(text), tmp_path / "x", Silent())
    assert not (tmp_path / "x").exists()
