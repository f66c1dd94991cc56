"""The address that files are sent to: what it takes, from whom, and what it leaves behind."""

import os
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from tests.ui.upload.sending import post, request
from ui.upload import routes
from ui.upload.quota import MB, Quota
from ui.upload.routes import NAME_HEADER
from ui.upload.store import Grant, UploadStore


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[UploadStore]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made = UploadStore(Quota(file_mb=250, session_mb=400, free_mb=0))
    monkeypatch.setattr(routes, "_STORE", made)
    yield made
    made.close()


@pytest.fixture
def token(store: UploadStore) -> str:
    return store.grant(Grant("session", (".onnx",)))


def left(folder: Path) -> list[str]:
    """The names of all uploaded files that lie there."""
    return [path.name for path in folder.rglob("upload*") if path.is_file()]


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_file_arrives_byte_for_byte(store: UploadStore, token: str) -> None:
    answer = post(token, [b"on", b"nx"], 4, "cats%2Fn%C3%A9t.onnx")
    assert answer.status == 200
    (upload,) = store.find("session", [answer.json["id"]])
    assert upload.path.read_bytes() == b"onnx"
    assert (upload.name, upload.bytes) == ("cats/nét.onnx", 4)


def test_an_empty_file_arrives(store: UploadStore, token: str) -> None:
    (upload,) = store.find("session", [post(token, [], 0).json["id"]])
    assert upload.path.read_bytes() == b""


def test_two_hundred_megabytes_are_never_held_in_memory(store: UploadStore, token: str) -> None:
    before, most = resident_bytes(), 0

    def chunks() -> Iterator[bytes]:
        nonlocal most
        for n in range(3200):  # of 64 KiB, each its own
            most = max(most, resident_bytes())
            yield n.to_bytes(4, "little") * (1 << 14)

    answer = post(token, chunks(), 3200 << 16)
    (upload,) = store.find("session", [answer.json["id"]])
    assert upload.path.stat().st_size == 209_715_200
    assert most - before < 20 * MB


@pytest.mark.parametrize(
    ("chunks", "size"), [([b"only"], 5), ([b"more than four"], 4)], ids=["less", "more"]
)
def test_a_file_that_is_not_as_long_as_it_said_leaves_nothing(
    token: str, chunks: list[bytes], size: int, tmp_path: Path
) -> None:
    answer = post(token, chunks, size)
    assert (answer.status, left(tmp_path)) == (400, [])
    assert "did not arrive as a whole" in answer.json["error"]


def test_an_aborted_upload_leaves_nothing_and_gives_its_room_back(
    store: UploadStore, token: str, tmp_path: Path
) -> None:
    for _ in range(6):  # more than may be at once
        assert post(token, [b"half", None], 8).status == 400
    assert left(tmp_path) == []
    store.check("session", 240 * MB)


def test_a_browser_that_falls_silent_is_given_up(
    token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "IDLE_S", 0.05)

    async def silence(_self: object) -> None:
        await anyio.sleep(60)

    monkeypatch.setattr("starlette.requests.Request.stream", lambda _self: _Silence())
    answer = post(token, [], 8)
    assert (answer.status, left(tmp_path)) == (408, [])


class _Silence:
    def __aiter__(self) -> "_Silence":
        return self

    async def __anext__(self) -> bytes:
        await anyio.sleep(60)
        return b""


def test_a_large_file_is_refused_before_it_is_read(token: str, tmp_path: Path) -> None:
    def chunks() -> Iterator[bytes]:
        pytest.fail("the body was read")
        yield b""

    answer = post(token, chunks(), 300 * MB)
    assert (answer.status, left(tmp_path)) == (413, [])
    assert answer.json == {"error": "The file is larger than 250 MB."}


def test_the_page_may_ask_first_whether_there_is_room(token: str) -> None:
    ask = f"upload/{token}?bytes="
    assert request("GET", f"{ask}1000&files=2", **{NAME_HEADER: ""}).status == 200
    assert request("GET", f"{ask}{500 * MB}&files=2", **{NAME_HEADER: ""}).status == 413
    assert request("GET", f"{ask}many&files=2", **{NAME_HEADER: ""}).status == 400


