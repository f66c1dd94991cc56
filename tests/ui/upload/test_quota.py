"""What the person who starts the server may say about uploads."""

import pytest

from ui.classroom import TOKEN_VARIABLE
from ui.upload.quota import VARIABLE, Quota, from_environment


def test_without_a_word_a_file_may_have_half_a_gigabyte_and_a_session_one() -> None:
    quota = from_environment({})
    assert (quota.file_mb, quota.session_mb, quota.at_once) == (512, 1024, 4)


def test_what_is_named_changes_and_the_rest_stays() -> None:
    assert from_environment({VARIABLE: "file_mb=100, at_once=1"}) == Quota(file_mb=100, at_once=1)


@pytest.mark.parametrize("wrong", ["files=3", "file_mb=-1", "file_mb=1.5", "file_mb", "file_mb=²"])
def test_what_cannot_be_read_is_refused_with_the_remedy(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"NAME=NUMBER.*session_mb"):
        from_environment({VARIABLE: wrong})


def test_a_class_uploads_only_where_the_instructor_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "secret")
    assert from_environment({}).at_once == 0
    assert from_environment({VARIABLE: "file_mb=20"}) == Quota(file_mb=20)
