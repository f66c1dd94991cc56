"""The table of steps: complete, and the one place from which all of them come."""

from typing import get_args

import pytest

from compress_core import steps
from compress_core.steps import BY_NAME, KINDS, ROWS, AnyStep, Row


def test_every_step_of_the_union_has_one_row() -> None:
    assert sorted(row.type.__name__ for row in ROWS) == sorted(
        step.__name__ for step in get_args(AnyStep)
    )
    assert len(BY_NAME) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_step_comes_from_here_and_its_kind_has_a_place(row: Row) -> None:
    assert row.type.__name__ in steps.__all__
    assert getattr(steps, row.type.__name__) is row.type
    assert row.kind in KINDS
