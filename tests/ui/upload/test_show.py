"""The place on a page: what its script gets, and what it gives the browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from ui.upload import routes
from ui.upload.quota import Quota
from ui.upload.store import Upload, UploadStore

SESSION = "test session id"  # AppTest's


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[UploadStore]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made = UploadStore(Quota(free_mb=0))
    monkeypatch.setattr(routes, "_STORE", made)
    yield made
    made.close()


def put(store: UploadStore, session: str = SESSION) -> Upload:
    upload = store.reserve(session, "<b>net.onnx", ".onnx", 4)
    upload.path.write_bytes(b"onnx")
    store.arrive(upload)
    return upload


def page(ids: object) -> None:
    from types import SimpleNamespace

    import streamlit as st

    from ui import upload

    upload.show("one", "Your model", [".onnx"])
    if ids is not None:  # what a browser says after an upload
        st.session_state["two"] = SimpleNamespace(finished=ids)
    for each in upload.finished("two"):
        st.text(f"{each.name} {each.bytes}")


def shown(ids: object) -> list[str]:
    app = AppTest.from_function(page, args=(ids,)).run()
    assert not app.exception
    return [text.value for text in app.text]


def test_a_page_draws_before_anything_has_arrived() -> None:
    assert shown(None) == []


def test_a_page_gets_what_has_arrived(store: UploadStore) -> None:
    assert shown([put(store).id]) == ["<b>net.onnx 4"]


def test_a_page_gets_nothing_of_another_session(store: UploadStore) -> None:
    assert shown([put(store, "another").id]) == []


@pytest.mark.parametrize("ids", ["text", 3, [3], {"a": 1}, [["x"]], ["gone"]])
def test_a_browser_may_say_anything(ids: object) -> None:
    assert shown(ids) == []


def test_over_reruns_the_token_is_the_same(store: UploadStore) -> None:
    app = AppTest.from_function(page, args=(None,)).run()
    token = app.session_state["one_upload_token"]
    assert app.run().session_state["one_upload_token"] == token
    grant = store.granted(token)
    assert grant is not None
    assert (grant.session, grant.suffixes) == (SESSION, (".onnx",))