def test_an_unknown_token_is_not_found_and_says_what_to_do() -> None:
    answer = post("x" * 32, [b"onnx"], 4)
    assert (answer.status, answer.json) == (
        404,
        {"error": "This page may no longer upload: reload it."},
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none"},
        {"sec_fetch_site": "cross-site", "origin": "http://app.test", "host": "app.test"},
    ],
)
def test_no_other_site_may_upload(token: str, headers: dict[str, str], tmp_path: Path) -> None:
    assert post(token, [b"onnx"], 4, **headers).status == 403
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://10.0.0.5:8501", 200), ("http://evil.test", 403), ("null", 403)],
)
def test_without_tls_the_origin_tells_whose_page_it_is(
    token: str, origin: str, status: int
) -> None:
    """Browsers send no Sec-Fetch-Site to a plain http address of the network."""
    headers = {"content_length": "4", NAME_HEADER: "net.onnx", "host": "10.0.0.5:8501"}
    answer = request("POST", f"upload/{token}", [b"onnx"], origin=origin, **headers)
    assert answer.status == status


def test_a_form_of_another_site_has_no_header_for_the_name(token: str) -> None:
    answer = request("POST", f"upload/{token}", [b"onnx"], content_length="4")
    assert answer.status == 403


@pytest.mark.parametrize("length", ["", "-1", "1e3", "²", "9" * 30])
def test_a_file_says_how_long_it_is(token: str, length: str) -> None:
    headers = {NAME_HEADER: "net.onnx", "content_length": length}
    assert request("POST", f"upload/{token}", [b"x"], **headers).status == 411


@pytest.mark.parametrize(
    "name",
    [
        "..%2F..%2Fx.onnx",
        "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E.onnx",
        "a%0Ab%0D%0A.onnx",
        "%E2%80%AEgnp.onnx",
        "%00.onnx",
        "%ff%fe.onnx",
        "x" * 10_000_000 + ".onnx",
    ],
    ids=["upwards", "HTML", "newline", "right to left", "zero", "no UTF-8", "10 MB"],
)
def test_no_name_reaches_the_disk(
    store: UploadStore, token: str, name: str, tmp_path: Path
) -> None:
    answer = post(token, [b"onnx"], 4, name)
    (upload,) = store.find("session", [answer.json["id"]])
    assert left(tmp_path) == ["upload.onnx"]
    assert upload.name.isprintable()
    assert len(upload.name) <= 120


def test_a_file_of_another_kind_is_refused_with_the_accepted_ones(token: str) -> None:
    answer = post(token, [b"MZ"], 2, "net.exe")
    assert (answer.status, answer.json["error"]) == (
        415,
        "net.exe is none of the accepted kinds: .onnx",
    )


def test_refusals_are_in_the_language_of_the_page(store: UploadStore) -> None:
    token = store.grant(Grant("session", (".onnx",), "zh"))
    assert post(token, [b"MZ"], 2, "net.exe").json["error"]


def test_a_visitor_takes_back_his_own_file_alone(store: UploadStore, token: str) -> None:
    key = post(token, [b"onnx"], 4).json["id"]
    other = store.grant(Grant("other", (".onnx",)))
    request("DELETE", f"upload/{other}/{key}", **{NAME_HEADER: ""})
    assert store.find("session", [key])
    request("DELETE", f"upload/{token}/{key}", **{NAME_HEADER: ""})
    assert store.find("session", [key]) == ()


def test_while_the_server_runs_it_deletes_what_has_expired_and_at_its_end_everything(
    store: UploadStore, token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(token, [b"onnx"], 4)
    monkeypatch.setattr(routes, "SWEEP_S", 0.01)
    store.lifetime_s = -1.0

    async def serve() -> list[str]:
        async with routes.serving():
            await anyio.sleep(0.2)
            return left(tmp_path)

    assert anyio.run(serve) == []
    assert not [*tmp_path.iterdir()]
