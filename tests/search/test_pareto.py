"""The Pareto front against brute force."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress_core.search.pareto import pareto_front

# few different numbers, so that ties are common
POINTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=30)


def front_by_definition(points: list[tuple[int, int]]) -> list[int]:
    def dominates(a: tuple[int, int], b: tuple[int, int]) -> bool:
        return a[0] <= b[0] and a[1] >= b[1] and a != b

    return [i for i, p in enumerate(points) if not any(dominates(other, p) for other in points)]


@given(POINTS)
def test_the_front_is_what_no_point_dominates(points: list[tuple[int, int]]) -> None:
    found = pareto_front([cost for cost, _ in points], [value for _, value in points])
    assert sorted(found) == front_by_definition(points)


@given(POINTS)
def test_the_front_rises_with_cost(points: list[tuple[int, int]]) -> None:
    found = [points[i] for i in pareto_front(*([p[axis] for p in points] for axis in (0, 1)))]
    assert found == sorted(found)


def test_no_points_have_no_front() -> None:
    assert pareto_front([], []) == []


def test_equal_points_stand_on_it_together() -> None:
    assert pareto_front([1, 1], [0.5, 0.5]) == [0, 1]


@pytest.mark.parametrize(
    ("costs", "values"), [([1, 2], [0.5]), ([float("nan")], [0.5]), ([1], [float("nan")])]
)
def test_what_cannot_be_compared_is_refused(costs: list[float], values: list[float]) -> None:
    with pytest.raises(ValueError, match="leave out what was not measured"):
        pareto_front(costs, values)
