"""Writing files: into what stands under the name, whole or not at all, or refused in words."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from compress_core import writing
from compress_core.writing import WriteError, check_writable, is_standard_output, write_file

ROOT = Path(__file__).parents[1]


def read_in_background(pipe: Path) -> tuple[threading.Thread, list[bytes]]:
    got: list[bytes] = []
    thread = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)
    thread.start()
    return thread, got


def run(code: str, shell: str = "{}") -> subprocess.CompletedProcess[bytes]:
    """Python's `code` in a process of its own, inside of a line for the shell."""
    line = shell.format(f'"{sys.executable}" -c "{code}"')
    return subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, timeout=60)


def test_a_new_file_holds_the_bytes_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    write_file(tmp_path / "new", b"bytes")
    assert (tmp_path / "new").read_bytes() == b"bytes"
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_a_new_file_has_the_mode_of_every_new_file(tmp_path: Path) -> None:
    write_file(tmp_path / "ours", b"")
    (tmp_path / "theirs").touch()
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "theirs").stat().st_mode


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
def test_a_file_that_is_written_anew_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")
    file.chmod(mode)
    write_file(file, b"new")
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (b"new", mode)


def test_who_reads_the_old_file_reads_it_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")
    with file.open("rb") as reader:
        write_file(file, b"new")
        assert reader.read() == b"old"


def test_a_link_is_followed_to_the_file_that_it_names(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    file, link = tmp_path / "folder" / "file", tmp_path / "link"
    file.write_bytes(b"old")
    link.symlink_to("folder/file")
    write_file(link, b"new")
    assert link.is_symlink()
    assert file.read_bytes() == b"new"


def test_a_link_to_a_link_to_no_file_yet_makes_the_file(tmp_path: Path) -> None:
    (tmp_path / "first").symlink_to("second")
    (tmp_path / "second").symlink_to("file")
    write_file(tmp_path / "first", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert (tmp_path / "first").is_symlink()
    assert (tmp_path / "second").is_symlink()


def test_a_file_with_two_names_stays_one_file(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(b"a longer old text")
    second.hardlink_to(first)
    write_file(first, b"new")
    assert second.read_bytes() == b"new"
    assert first.samefile(second)


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    thread, got = read_in_background(pipe)
    write_file(pipe, b"x" * 200_000)
    thread.join(timeout=10)
    assert got == [b"x" * 200_000]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_link_to_a_pipe_is_the_pipe(tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    thread, got = read_in_background(pipe)
    write_file(link, b"bytes")
    thread.join(timeout=10)
    assert got == [b"bytes"]
    assert link.is_symlink()


def test_a_device_is_written_to_and_stays_one() -> None:
    before = Path("/dev/null").stat()
    write_file(Path("/dev/null"), b"bytes")
    after = Path("/dev/null").stat()
    assert stat.S_ISCHR(after.st_mode)
    assert (after.st_ino, after.st_rdev) == (before.st_ino, before.st_rdev)


def test_a_full_device_is_told_in_words() -> None:
    with pytest.raises(WriteError, match=r"/dev/full cannot be written: No space left on device"):
        write_file(Path("/dev/full"), b"bytes")


def test_a_pipes_reader_that_goes_away_is_told_in_words(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    thread = threading.Thread(target=lambda: pipe.open("rb").close(), daemon=True)
    thread.start()
    with pytest.raises(WriteError, match="the reader went away before all of the 1,000,000 bytes"):
        write_file(pipe, b"x" * 1_000_000)
    thread.join(timeout=10)


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1"])
@pytest.mark.parametrize("shell", ["{} | cat", "{} > file; cat file; rm file"])
def test_standard_output_gets_the_bytes_in_their_turn(name: str, shell: str) -> None:
    code = (
        "from pathlib import Path; from compress_core.writing import write_file;"
        f"print('before'); write_file(Path('{name}'), b'bytes'); print(' after')"
    )
    done = run(code, shell)
    assert (done.stdout, done.stderr) == (b"before\nbytes after\n", b"")


def test_another_file_is_not_standard_output(tmp_path: Path) -> None:
    assert not is_standard_output(tmp_path / "file")
    assert not is_standard_output(tmp_path)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    for path in (tmp_path, tmp_path / "link"):
        with pytest.raises(WriteError, match="is a folder; name a file in it"):
            write_file(path, b"")
    assert [path.name for path in tmp_path.iterdir()] == ["link"]


def test_a_missing_folder_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("absent/file")
    for path in (tmp_path / "absent" / "file", tmp_path / "link"):
        with pytest.raises(WriteError, match="absent is no folder that exists; make it first"):
            write_file(path, b"")


def test_a_ring_of_links_and_a_file_for_a_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "ring").symlink_to("ring")
    (tmp_path / "file").touch()
    for path in (tmp_path / "ring", tmp_path / "file" / "below", tmp_path / ("n" * 300)):
        with pytest.raises(WriteError, match=r"cannot be written: .*; name another file"):
            write_file(path, b"")


def test_a_protected_file_and_folder_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"old")
    monkeypatch.setattr(os, "access", lambda *_: False)  # the tests may run as root
    with pytest.raises(WriteError, match="file may not be written: it is protected"):
        write_file(tmp_path / "file", b"new")
    with pytest.raises(WriteError, match=r"nothing may be written to .*; name a file elsewhere"):
        check_writable(tmp_path / "new")
    assert (tmp_path / "file").read_bytes() == b"old"


def test_a_failed_write_leaves_the_old_file_and_no_half_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(WriteError, match="file cannot be written: Input/output error"):
        write_file(file, b"new")
    assert file.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_takes_no_new_file_still_has_its_old_one_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, open_file = tmp_path / "file", Path.open
    file.write_bytes(b"old")

    def refuse_new(path: Path, mode: str = "r") -> object:
        if "x" in mode:
            raise PermissionError(13, "Permission denied")
        return open_file(path, mode)

    monkeypatch.setattr(Path, "open", refuse_new)
    write_file(file, b"new")
    with pytest.raises(WriteError, match="new cannot be written: Permission denied"):
        write_file(tmp_path / "new", b"new")
    monkeypatch.undo()
    assert file.read_bytes() == b"new"


def test_another_owners_file_stays_theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")
    inode = file.stat().st_ino
    monkeypatch.setattr(writing.os, "geteuid", lambda: 4242)
    write_file(file, b"new")
    assert (file.read_bytes(), file.stat().st_ino) == (b"new", inode)
