"""Every hostile file gives one harmless sentence or opens, in bounded time and memory."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from compress_core.sandbox import Limits, RefusedError, Room, SandboxError
from tests.hostile.corpus import CORPUS
from tests.hostile.row import Hostile, canary_of

HERE = ("checks",)  # the readers that `open_file` reaches
# On a machine that does other things a second of the processor takes many on the wall.
LIMITS = Limits(memory_bytes=500_000_000, cpu_seconds=5.0, seconds=40.0)
SENTENCE = re.compile(r"[^\n<>\x00-\x1f\u202e]{10,600}")


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """One child for all files; it starts again after those that end it."""
    with Room(tmp_path_factory.mktemp("room"), LIMITS) as room:
        yield room


def outcome(room: Room, path: Path) -> tuple[str, dict[str, Any]]:
    """The sentence that the user sees, or "" and what was opened."""
    try:
        return "", room.ask("open_file", {"path": str(path)})
    except (RefusedError, SandboxError) as error:
        return str(error), {}


def test_there_are_many_and_each_has_its_own_name() -> None:
    assert len(CORPUS) >= 60
    assert len({row.name for row in CORPUS}) == len(CORPUS)


@pytest.mark.parametrize("row", CORPUS, ids=lambda row: row.name)
def test_a_hostile_file_hurts_nobody(row: Hostile, room: Room, tmp_path: Path) -> None:
    path = tmp_path / f"file{row.ending}"
    row.make(path)
    sentence, opened = outcome(room, path)
    assert not canary_of(path).exists()
    assert_harmless(row, sentence, opened)


def assert_harmless(row: Hostile, sentence: str, opened: dict[str, Any]) -> None:
    """What the user sees is what the row says, and cannot hurt by itself."""
    if row.says == "":
        assert sentence == ""
    elif row.reader in HERE:
        assert re.search(row.says, sentence), sentence
    if sentence:
        assert SENTENCE.fullmatch(sentence), sentence
        assert "; " in sentence  # a remedy
    assert len(json.dumps(opened)) < 100_000


def test_the_child_answers_after_all_of_them(room: Room) -> None:
    assert room.ask("guards", {})["cpu"]
