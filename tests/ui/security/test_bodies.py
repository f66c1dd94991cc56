"""How large a request may be."""

from collections.abc import Iterator

import pytest
import streamlit as st

from tests.ui.security.asking import ask, fine
from ui.security.bodies import MOST_BYTES, BoundedBodies, is_upload

APP = BoundedBodies(fine)


def test_a_request_of_two_megabytes_is_answered() -> None:
    answer = ask(APP, chunks=[bytes(1_000_000)] * 2, content_length=str(MOST_BYTES))
    assert (answer.status, answer.body) == (200, b"2000000")


@pytest.mark.parametrize("length", [str(MOST_BYTES + 1), "9" * 400, "-1", "x", ""])
def test_a_longer_one_is_refused_unread(length: str) -> None:
    def chunks() -> Iterator[bytes]:
        pytest.fail("the body was read")
        yield b""

    answer = ask(APP, chunks=chunks(), content_length=length)
    assert answer.status == 413
    assert answer.body == b"A request to this server has at most 2 MB."


def test_one_that_does_not_say_its_length_is_read_so_far() -> None:
    read = 0

    def chunks() -> Iterator[bytes]:
        nonlocal read
        for _ in range(100):
            read += 1
            yield bytes(1_000_000)

    assert ask(APP, chunks=chunks()).status == 413
    assert read == 3


def test_an_upload_has_limits_of_its_own() -> None:
    assert ask(APP, "/upload/token", content_length=str(10**9)).status == 200
    assert ask(APP, "/_stcore/upload_file/x/y", content_length=str(10**9)).status == 413


@pytest.mark.parametrize(
    ("base", "path", "found"),
    [
        ("", "/upload/token", True),
        ("", "/uploads", False),
        ("", "/x/upload/token", False),
        ("up", "/upload/token", True),
        ("up", "/up/upload/token", True),
        ("up", "/up/other", False),
    ],
)
def test_uploads_are_known_below_a_base_path(
    base: str, path: str, found: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(st, "get_option", lambda _name: base)
    assert is_upload(path) == found
