"""Downloads: asked for by their checksums, unpacked by name, placed completely or not at all."""

import gzip
import hashlib
import io
import tarfile
from pathlib import Path
from typing import Any

import pooch
import pytest

from compress_core.data import FILES, DataError, download
from compress_core.data.idx import TEST_LABELS


def test_a_download_asks_for_each_file_by_its_checksum(
    no_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[dict[str, Any]] = []

    def retrieve(url: str, **rest: Any) -> None:
        calls.append({"url": url, **rest})
        Path(rest["path"], rest["fname"]).write_bytes(url.encode())

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    download("fashion-mnist")
    wanted = FILES["fashion-mnist"].downloads
    assert [(call["url"], call["known_hash"]) for call in calls] == [
        (file.url, f"md5:{file.md5}") for file in wanted
    ]
    cache = no_files.parent / "cache" / "fashion-mnist"
    assert {path.name: path.read_text() for path in cache.iterdir()} == {
        file.name: file.url for file in wanted
    }


def test_a_file_that_is_there_is_checked_and_one_that_is_another_is_fetched_through_its_link(
    no_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, names = no_files.parent / "cache" / "mnist", list(FILES["mnist"].sha256)
    cache.mkdir(parents=True)
    for name in names:
        (cache / f"{name}.gz").write_bytes(gzip.compress(b"right"))
        monkeypatch.setitem(FILES["mnist"].sha256, name, hashlib.sha256(b"right").hexdigest())
    (cache / "elsewhere").write_bytes(b"wrong")
    (cache / f"{names[0]}.gz").unlink()
    (cache / f"{names[0]}.gz").symlink_to("elsewhere")
    fetched: list[str] = []

    def retrieve(_url: str, *, path: str, fname: str, **_rest: Any) -> None:
        fetched.append(fname)
        Path(path, fname).write_bytes(b"right")

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    download("mnist")
    assert fetched == [f"{names[0]}.gz"]
    assert (cache / f"{names[0]}.gz").is_symlink()
    assert (cache / "elsewhere").read_bytes() == b"right"


def archive(contents: dict[str, bytes]) -> bytes:
    """A gzipped tar archive of files, by their paths in it; b"" is a folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path, raw in contents.items():
            member = tarfile.TarInfo(path)
            member.size, member.type = len(raw), tarfile.REGTYPE if raw else tarfile.DIRTYPE
            tar.addfile(member, io.BytesIO(raw))
    return buffer.getvalue()


def serve(monkeypatch: pytest.MonkeyPatch, raw: bytes) -> list[str]:
    """Let pooch find `raw` at every address; returns the list of what it is asked for."""
    asked: list[str] = []

    def retrieve(url: str, *, path: str, fname: str, **_rest: Any) -> None:
        asked.append(url)
        Path(path, fname).write_bytes(raw)

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    return asked


def test_of_an_archive_the_expected_members_are_unpacked_and_nothing_else(
    no_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cifar = FILES["cifar-10"]
    contents = {f"{cifar.folder}/{name}": name.encode() for name in cifar.sha256}
    others = {f"{cifar.folder}/readme.html": b"<html>", "../outside.bin": b"bad"}
    serve(monkeypatch, archive({**others, **contents}))
    download("cifar-10")
    root = no_files.parent
    found = {path.name: path.read_text() for path in root.rglob("*") if path.is_file()}
    assert found == {name: name for name in cifar.sha256}
    assert {path.parent for path in root.rglob("*.bin")} == {root / "cache" / cifar.folder}


def test_an_archive_is_fetched_once(no_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cifar = FILES["cifar-10"]
    for name in cifar.sha256:
        monkeypatch.setitem(cifar.sha256, name, hashlib.sha256(b"right").hexdigest())
    asked = serve(monkeypatch, archive({f"{cifar.folder}/{n}": b"right" for n in cifar.sha256}))
    download("cifar-10")
    download("cifar-10")
    assert asked == [cifar.downloads[0].url]
    (no_files.parent / "cache" / cifar.folder / "test_batch.bin").write_bytes(b"wrong")
    download("cifar-10")
    assert len(asked) == 2


@pytest.mark.usefixtures("no_files")
@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (archive({"other": b"x"}), "the archive has no file cifar-10-batches-bin/data_batch_1.bin"),
        (archive({"cifar-10-batches-bin/data_batch_1.bin": b""}), "the archive has no file"),
        (b"<html>not found</html>", "the archive cannot be read"),
        (archive({"other": b"x" * 9999})[:-20], "the archive cannot be read"),
    ],
    ids=["missing member", "a folder", "no archive", "truncated"],
)
def test_another_archive_is_refused(
    monkeypatch: pytest.MonkeyPatch, raw: bytes, reason: str
) -> None:
    serve(monkeypatch, raw)
    with pytest.raises(DataError, match=rf"CIFAR-10: cifar-10-binary.tar.gz .*{reason}.*or place"):
        download("cifar-10")


@pytest.mark.usefixtures("no_files")
def test_a_download_reports_the_fraction_of_each_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def retrieve(_url: str, *, downloader: Any, path: str, fname: str, **_rest: Any) -> None:
        Path(path, fname).write_bytes(b"")
        bar = downloader.progressbar
        bar.total = 200
        bar.update(50)
        bar.update(100)
        bar.close()

    reported: list[tuple[str, float]] = []
    name = f"{TEST_LABELS}.gz"
    monkeypatch.setattr(pooch, "retrieve", retrieve)
    download("mnist", lambda *step: reported.append(step))
    assert [step for step in reported if step[0] == name] == [
        (name, 0.25),
        (name, 0.75),
        (name, 1.0),
    ]


@pytest.mark.usefixtures("no_files")
@pytest.mark.parametrize("error", [OSError("no route to host"), ValueError("hash differs")])
def test_a_failed_download_says_how_to_place_the_files(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def retrieve(*_args: Any, **_rest: Any) -> None:
        raise error

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.raises(DataError, match=rf"could not be downloaded \({error}\); .*or place"):
        download("mnist")
