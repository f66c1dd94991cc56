"""Every hostile file gives one harmless sentence or opens, in bounded time and memory."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.hostile.asking import Reader
from tests.hostile.corpus import CORPUS
from tests.hostile.row import Hostile

SENTENCE = re.compile(r"[^\n<>\x00-\x1f\u202e]{10,600}")
OURS = re.compile(r"Traceback|\.py\b| at 0x[0-9a-f]{6}")  # what a user cannot use


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Reader]]:
    """A child for all models, and one for all data."""
    found = {name: Reader(tmp_path_factory.mktemp(name), name) for name in ("model", "data")}
    yield found
    for reader in found.values():
        reader.room.close()


def test_there_are_many_and_each_has_its_own_name() -> None:
    assert len(CORPUS) >= 150
    assert len({row.name for row in CORPUS}) == len(CORPUS)


@pytest.mark.parametrize("row", CORPUS, ids=lambda row: row.name)
def test_a_hostile_file_hurts_nobody(row: Hostile, readers: dict[str, Reader]) -> None:
    reader = readers[row.reader]
    sentence, opened, is_code_run = reader.outcome(row)
    assert not is_code_run
    assert_harmless(row, sentence, opened)
    assert str(reader.folder) not in sentence


def assert_harmless(row: Hostile, sentence: str, opened: dict[str, Any]) -> None:
    """What the user sees is what the row says, and cannot hurt by itself."""
    if row.says == "":
        assert sentence == ""
    else:
        assert re.search(row.says, sentence), sentence
        assert SENTENCE.fullmatch(sentence), sentence
        assert re.search("[;:] ", sentence), sentence  # a remedy
        assert not OURS.search(sentence), sentence
    assert len(json.dumps(opened)) < 100_000


def test_a_child_answers_after_all_of_them(readers: dict[str, Reader]) -> None:
    for reader in readers.values():
        assert reader.room.ask("guards", {})["cpu"]
