"""The Pareto front: the points that no other point beats in cost and value together."""

from collections.abc import Sequence

import numpy as np


def pareto_front(costs: Sequence[float], values: Sequence[float]) -> list[int]:
    """Indices of the points that none dominates, from the cheapest to the dearest.

    A point dominates another if it costs no more and is worth no less, and is better in one of the
    two; of equal points none dominates the other. Both sequences (n,), finite.
    Raises ValueError where they differ in length or hold a NaN, which compares with nothing.

    >>> pareto_front([3, 1, 2, 4], [0.9, 0.5, 0.4, 0.9])
    [1, 0]
    """
    cost, value = np.asarray(costs, float), np.asarray(values, float)
    if cost.shape != value.shape or np.isnan(cost).any() or np.isnan(value).any():
        raise ValueError(
            f"{cost.size} costs and {value.size} values must be as many of each, and no NaN among "
            "them; leave out what was not measured"
        )
    front: list[int] = []
    for index in np.lexsort((-value, cost)).tolist():  # by cost, the most valuable first
        equal = front and (cost[index], value[index]) == (cost[front[-1]], value[front[-1]])
        if not front or value[index] > value[front[-1]] or equal:
            front.append(index)
    return front
