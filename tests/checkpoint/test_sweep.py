"""Every tensor at several bits: rows, sums, going on, and stopping between two tensors."""

import json

import pytest
import torch

from compress_core.checkpoint import (
    Census,
    Checkpoint,
    SweepRow,
    bit_steps,
    by_group,
    group_entries,
    of_whole,
    row_from_json,
    sweep_bits,
    weigh_tensor,
)
from compress_core.events import Event, Silent
from compress_core.measurement.accuracy import Stopped
from compress_core.recipe import parse_recipe
from tests.checkpoint.conftest import Write, normal

STEPS = bit_steps((8, 2))


def not_asked() -> Census:
    pytest.fail("a small tensor needs no census of the disk")


@pytest.fixture
def three(write: Write) -> Checkpoint:
    weights = {f"h.{i}.weight": normal(64, 64, seed=i).bfloat16() for i in range(3)}
    return write({**weights, "norm": torch.ones(64)})


def test_a_row_is_what_weighing_the_tensor_gives(three: Checkpoint) -> None:
    rows = sweep_bits(three, STEPS, Silent())
    assert [(row.tensor, row.step) for row in rows[:3]] == [
        ("h.0.weight", "quantize:bits=8"),
        ("h.0.weight", "quantize:bits=2"),
        ("h.1.weight", "quantize:bits=8"),
    ]
    for row in rows:
        entry = three.entry(row.tensor)
        assert row.weighed == weigh_tensor(entry, parse_recipe(row.step), not_asked)


def test_rows_come_back_from_json(three: Checkpoint) -> None:
    rows = sweep_bits(three, STEPS, Silent())
    assert [row_from_json(json.loads(json.dumps(row.as_dict()))) for row in rows] == rows


def test_groups_and_the_whole_are_sums(three: Checkpoint) -> None:
    rows = sweep_bits(three, STEPS, Silent())
    of_two = [row.weighed for row in rows if row.step == STEPS[1] and row.weighed]
    group = by_group(rows, group_entries(three.entries))[1]
    whole = of_whole(rows, three)[1]
    assert (group.pattern, group.step) == ("h.*.weight", STEPS[1])
    assert group.stored_bytes == sum(part.stored_bytes for part in of_two)
    assert whole.own_bytes == three.bytes
    assert whole.stored_bytes == group.stored_bytes + 64 * 4
    assert (
        min(p.sqnr_db or 0 for p in of_two)
        < (group.sqnr_db or 0)
        < max(p.sqnr_db or 0 for p in of_two)
    )


def test_it_goes_on_where_it_was_stopped(three: Checkpoint) -> None:
    kept: list[SweepRow] = []
    events: list[Event] = []

    class Patient(Silent):
        def stopped(self) -> bool:
            return len(events) >= 2

    with pytest.raises(Stopped):
        sweep_bits(three, STEPS, Patient(events.append), keep=kept.append)
    assert [row.tensor for row in kept] == ["h.0.weight"] * 2 + ["h.1.weight"] * 2
    again: list[SweepRow] = []
    rows = sweep_bits(three, STEPS, Silent(), known=kept, keep=again.append)
    assert [row.tensor for row in again] == ["h.2.weight"] * 2
    assert rows == sweep_bits(three, STEPS, Silent())


def test_a_tensor_that_cannot_be_weighed_has_its_reason(write: Write) -> None:
    bad = torch.full((4, 4), torch.nan)
    found = write({"a": normal(8, 8), "bad": bad})
    rows = sweep_bits(found, STEPS[:1], Silent())
    assert [row.weighed is None for row in rows] == [False, True]
    assert "NaN" in rows[1].refused
    assert of_whole(rows, found)[0].own_bytes == found.bytes
