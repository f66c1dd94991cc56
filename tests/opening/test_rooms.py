"""The children of the last few networks: who is at work is not ended."""

import threading
from pathlib import Path

import pytest

from compress_core.opening import rooms
from compress_core.opening.facts import Facts
from compress_core.opening.opened import digest_of


class FakeRoom:
    def __init__(self, folder: Path) -> None:
        self.folder, self.busy, self.closed = folder, False, False

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def no_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "Room", FakeRoom)
    monkeypatch.setattr(rooms, "_ROOMS", type(rooms._ROOMS)())
    monkeypatch.setattr(rooms, "_LOCK", threading.Lock())


def test_the_room_that_was_asked_longest_ago_ends() -> None:
    first, second, third = (rooms.room_of(Path(name)) for name in "abc")
    assert [room.closed for room in (first, second, third)] == [True, False, False]  # type: ignore[attr-defined]
    assert rooms.room_of(Path("b")) is second


def test_a_room_at_work_stays() -> None:
    first = rooms.room_of(Path("a"))
    first.busy = True  # type: ignore[misc]
    second, _third = rooms.room_of(Path("b")), rooms.room_of(Path("c"))
    assert [room.closed for room in (first, second)] == [False, True]  # type: ignore[attr-defined]


def test_what_a_sandbox_says_is_no_key_of_another_network() -> None:
    claimed = Facts("a", "digest of another", "onnx", 0, 0, [], [], {}, {}, [], [], [])
    assert digest_of(Path("a"), claimed) != digest_of(Path("b"), claimed)
    assert claimed.digest not in digest_of(Path("a"), claimed)
