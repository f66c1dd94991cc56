"""Writing files: completely or not at all, and without replacing links, pipes or devices.

A plain file is written beside its target and then renamed, so that an interrupted run leaves no
half file. A symbolic link is followed; a pipe or a device is written to; a folder is refused.
"""

import os
import secrets
import stat
import sys
from pathlib import Path

STANDARD_OUTPUT = Path("-")


class WriteError(ValueError):
    """A file cannot be written; the message says which, why, and what helps."""


def write_file(path: Path, raw: bytes) -> None:
    """Write `raw` to `path`; STANDARD_OUTPUT is the process's own.

    Raises WriteError for a folder, a missing folder, a missing permission, a full disk, and for a
    pipe whose reader goes away.
    """
    check_writable(path)
    try:
        if is_standard_output(path):
            sys.stdout.flush()  # what was printed before comes before
            sys.stdout.buffer.write(raw)
            sys.stdout.buffer.flush()
        elif path.exists() and not path.is_file():
            _write_into(path, raw)
        else:
            _replace(path.resolve(), raw)
    except BrokenPipeError as error:
        raise WriteError(
            f"{path}: the reader went away before all of the {len(raw):,} bytes were written; "
            "start it again with one that reads to the end"
        ) from error
    except OSError as error:
        raise _refusal(path, error) from error


def check_writable(path: Path) -> None:
    """Raise WriteError where it is known without writing that `path` cannot be written.

    A pipe is not opened: that would wait for its reader.
    """
    if is_standard_output(path):
        return
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = None  # a new file, or a link that points to none yet
    except OSError as error:  # a ring of links, a file in place of a folder
        raise _refusal(path, error) from error
    if mode is not None and stat.S_ISDIR(mode):
        raise WriteError(f"{path} is a folder; name a file in it")
    if mode is not None and not os.access(path, os.W_OK):
        raise WriteError(f"{path} may not be written: it is protected; name another file")
    folder = path.resolve().parent
    if mode is None and not folder.is_dir():
        raise WriteError(f"{path}: {folder} is no folder that exists; make it first")
    if mode is None and not os.access(folder, os.W_OK | os.X_OK):
        raise WriteError(f"{path}: nothing may be written to {folder}; name a file elsewhere")


def is_standard_output(path: Path) -> bool:
    """Whether `path` is where this process prints: `-`, /dev/stdout, or the file it is sent to."""
    if path == STANDARD_OUTPUT:
        return True
    try:
        return os.path.samestat(path.stat(), os.fstat(sys.stdout.fileno()))
    except (OSError, ValueError):  # no such file, or an output that is none of the system's
        return False


def _replace(target: Path, raw: bytes) -> None:
    """Write beside `target`, a plain file or nothing yet, and rename; its mode stays."""
    before = target.stat() if target.exists() else None
    if before is not None and _is_held_elsewhere(before):
        _write_into(target, raw)
        return
    partial = target.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        try:
            file = partial.open("xb")
        except PermissionError:  # the folder takes no new file, but the old one may be written
            if before is None:
                raise
            _write_into(target, raw)
            return
        with file:
            file.write(raw)
        if before is not None:
            partial.chmod(stat.S_IMODE(before.st_mode))
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _is_held_elsewhere(status: os.stat_result) -> bool:
    """Whether replacing the file would change more than its content: it has further names (hard
    links), or another owner."""
    own = not hasattr(os, "geteuid") or status.st_uid == os.geteuid()
    return status.st_nlink > 1 or not own


def _write_into(path: Path, raw: bytes) -> None:
    with path.open("wb") as file:
        file.write(raw)


def _refusal(path: Path, error: OSError) -> WriteError:
    return WriteError(f"{path} cannot be written: {error.strerror or error}; name another file")
