"""The server's own folder for uploads. It is deleted at its end, and what a server that was killed
has left is deleted by the next one."""

import atexit
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

PREFIX = "compress-uploads-"
LOCK = "in-use"


def make_folder(parent: Path | None = None) -> Path:
    """A fresh folder that only this user may enter, in the system's folder for temporary files
    ($TMPDIR)."""
    parent = parent or Path(tempfile.gettempdir())
    delete_left_folders(parent)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))  # mode 0700
    _lock(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def delete_left_folders(parent: Path) -> None:
    """Delete what no server holds any more. Only folders of this user are touched."""
    for folder in parent.glob(f"{PREFIX}*"):
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            continue
        if (folder / LOCK).exists() and (lock := _lock(folder)) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _lock(folder: Path) -> int | None:
    """Hold the folder until the process ends, however it ends; None if another process does."""
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock
