"""The C library's calls that Python has no words for. Linux alone."""

import ctypes
import os

PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)


def syscall(number: int, *arguments: object) -> int:
    """Raises OSError where the kernel says no."""
    return _checked(_libc.syscall(ctypes.c_long(number), *arguments))


def prctl(option: int, *arguments: object) -> int:
    """Raises OSError where the kernel says no."""
    rest = [*arguments, *(ctypes.c_ulong(0) for _ in range(4 - len(arguments)))]
    return _checked(_libc.prctl(ctypes.c_int(option), *rest))


def forbid_new_privileges() -> None:
    """No program that is started can have more rights (setuid); the filters below ask for this."""
    prctl(PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1))


def leave_network() -> None:
    """Move to a network namespace of this process's own, in which there is no way out. The user
    namespace is what lets a process without rights do so. Needs a process of one thread."""
    _checked(_libc.unshare(ctypes.c_int(CLONE_NEWUSER | CLONE_NEWNET)))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
