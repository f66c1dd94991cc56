"""Files of events: what is whole is read, what a killed process tore is skipped."""

from pathlib import Path

import pytest

from compress_core.events import Epoch, Frame, Progress, event_to_json
from compress_core.jobs.log import EventReader, append_line, last_event

FIRST, SECOND = Progress(0.25, "first"), Progress(0.5, "second")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "events.jsonl"
    for event in (FIRST, SECOND):
        append_line(path, event_to_json(event))
    return path


def test_events_come_back_in_their_order(path: Path) -> None:
    assert EventReader(path).read() == (FIRST, SECOND)
    assert last_event(path) == SECOND


def test_a_reader_goes_on_where_it_was(path: Path) -> None:
    reader = EventReader(path)
    reader.read()
    raw = path.read_bytes()
    path.write_bytes(raw + b'{"event": "progress", "frac')
    assert reader.read() == (FIRST, SECOND)
    path.write_bytes(raw + raw)
    assert reader.read() == (FIRST, SECOND, FIRST, SECOND)


def test_a_file_that_begins_anew_is_read_anew(path: Path) -> None:
    reader = EventReader(path)
    reader.read()
    path.write_bytes(path.read_bytes()[: path.read_bytes().index(b"\n") + 1])
    assert reader.read() == (FIRST,)


def test_where_nothing_was_written_there_are_no_events(tmp_path: Path) -> None:
    assert EventReader(tmp_path / "none").read() == ()
    assert last_event(tmp_path / "none") is None


def test_half_a_line_is_skipped(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b'{"event": "progress", "frac')
    assert EventReader(path).read() == (FIRST, SECOND)
    assert last_event(path) == SECOND


def test_what_is_written_after_half_a_line_is_whole(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])
    append_line(path, event_to_json(SECOND))
    assert EventReader(path).read() == (FIRST, SECOND)


@pytest.mark.parametrize("line", [b"no json", b'{"event": "later version"}', b"[]", b'"text"'])
def test_what_is_no_event_is_skipped(path: Path, line: bytes) -> None:
    with path.open("ab") as file:
        file.write(line + b"\n")
    assert last_event(path) == SECOND


def test_an_event_longer_than_the_first_look_is_found(path: Path) -> None:
    frame = Frame("fc1", -1.0, 1.0, tuple(range(10_000)), 0.5)
    epoch = Epoch("finetune", 1, 2, 0.5, 0.9, 0.5, 1.0, frames=(frame,))
    append_line(path, event_to_json(epoch))
    assert last_event(path) == epoch
