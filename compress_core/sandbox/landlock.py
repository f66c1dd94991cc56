"""Writing only below one folder, reading only what is named, by the kernel (Landlock, Linux 5.13).

Source: linux/landlock.h; Documentation/userspace-api/landlock.rst of the kernel.
"""

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

from compress_core.sandbox.kernel import syscall

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same numbers on every architecture
RULE_PATH_BENEATH = 1
READ_FILE, READ_DIR = 1 << 2, 1 << 3
WRITE_FILE, REMOVE_DIR, REMOVE_FILE = 1 << 1, 1 << 4, 1 << 5
MAKE_DIR, MAKE_FILE = 1 << 7, 1 << 8
MAKE_OTHER = (1 << 6) | (1 << 9) | (1 << 10) | (1 << 11) | (1 << 12)  # devices, sockets, links
MOVE, TRUNCATE = 1 << 13, 1 << 14  # since ABI 2 and 3
CONNECT = 0b11  # TCP: bind and connect, since ABI 4
SCOPES = 0b11  # abstract sockets and signals to processes outside, since ABI 6


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def confine_to(folder: Path, readable: Iterable[Path], listed: Iterable[Path] = ()) -> None:
    """From now on this process makes, changes and removes files in `folder` alone, reads these and
    what is below `readable`, of `listed` only the names, makes no links, and sends no signal to
    others. Raises OSError on a kernel without Landlock."""
    abi = syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    ours = WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_FILE
    ours |= (MOVE if abi >= 2 else 0) | (TRUNCATE if abi >= 3 else 0)
    reads = READ_FILE | READ_DIR
    rules = _make_ruleset(ours | reads | MAKE_OTHER, abi)
    try:
        _allow(rules, folder, ours | reads)
        for path in readable:
            _allow(rules, path, reads if path.is_dir() else READ_FILE)
        for path in listed:
            _allow(rules, path, READ_DIR)
        _allow(rules, Path(os.devnull), ours & (WRITE_FILE | TRUNCATE))
        syscall(RESTRICT_SELF, ctypes.c_int(rules), ctypes.c_uint32(0))
    finally:
        os.close(rules)


def _make_ruleset(files: int, abi: int) -> int:
    """A file descriptor. What an older kernel does not know is left out by the size."""
    rules = _Ruleset(files, CONNECT, SCOPES)
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    return syscall(CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(size), ctypes.c_uint32(0))


def _allow(rules: int, path: Path, allowed: int) -> None:
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        beneath = ctypes.byref(_Beneath(allowed, handle))
        kind, flags = ctypes.c_int(RULE_PATH_BENEATH), ctypes.c_uint32(0)
        syscall(ADD_RULE, ctypes.c_int(rules), kind, beneath, flags)
    finally:
        os.close(handle)
