"""A fair queue: nobody waits for all the jobs of somebody else."""

from compress_core.jobs.turns import Turns


def queue(*waiting: tuple[str, str]) -> Turns:
    turns = Turns()
    for user, job in waiting:
        turns.add(user, job)
    return turns


def taken(turns: Turns) -> list[str | None]:
    found = []
    while turns:
        found.append(turns.take())
    return found


def test_three_users_come_in_turn() -> None:
    turns = queue(("ann", "a1"), ("ann", "a2"), ("ann", "a3"), ("bob", "b1"), ("eve", "e1"))
    assert taken(turns) == ["a1", "b1", "e1", "a2", "a3"]


def test_who_was_served_and_comes_again_stands_last() -> None:
    turns = queue(("ann", "a1"), ("bob", "b1"), ("bob", "b2"))
    assert turns.take() == "a1"
    turns.add("ann", "a2")
    assert taken(turns) == ["b1", "a2", "b2"]


def test_a_job_of_two_users_comes_with_the_first_turn_of_either() -> None:
    turns = queue(("ann", "a1"), ("ann", "both"), ("bob", "both"), ("bob", "b1"))
    assert taken(turns) == ["a1", "both", "b1"]


def test_a_job_that_one_of_two_users_leaves_still_waits() -> None:
    turns = queue(("ann", "both"), ("bob", "both"))
    assert turns.remove("both", "ann")
    assert taken(turns) == ["both"]


def test_a_job_that_is_removed_waits_for_nobody() -> None:
    turns = queue(("ann", "both"), ("bob", "both"))
    assert turns.remove("both")
    assert not turns.remove("both")
    assert turns.take() is None
