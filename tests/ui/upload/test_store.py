"""What the store keeps, for whom, and for how long."""

import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ui.clock import Clock
from ui.session.state import ROOT
from ui.upload.folder import make_folder
from ui.upload.quota import MB, Quota
from ui.upload.store import Grant, RefusedError, Upload, UploadStore

GRANT = Grant("session", (".onnx",))


@pytest.fixture
def store(clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[UploadStore]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    quota = Quota(file_mb=5, session_mb=8, total_mb=12, free_mb=0, session_files=3, at_once=2)
    made = UploadStore(quota, lifetime_s=60, clock=clock)
    yield made
    made.close()


def put(store: UploadStore, session: str = "session", size: int = 1) -> Upload:
    upload = store.reserve(session, "net.onnx", ".onnx", size)
    upload.path.write_bytes(b"x")
    store.arrive(upload)
    return upload


def test_a_token_has_192_random_bits_and_stays_over_reruns(store: UploadStore) -> None:
    token = store.grant(GRANT)
    assert len(token) == 32
    assert store.grant(GRANT, token) == token
    assert store.grant(GRANT) != token


def test_a_place_that_accepts_something_else_has_another_token(store: UploadStore) -> None:
    token = store.grant(GRANT)
    other = store.grant(Grant("session", (".csv",)), token)
    assert store.granted(token) is None
    assert store.granted(other) == Grant("session", (".csv",))


def test_a_token_lives_as_long_as_it_is_used(store: UploadStore, clock: Clock) -> None:
    token = store.grant(GRANT)
    for clock.now_s in (50, 100):
        assert store.granted(token) == GRANT
    clock.now_s = 161
    assert store.granted(token) is None


def test_an_upload_lies_under_a_name_of_ours_where_only_we_may_look(store: UploadStore) -> None:
    first, second = put(store), put(store)
    assert first.path.name == "upload.onnx"
    assert first.path.parent != second.path.parent
    for folder in (first.path.parent, first.path.parents[1]):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_an_upload_is_found_by_its_own_session_alone(store: UploadStore) -> None:
    upload = put(store)
    assert store.find("session", [upload.id, "unknown"]) == (upload,)
    assert store.find("other", [upload.id]) == ()


def test_an_upload_on_its_way_is_not_found(store: UploadStore) -> None:
    upload = store.reserve("session", "net.onnx", ".onnx", 1)
    assert store.find("session", [upload.id]) == ()


def test_an_upload_is_deleted_an_hour_after_its_last_use(store: UploadStore, clock: Clock) -> None:
    upload = put(store)
    clock.now_s = 50
    assert store.find("session", [upload.id])
    clock.now_s = 111
    store.expire()
    assert not upload.path.parent.exists()


def test_at_the_servers_end_nothing_is_left(store: UploadStore, tmp_path: Path) -> None:
    put(store)
    store.close()
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("sizes", "why"),
    [
        ([5 * MB + 1], "larger than 5 MB"),
        ([4 * MB, 4 * MB, 1], "together are larger than 8 MB"),
        ([1, 1, 1, 1], "More than 3 files"),
    ],
)
def test_a_session_has_its_quota(store: UploadStore, sizes: list[int], why: str) -> None:
    for size in sizes[:-1]:
        put(store, size=size)
    with pytest.raises(RefusedError, match=why) as refused:
        put(store, size=sizes[-1])
    assert refused.value.status == 413


def test_what_is_discarded_gives_its_room_back(store: UploadStore) -> None:
    for _ in range(5):
        store.discard([put(store, size=5 * MB)])
    assert put(store, size=5 * MB).path.exists()


def test_room_is_taken_before_the_first_byte(store: UploadStore) -> None:
    store.reserve("session", "net.onnx", ".onnx", 5 * MB)
    with pytest.raises(RefusedError, match="together"):
        store.check("session", 4 * MB)


def test_a_session_uploads_so_many_at_once(store: UploadStore) -> None:
    for _ in range(2):
        store.reserve("session", "net.onnx", ".onnx", 1)
    with pytest.raises(RefusedError, match="at once") as refused:
        store.reserve("session", "net.onnx", ".onnx", 1)
    assert refused.value.status == 429
    assert store.reserve("other", "net.onnx", ".onnx", 1)


def test_all_sessions_together_have_a_quota(store: UploadStore) -> None:
    for session in "ab":
        put(store, session, 5 * MB)
    with pytest.raises(RefusedError, match="room for uploads is full") as refused:
        put(store, "c", 5 * MB)
    assert refused.value.status == 507


def test_some_of_the_disk_stays_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = UploadStore(Quota(free_mb=10**9))
    with pytest.raises(RefusedError, match="disk is nearly full"):
        store.check("session", 1)
    store.close()


def test_uploads_can_be_off(store: UploadStore) -> None:
    store.quota = Quota(at_once=0)
    with pytest.raises(RefusedError, match="off on this server") as refused:
        store.check("session", 1)
    assert refused.value.status == 403


def test_what_a_killed_server_has_left_the_next_one_deletes(tmp_path: Path) -> None:
    killed = "make_folder(Path(sys.argv[1])); os._exit(0)"
    code = f"import os, sys; from pathlib import Path; from ui.upload.folder import *; {killed}"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, check=True)
    (left,) = tmp_path.iterdir()
    alive = make_folder(tmp_path)
    make_folder(tmp_path)
    assert not left.exists()
    assert alive.exists()
